//! `users`: the accounts and the heads of their lists.
//!
//! A transaction that changes anything that a user owns first locks the user's row, and takes the next
//! version from it: see [`super::heads`].

use sqlx::{FromRow, PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{all_changed, column, statements};
use crate::domain::{Error, ListHead, Nickname, OwnerKey, User, Username};

statements! {
    CREATE = "\
-- users.create
insert into users as stored (owner_key, app_id, username, uuid, nickname, activated, created_at,
                           modified_at)
select owner_key, $2, username, uuid, nickname, activated, created_at, modified_at
from unnest($1::uuid[], $3::text[], $4::uuid[], $5::text[], $6::boolean[], $7::timestamptz[],
            $8::timestamptz[])
    as fresh (owner_key, username, uuid, nickname, activated, created_at, modified_at)
on conflict (owner_key) do update
set uuid = excluded.uuid,
    nickname = excluded.nickname,
    activated = excluded.activated,
    created_at = excluded.created_at,
    modified_at = excluded.modified_at,
    deleted_at = null
where stored.deleted_at is not null
  and not stored.leaving
returning owner_key";
    GET = "\
-- users.get
select u.username, u.uuid, u.nickname, u.activated, u.created_at, u.modified_at, u.friend_count,
       u.block_count, u.version, u.incoming_requests - overdue.incoming as incoming_requests,
       u.outgoing_requests - overdue.outgoing as outgoing_requests
from users u
cross join lateral (
    select count(*) filter (where direction = 'incoming')::integer as incoming,
           count(*) filter (where direction = 'outgoing')::integer as outgoing
    from friend_requests
    where owner_key = u.owner_key
      and state = 'pending'
      and created_at <= $2
      and u.incoming_requests + u.outgoing_requests > 0
) overdue
where u.owner_key = $1
  and u.deleted_at is null";
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
    SET_PROFILES = "\
-- users.set_profiles
update users u
set nickname = fresh.nickname,
    activated = fresh.activated,
    modified_at = $4
from unnest($1::uuid[], $2::text[], $3::boolean[]) as fresh (owner_key, nickname, activated)
where u.owner_key = fresh.owner_key
  and u.deleted_at is null";
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

/// A user to create.
pub(crate) struct NewUser<'a> {
    pub(crate) key: OwnerKey,
    pub(crate) username: &'a Username,
    pub(crate) uuid: Uuid,
    pub(crate) nickname: &'a str,
    pub(crate) activated: bool,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) modified_at: OffsetDateTime,
}

/// Creates those of the users who do not exist, and returns their keys. `new` ascends by key, so that two
/// of these statements can't deadlock.
pub(crate) async fn create(
    db: &mut PgConnection,
    app_id: Uuid,
    new: &[NewUser<'_>],
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<OwnerKey> = new.iter().map(|user| user.key).collect();
    let rows: Vec<(Uuid,)> = query_as(CREATE)
        .bind(uuids(&keys))
        .bind(app_id)
        .bind(column(new, |user| user.username.as_str()))
        .bind(column(new, |user| user.uuid))
        .bind(column(new, |user| user.nickname))
        .bind(column(new, |user| user.activated))
        .bind(column(new, |user| user.created_at))
        .bind(column(new, |user| user.modified_at))
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|(key,)| OwnerKey::from_store(key)).collect())
}

/// Sets nickname and activation of locked users.
pub(crate) async fn set_profiles(
    db: &mut PgConnection,
    profiles: &[(OwnerKey, &str, bool)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let done = query(SET_PROFILES)
        .bind(column(profiles, |(key, ..)| key.as_uuid()))
        .bind(column(profiles, |(_, nickname, _)| *nickname))
        .bind(column(profiles, |(.., activated)| *activated))
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), profiles.len())
}

/// A user, with the head of the lists. Pending requests that were sent at `overdue` or earlier are not
/// counted.
pub(crate) async fn get(
    db: &mut PgConnection,
    key: OwnerKey,
    overdue: Option<OffsetDateTime>,
) -> Result<Option<Account>, Error> {
    let row: Option<UserRow> =
        query_as(GET).bind(key.as_uuid()).bind(overdue).fetch_optional(db).await?;
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

/// Sets a nickname; `None` when there is no such user.
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

/// Marks a user as active or banned; `None` when there is no such user.
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

/// Stores up to which version tombstones of a locked user's friend list were purged.
pub(crate) async fn purged_friends_to(
    db: &mut PgConnection,
    key: OwnerKey,
    version: i64,
) -> Result<(), Error> {
    query(PURGED_FRIENDS_TO).bind(key.as_uuid()).bind(version).execute(db).await?;
    Ok(())
}

/// Stores up to which version tombstones of a locked user's block list were purged.
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

pub(super) fn usernames(names: Vec<String>) -> Vec<Username> {
    names.into_iter().map(Username::from_store).collect()
}

pub(super) fn uuids(keys: &[OwnerKey]) -> Vec<Uuid> {
    keys.iter().map(|key| key.as_uuid()).collect()
}

fn keyed(rows: Vec<(Uuid, i64)>) -> Vec<(OwnerKey, i64)> {
    rows.into_iter().map(|(key, version)| (OwnerKey::from_store(key), version)).collect()
}
