//! Writing and reading in bulk: lists of many users at once, on ordinary connections.
//!
//! Users are locked by the guarded update of their counts itself ([`gain`]), in the order of the keys
//! given; what was looked at before is looked at again by the writes, which say how much they changed.

use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::{FromRow, PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{statements, users::uuids};
use crate::domain::{
    BlockRecord, EntryTexts, Error, FriendRecord, Nickname, OwnerKey, Record, UserRecord, Username,
};

statements! {
    CREATE_USERS = "\
-- bulk.create_users
insert into users as kept (owner_key, app_id, username, uuid, nickname, activated, created_at,
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
where kept.deleted_at is not null
  and not kept.leaving
returning owner_key";
    HEADS = "\
-- bulk.heads
select owner_key, nickname, activated, friend_count, block_count
from users
where owner_key = any($1)
  and deleted_at is null";
    SET_PROFILES = "\
-- bulk.set_profiles
update users u
set nickname = fresh.nickname,
    activated = fresh.activated,
    modified_at = $4
from unnest($1::uuid[], $2::text[], $3::boolean[]) as fresh (owner_key, nickname, activated)
where u.owner_key = fresh.owner_key
  and u.deleted_at is null";
    GAIN = "\
-- bulk.gain
update users u
set friend_count = u.friend_count + g.friends,
    block_count = u.block_count + g.blocks,
    version = u.version + g.versions
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[])
    as g (owner_key, friends, blocks, versions)
where u.owner_key = g.owner_key
  and u.deleted_at is null
  and (g.friends = 0 or u.friend_count + g.friends <= $5)
  and (g.blocks = 0 or u.block_count + g.blocks <= $6)
returning u.owner_key, u.version, u.incoming_requests + u.outgoing_requests > 0";
    FRIENDS = "\
-- bulk.friends
select wanted.n, f.remark, f.extension, f.server_extension
from unnest($1::uuid[], $2::text[]) with ordinality as wanted (owner_key, friend_name, n)
join friends f on f.owner_key = wanted.owner_key and f.friend_name = wanted.friend_name
              and not f.deleted";
    PUT_FRIENDS = "\
-- bulk.put_friends
insert into friends as kept (owner_key, friend_name, version, remark, extension, server_extension,
                             created_at, updated_at)
select owner_key, friend_name, version, remark, extension, server_extension, created_at, $8
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
            $7::timestamptz[])
    as fresh (owner_key, friend_name, version, remark, extension, server_extension, created_at)
on conflict (owner_key, friend_name) do update
set version = excluded.version,
    deleted = false,
    remark = excluded.remark,
    extension = excluded.extension,
    server_extension = excluded.server_extension,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
where kept.deleted";
    WAKE_FRIENDS = "\
-- bulk.wake_friends
insert into friends as kept (owner_key, friend_name, version, extension, server_extension,
                             created_at, updated_at)
select owner_key, friend_name, version, extension, server_extension, created_at, $7
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[])
    as fresh (owner_key, friend_name, version, extension, server_extension, created_at)
on conflict (owner_key, friend_name) do update
set version = excluded.version,
    deleted = false,
    extension = excluded.extension,
    server_extension = excluded.server_extension,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
where kept.deleted";
    SET_TEXTS = "\
-- bulk.set_texts
update friends f
set version = fresh.version,
    remark = coalesce(fresh.remark, f.remark),
    extension = coalesce(fresh.extension, f.extension),
    server_extension = coalesce(fresh.server_extension, f.server_extension),
    updated_at = $7
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
    as fresh (owner_key, friend_name, version, remark, extension, server_extension)
where f.owner_key = fresh.owner_key
  and f.friend_name = fresh.friend_name
  and not f.deleted";
    // One statement, so that all of it is as of one moment.
    EXPORT = "\
-- bulk.export
(
    select 0 as kind, u.username, '' as other, u.nickname as remark, '' as extension,
           '' as server_extension, u.activated, u.uuid, u.created_at, u.modified_at
    from users u
    where u.app_id = $1
      and u.deleted_at is null
    order by u.username
)
union all
(
    select 1, u.username, f.friend_name, f.remark, f.extension, f.server_extension, u.activated,
           u.uuid, f.created_at, f.updated_at
    from users u
    join friends f on f.owner_key = u.owner_key and not f.deleted
    where u.app_id = $1
      and u.deleted_at is null
      and not exists (
          select
          from users o
          where o.app_id = $1
            and o.username = f.friend_name
            and o.leaving
      )
    order by u.username, f.friend_name
)
union all
(
    select 2, u.username, b.blocked_name, '', '', '', u.activated, u.uuid, b.created_at,
           b.updated_at
    from users u
    join blocks b on b.owner_key = u.owner_key and not b.deleted
    where u.app_id = $1
      and u.deleted_at is null
      and not exists (
          select
          from users o
          where o.app_id = $1
            and o.username = b.blocked_name
            and o.leaving
      )
    order by u.username, b.version
)";
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

