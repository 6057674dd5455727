//! `users`: the accounts and the heads of their lists.
//!
//! Whoever changes anything that a user owns holds the lock on that user's row first ([`lock`]), and
//! takes the next version from it. Two users are locked in ascending key order, always.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::statements;
use crate::domain::{Error, ListHead, Nickname, OwnerKey, User, Username};

statements! {
    CREATE = "\
-- users.create
insert into users as kept (owner_key, app_id, username, uuid, nickname, activated, created_at,
                           modified_at)
values ($1, $2, $3, $4, $5, true, $6, $6)
on conflict (owner_key) do update
set uuid = excluded.uuid,
    nickname = excluded.nickname,
    activated = true,
    created_at = excluded.created_at,
    modified_at = excluded.modified_at,
    deleted_at = null
where kept.deleted_at is not null
  and not kept.leaving
returning username, uuid, nickname, activated, created_at, modified_at, friend_count, block_count,
          version, incoming_requests, outgoing_requests";
    GET = "\
-- users.get
select username, uuid, nickname, activated, created_at, modified_at, friend_count, block_count,
       version, incoming_requests, outgoing_requests
from users
where owner_key = $1
  and deleted_at is null";
    LOCK = "\
-- users.lock
select username, uuid, nickname, activated, created_at, modified_at, friend_count, block_count,
       version, incoming_requests, outgoing_requests
from users
where owner_key = $1
  and deleted_at is null
for no key update";
    LOCK_EVEN_DELETED = "\
-- users.lock_even_deleted
select true
from users
where owner_key = $1
for no key update";
    PAGE = "\
-- users.page
select username, uuid, nickname, activated, created_at, modified_at, friend_count, block_count,
       version, incoming_requests, outgoing_requests
from users
where app_id = $1
  and username > $2
  and deleted_at is null
order by username
limit $3";
    SET_NICKNAME = "\
-- users.set_nickname
update users
set nickname = $2,
    modified_at = $3
where owner_key = $1
  and deleted_at is null
returning username, uuid, nickname, activated, created_at, modified_at, friend_count, block_count,
          version, incoming_requests, outgoing_requests";
    SET_ACTIVATED = "\
-- users.set_activated
update users
set activated = $2,
    modified_at = case when activated = $2 then modified_at else $3 end
where owner_key = $1
  and deleted_at is null
returning username, uuid, nickname, activated, created_at, modified_at, friend_count, block_count,
          version, incoming_requests, outgoing_requests";
    GAIN_FRIEND = "\
-- users.gain_friend
update users
set friend_count = friend_count + 1,
    version = version + 1
where owner_key = any($1)
  and friend_count < $2
returning owner_key, version";
    GAIN_FRIENDS = "\
-- users.gain_friends
update users
set friend_count = friend_count + $2,
    version = version + $2
where owner_key = $1
  and friend_count + $2 <= $3
returning version";
    LOSE_FRIEND = "\
-- users.lose_friend
update users
set friend_count = friend_count - 1,
    version = version + 1
where owner_key = any($1)
returning owner_key, version";
    LOSE_FRIENDS = "\
-- users.lose_friends
update users
set friend_count = friend_count - $2,
    version = version + $2
where owner_key = $1
returning version";
    LOSE_BLOCKS = "\
-- users.lose_blocks
update users
set block_count = block_count - $2,
    version = version + $2
where owner_key = $1
returning version";
    CHANGE_REQUESTS = "\
-- users.change_requests
update users
set incoming_requests = incoming_requests + $2,
    outgoing_requests = outgoing_requests + $3,
    version = version + 1
where owner_key = $1
  and ($2 <= 0 or incoming_requests + $2 <= $4)
  and ($3 <= 0 or outgoing_requests + $3 <= $4)
returning version";
    PURGED_FRIENDS_TO = "\
-- users.purged_friends_to
update users
set friends_purged_to = greatest(friends_purged_to, $2)
where owner_key = $1";
    PURGED_BLOCKS_TO = "\
-- users.purged_blocks_to
update users
set blocks_purged_to = greatest(blocks_purged_to, $2)
where owner_key = $1";
    VERSIONS = "\
-- users.versions
select owner_key, version
from users
where owner_key = any($1)
  and deleted_at is null";
    NEXT_VERSION = "\
-- users.next_version
update users
set version = version + 1
where owner_key = $1
returning version";
}