/// What is known of a user without a lock.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) nickname: String,
    pub(crate) activated: bool,
    pub(crate) friend_count: i32,
    pub(crate) block_count: i32,
}

/// What a user's lists grow by. Nothing at all locks the user only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gain {
    pub(crate) friends: i32,
    pub(crate) blocks: i32,
    pub(crate) versions: i32,
}

/// An entry of a friend list to make or to change.
pub(crate) struct Entry<'a> {
    pub(crate) owner: OwnerKey,
    pub(crate) friend: &'a Username,
    pub(crate) version: i64,
    pub(crate) texts: &'a EntryTexts,
    pub(crate) created_at: OffsetDateTime,
}

/// Creates those of the users who do not exist, and returns their keys. Ascending by key, so that two
/// of these can't deadlock.
pub(crate) async fn create_users(
    db: &mut PgConnection,
    app_id: Uuid,
    new: &[NewUser<'_>],
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<OwnerKey> = new.iter().map(|user| user.key).collect();
    let rows: Vec<(Uuid,)> = query_as(CREATE_USERS)
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

/// Those of the users who exist.
pub(crate) async fn heads(
    db: &mut PgConnection,
    keys: &[OwnerKey],
) -> Result<Vec<(OwnerKey, Head)>, Error> {
    type Row = (Uuid, String, bool, i32, i32);
    let rows: Vec<Row> = query_as(HEADS).bind(uuids(keys)).fetch_all(db).await?;
    let head = |(key, nickname, activated, friend_count, block_count): Row| {
        let head = Head { nickname, activated, friend_count, block_count };
        (OwnerKey::from_store(key), head)
    };
    Ok(rows.into_iter().map(head).collect())
}

/// Sets nicknames and activation. Ascending by key.
pub(crate) async fn set_profiles(
    db: &mut PgConnection,
    profiles: &[(OwnerKey, &str, bool)],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = query(SET_PROFILES)
        .bind(column(profiles, |(key, ..)| key.as_uuid()))
        .bind(column(profiles, |(_, nickname, _)| *nickname))
        .bind(column(profiles, |(.., activated)| *activated))
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Counts more friends and blocked users, takes as many versions as told, and holds the rows of all.
/// Returns of each, unless they were deleted or have no room, the last of the new versions and
/// whether they have pending requests. Ascending by key.
pub(crate) async fn gain(
    db: &mut PgConnection,
    gains: &[(OwnerKey, Gain)],
    friend_limit: i32,
    block_limit: i32,
) -> Result<Vec<(OwnerKey, i64, bool)>, Error> {
    let rows: Vec<(Uuid, i64, bool)> = query_as(GAIN)
        .bind(column(gains, |(key, _)| key.as_uuid()))
        .bind(column(gains, |(_, gain)| gain.friends))
        .bind(column(gains, |(_, gain)| gain.blocks))
        .bind(column(gains, |(_, gain)| gain.versions))
        .bind(friend_limit)
        .bind(block_limit)
        .fetch_all(db)
        .await?;
    let keyed = |(key, version, requests)| (OwnerKey::from_store(key), version, requests);
    Ok(rows.into_iter().map(keyed).collect())
}

/// Which of these entries stand, by their index, with remark, extension and server extension.
pub(crate) async fn friends(
    db: &mut PgConnection,
    wanted: &[(OwnerKey, &Username)],
) -> Result<Vec<(usize, [String; 3])>, Error> {
    let rows: Vec<(i64, String, String, String)> = query_as(FRIENDS)
        .bind(column(wanted, |(key, _)| key.as_uuid()))
        .bind(column(wanted, |(_, name)| name.as_str()))
        .fetch_all(db)
        .await?;
    let found =
        |(n, remark, extension, server): (i64, _, _, _)| (index(n), [remark, extension, server]);
    Ok(rows.into_iter().map(found).collect())
}

/// Makes entries, anew or from their tombstones, of which a remark that is left out is kept. Returns
/// how many it made: those that stand already are not.
pub(crate) async fn put_friends(
    db: &mut PgConnection,
    entries: &[Entry<'_>],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (told, kept): (Vec<&Entry<'_>>, Vec<&Entry<'_>>) =
        entries.iter().partition(|entry| entry.texts.remark.is_some());
    let mut made = 0;
    if !told.is_empty() {
        let done = query(PUT_FRIENDS)
            .bind(column(&told, |entry| entry.owner.as_uuid()))
            .bind(column(&told, |entry| entry.friend.as_str()))
            .bind(column(&told, |entry| entry.version))
            .bind(column(&told, |entry| text(&entry.texts.remark)))
            .bind(column(&told, |entry| text(&entry.texts.extension)))
            .bind(column(&told, |entry| text(&entry.texts.server_extension)))
            .bind(column(&told, |entry| entry.created_at))
            .bind(now)
            .execute(&mut *db)
            .await?;
        made += done.rows_affected();
    }
    if !kept.is_empty() {
        let done = query(WAKE_FRIENDS)
            .bind(column(&kept, |entry| entry.owner.as_uuid()))
            .bind(column(&kept, |entry| entry.friend.as_str()))
            .bind(column(&kept, |entry| entry.version))
            .bind(column(&kept, |entry| text(&entry.texts.extension)))
            .bind(column(&kept, |entry| text(&entry.texts.server_extension)))
            .bind(column(&kept, |entry| entry.created_at))
            .bind(now)
            .execute(db)
            .await?;
        made += done.rows_affected();
    }
    Ok(made)
}

/// Gives entries that stand other texts. Returns how many.
pub(crate) async fn set_texts(
    db: &mut PgConnection,
    entries: &[Entry<'_>],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = query(SET_TEXTS)
        .bind(column(entries, |entry| entry.owner.as_uuid()))
        .bind(column(entries, |entry| entry.friend.as_str()))
        .bind(column(entries, |entry| entry.version))
        .bind(column(entries, |entry| entry.texts.remark.clone()))
        .bind(column(entries, |entry| entry.texts.extension.clone()))
        .bind(column(entries, |entry| entry.texts.server_extension.clone()))
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

#[derive(FromRow)]
struct ExportRow {
    kind: i32,
    username: String,
    other: String,
    remark: String,
    extension: String,
    server_extension: String,
    activated: bool,
    uuid: Uuid,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
}

impl TryFrom<ExportRow> for Record {
    type Error = Error;

    fn try_from(row: ExportRow) -> Result<Self, Error> {
        let username = Username::from_store(row.username);
        let other = Username::from_store(row.other);
        Ok(match row.kind {
            0 => Self::User(UserRecord {
                username,
                nickname: Some(Nickname::parse("nickname", &row.remark)?),
                activated: Some(row.activated),
                uuid: Some(row.uuid),
                created_at: Some(row.created_at),
                modified_at: Some(row.modified_at),
            }),
            1 => Self::Friend(FriendRecord {
                owner: username,
                friend: other,
                texts: EntryTexts {
                    remark: Some(row.remark),
                    extension: Some(row.extension),
                    server_extension: Some(row.server_extension),
                },
                created_at: Some(row.created_at),
                updated_at: Some(row.modified_at),
            }),
            _ => Self::Block(BlockRecord {
                owner: username,
                blocked: other,
                created_at: Some(row.created_at),
            }),
        })
    }
}

/// Everything of an app, as of one moment: users by name; friends by owner and name; blocks by owner,
/// the oldest first. On a session of its own.
pub(crate) fn export(db: &mut PgConnection, app_id: Uuid) -> BoxStream<'_, Result<Record, Error>> {
    query_as::<_, ExportRow>(EXPORT)
        .bind(app_id)
        .fetch(db)
        .map(|row| Record::try_from(row?))
        .boxed()
}

/// A column of the parameters: one value of each.
fn column<'a, T, V>(items: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    items.iter().map(value).collect()
}

/// "with ordinality" counts from 1.
fn index(n: i64) -> usize {
    usize::try_from(n - 1).unwrap_or(usize::MAX)
}