#[derive(FromRow)]
pub(super) struct UserRow {
    username: String,
    uuid: Uuid,
    nickname: String,
    activated: bool,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
    friend_count: i32,
    block_count: i32,
    version: i64,
    incoming_requests: i32,
    outgoing_requests: i32,
}

/// A user with the head of their lists.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) head: ListHead,
}

impl From<UserRow> for Account {
    fn from(row: UserRow) -> Self {
        Self {
            user: User {
                uuid: row.uuid,
                username: Username::from_store(row.username),
                nickname: row.nickname,
                activated: row.activated,
                created_at: row.created_at,
                modified_at: row.modified_at,
            },
            head: ListHead {
                friend_count: row.friend_count,
                block_count: row.block_count,
                version: row.version,
                incoming_requests: row.incoming_requests,
                outgoing_requests: row.outgoing_requests,
            },
        }
    }
}

/// Creates a user, anew when the name was deleted before; nothing when the name is taken, or its
/// former holder is still leaving.
pub(crate) async fn create(
    db: &mut PgConnection,
    app_id: Uuid,
    username: &Username,
    nickname: &Nickname,
    uuid: Uuid,
    now: OffsetDateTime,
) -> Result<Option<User>, Error> {
    let row: Option<UserRow> = query_as(CREATE)
        .bind(OwnerKey::of(app_id, username).as_uuid())
        .bind(app_id)
        .bind(username.as_str())
        .bind(uuid)
        .bind(nickname.as_str())
        .bind(now)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| Account::from(row).user))
}

/// A user.
pub(crate) async fn get(db: &mut PgConnection, key: OwnerKey) -> Result<Option<Account>, Error> {
    one(db, GET, key).await
}

/// A user, the row locked against changes until the transaction ends.
pub(crate) async fn lock(db: &mut PgConnection, key: OwnerKey) -> Result<Option<Account>, Error> {
    one(db, LOCK, key).await
}

/// Whether there is such a user, deleted or not; the row is locked.
pub(crate) async fn lock_even_deleted(db: &mut PgConnection, key: OwnerKey) -> Result<bool, Error> {
    is_there(db, LOCK_EVEN_DELETED, key).await
}

pub(super) async fn is_there(
    db: &mut PgConnection,
    statement: &'static str,
    key: OwnerKey,
) -> Result<bool, Error> {
    let row: Option<bool> = query_scalar(statement).bind(key.as_uuid()).fetch_optional(db).await?;
    Ok(row.is_some())
}

async fn one(
    db: &mut PgConnection,
    statement: &'static str,
    key: OwnerKey,
) -> Result<Option<Account>, Error> {
    let row: Option<UserRow> = query_as(statement).bind(key.as_uuid()).fetch_optional(db).await?;
    Ok(row.map(Account::from))
}

/// An app's users in username order, after `after`.
pub(crate) async fn page(
    db: &mut PgConnection,
    app_id: Uuid,
    after: &str,
    rows: i64,
) -> Result<Vec<User>, Error> {
    let rows: Vec<UserRow> =
        query_as(PAGE).bind(app_id).bind(after).bind(rows).fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| Account::from(row).user).collect())
}

/// Sets a nickname; nothing when there is no such user.
pub(crate) async fn set_nickname(
    db: &mut PgConnection,
    key: OwnerKey,
    nickname: &Nickname,
    now: OffsetDateTime,
) -> Result<Option<User>, Error> {
    let row: Option<UserRow> = query_as(SET_NICKNAME)
        .bind(key.as_uuid())
        .bind(nickname.as_str())
        .bind(now)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| Account::from(row).user))
}

/// Marks a user as active or banned; nothing when there is no such user.
pub(crate) async fn set_activated(
    db: &mut PgConnection,
    key: OwnerKey,
    activated: bool,
    now: OffsetDateTime,
) -> Result<Option<User>, Error> {
    let row: Option<UserRow> = query_as(SET_ACTIVATED)
        .bind(key.as_uuid())
        .bind(activated)
        .bind(now)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| Account::from(row).user))
}

/// Counts one friend more for each of the users whose list has room, and returns those with their
/// new versions. All must be locked.
pub(crate) async fn gain_friend(
    db: &mut PgConnection,
    keys: &[OwnerKey],
    limit: i32,
) -> Result<Vec<(OwnerKey, i64)>, Error> {
    let rows: Vec<(Uuid, i64)> =
        query_as(GAIN_FRIEND).bind(uuids(keys)).bind(limit).fetch_all(db).await?;
    Ok(keyed(rows))
}

/// Counts `count` friends more for one user and returns the last of as many new versions; nothing
/// when the list has no room.
pub(crate) async fn gain_friends(
    db: &mut PgConnection,
    key: OwnerKey,
    count: i32,
    limit: i32,
) -> Result<Option<i64>, Error> {
    Ok(query_scalar(GAIN_FRIENDS)
        .bind(key.as_uuid())
        .bind(count)
        .bind(limit)
        .fetch_optional(db)
        .await?)
}

/// Counts one friend less for each of the users and returns their new versions. All must be locked.
pub(crate) async fn lose_friend(
    db: &mut PgConnection,
    keys: &[OwnerKey],
) -> Result<Vec<(OwnerKey, i64)>, Error> {
    let rows: Vec<(Uuid, i64)> = query_as(LOSE_FRIEND).bind(uuids(keys)).fetch_all(db).await?;
    Ok(keyed(rows))
}

/// Counts `count` friends less for one user and returns the last of as many new versions.
pub(crate) async fn lose_friends(
    db: &mut PgConnection,
    key: OwnerKey,
    count: i32,
) -> Result<i64, Error> {
    Ok(query_scalar(LOSE_FRIENDS).bind(key.as_uuid()).bind(count).fetch_one(db).await?)
}

/// Counts `count` blocked users less and returns the last of as many new versions.
pub(crate) async fn lose_blocks(
    db: &mut PgConnection,
    key: OwnerKey,
    count: i32,
) -> Result<i64, Error> {
    Ok(query_scalar(LOSE_BLOCKS).bind(key.as_uuid()).bind(count).fetch_one(db).await?)
}

/// Counts a locked user's pending requests on by so many incoming and outgoing ones, and returns the
/// new version; nothing when more than `limit` of the kind that grows would be pending.
pub(crate) async fn change_requests(
    db: &mut PgConnection,
    key: OwnerKey,
    by: (i32, i32),
    limit: i32,
) -> Result<Option<i64>, Error> {
    Ok(query_scalar(CHANGE_REQUESTS)
        .bind(key.as_uuid())
        .bind(by.0)
        .bind(by.1)
        .bind(limit)
        .fetch_optional(db)
        .await?)
}

/// Notes up to which version tombstones of a locked user's friend list were purged.
pub(crate) async fn purged_friends_to(
    db: &mut PgConnection,
    key: OwnerKey,
    version: i64,
) -> Result<(), Error> {
    query(PURGED_FRIENDS_TO).bind(key.as_uuid()).bind(version).execute(db).await?;
    Ok(())
}

/// Notes up to which version tombstones of a locked user's block list were purged.
pub(crate) async fn purged_blocks_to(
    db: &mut PgConnection,
    key: OwnerKey,
    version: i64,
) -> Result<(), Error> {
    query(PURGED_BLOCKS_TO).bind(key.as_uuid()).bind(version).execute(db).await?;
    Ok(())
}

/// The versions of those of the users who exist.
pub(crate) async fn versions(
    db: &mut PgConnection,
    keys: &[OwnerKey],
) -> Result<Vec<(OwnerKey, i64)>, Error> {
    let rows: Vec<(Uuid, i64)> = query_as(VERSIONS).bind(uuids(keys)).fetch_all(db).await?;
    Ok(keyed(rows))
}

/// Takes a locked user's next version.
pub(crate) async fn next_version(db: &mut PgConnection, key: OwnerKey) -> Result<i64, Error> {
    Ok(query_scalar(NEXT_VERSION).bind(key.as_uuid()).fetch_one(db).await?)
}

pub(super) fn uuids(keys: &[OwnerKey]) -> Vec<Uuid> {
    keys.iter().map(|key| key.as_uuid()).collect()
}

fn keyed(rows: Vec<(Uuid, i64)>) -> Vec<(OwnerKey, i64)> {
    rows.into_iter().map(|(key, version)| (OwnerKey::from_store(key), version)).collect()
}
