//! `friends` as transactions look at it and change it: entries of many lists by one statement each. A
//! friendship is two rows, one in each list; a removed row stays as a tombstone.
//!
//! The caller has locked the owners of all entries. Only the clearing of remarks that tombstones keep
//! needs no lock, because no caller sees them.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    all_changed, column, index, statements,
    users::{usernames, uuids},
};
use crate::domain::{Error, Friend, OwnerKey, UserRef, Username};

statements! {
    // `limit 1` and the scalar subquery keep Postgres from planning joins over whole lists or all users:
    // see `relations`.
    FIND = "\
-- friends.find
select wanted.position, f.version, f.deleted, f.remark, f.extension, f.server_extension,
       f.created_at, f.updated_at,
       (
           select true
           from users
           where owner_key = wanted.friend_key
             and deleted_at is null
       ) is not null as friend_exists
from unnest($1::uuid[], $2::text[], $3::uuid[])
    with ordinality as wanted (owner_key, friend_name, friend_key, position)
cross join lateral (
    select version, deleted, remark, extension, server_extension, created_at, updated_at
    from friends
    where owner_key = wanted.owner_key
      and friend_name = wanted.friend_name
    limit 1
) f";
    UPSERT = "\
-- friends.upsert
insert into friends as stored (owner_key, friend_name, version, remark, extension,
                               server_extension, created_at, updated_at)
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
where stored.deleted";
    UPSERT_KEEPING_REMARK = "\
-- friends.upsert_keeping_remark
insert into friends as stored (owner_key, friend_name, version, extension, server_extension,
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
where stored.deleted";
    UPDATE_TEXTS = "\
-- friends.update_texts
update friends f
set remark = changed.remark,
    extension = changed.extension,
    server_extension = changed.server_extension,
    version = changed.version,
    updated_at = $7
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    as changed (owner_key, friend_name, remark, extension, server_extension, version)
where f.owner_key = changed.owner_key
  and f.friend_name = changed.friend_name
  and not f.deleted";
    TOMBSTONE = "\
-- friends.tombstone
update friends f
set version = removed.version,
    deleted = true,
    remark = case when removed.clear_remark then '' else f.remark end,
    extension = '',
    server_extension = '',
    updated_at = $5
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[])
    as removed (owner_key, friend_name, version, clear_remark)
where f.owner_key = removed.owner_key
  and f.friend_name = removed.friend_name
  and not f.deleted";
    NAMES = "\
-- friends.names
select friend_name
from friends
where owner_key = $1
  and not deleted
order by friend_name
limit $2";
    OWNERS_KEEPING_REMARK = "\
-- friends.owners_keeping_remark
select f.owner_key
from friends f
join users u on u.owner_key = f.owner_key and u.app_id = $1
where f.friend_name = $2
  and f.deleted
  and f.remark <> ''
order by f.owner_key
limit $3";
    CLEAR_KEPT_REMARK = "\
-- friends.clear_kept_remark
update friends
set remark = ''
where owner_key = any($1)
  and friend_name = $2
  and deleted
  and remark <> ''";
    CLEAR_KEPT_REMARKS = "\
-- friends.clear_kept_remarks
update friends
set remark = ''
where owner_key = $1
  and deleted
  and remark <> ''";
}

/// A row of `friends`, found under the owner's lock.
#[derive(Debug)]
pub(crate) enum StoredEntry {
    /// The two are friends.
    Live {
        entry: Friend,
        /// False while the friend is deleted and this entry waits to be removed.
        friend_exists: bool,
    },
    /// The friendship ended. The remark is kept for the case that it begins again.
    Tombstone { remark: String },
}

/// An entry to insert, or to write over its tombstone.
pub(crate) struct NewEntry<'a> {
    pub(crate) owner: OwnerKey,
    pub(crate) friend: &'a Username,
    pub(crate) version: i64,
    /// `None`: the remark that its tombstone keeps, or none.
    pub(crate) remark: Option<&'a str>,
    pub(crate) extension: &'a str,
    pub(crate) server_extension: &'a str,
    pub(crate) created_at: OffsetDateTime,
}

/// An entry to turn into a tombstone.
pub(crate) struct RemovedEntry<'a> {
    pub(crate) owner: OwnerKey,
    pub(crate) friend: &'a Username,
    pub(crate) version: i64,
    pub(crate) clear_remark: bool,
}

#[derive(FromRow)]
struct FoundRow {
    position: i64,
    version: i64,
    deleted: bool,
    remark: String,
    extension: String,
    server_extension: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    friend_exists: bool,
}

impl FoundRow {
    fn into_entry(self, friend: &Username) -> StoredEntry {
        if self.deleted {
            return StoredEntry::Tombstone { remark: self.remark };
        }
        let entry = Friend {
            username: friend.clone(),
            remark: self.remark,
            extension: self.extension,
            server_extension: self.server_extension,
            // Both rows of a friendship change in one transaction, under the locks of both users.
            bidirectional: true,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        };
        StoredEntry::Live { entry, friend_exists: self.friend_exists }
    }
}

/// Those of the wanted entries, each an owner and a friend, that have a row, by their index.
pub(crate) async fn find(
    db: &mut PgConnection,
    wanted: &[[UserRef<'_>; 2]],
) -> Result<Vec<(usize, StoredEntry)>, Error> {
    let rows: Vec<FoundRow> = query_as(FIND)
        .bind(column(wanted, |[owner, _]| owner.key.as_uuid()))
        .bind(column(wanted, |[_, friend]| friend.name.as_str()))
        .bind(column(wanted, |[_, friend]| friend.key.as_uuid()))
        .fetch_all(db)
        .await?;
    let found = |row: FoundRow| {
        let at = index(row.position);
        (at, row.into_entry(wanted[at][1].name))
    };
    Ok(rows.into_iter().map(found).collect())
}

/// Makes entries. None of them may be live already.
pub(crate) async fn upsert(
    db: &mut PgConnection,
    entries: &[NewEntry<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (given, kept): (Vec<&NewEntry<'_>>, Vec<&NewEntry<'_>>) =
        entries.iter().partition(|entry| entry.remark.is_some());
    if !given.is_empty() {
        let done = query(UPSERT)
            .bind(column(&given, |entry| entry.owner.as_uuid()))
            .bind(column(&given, |entry| entry.friend.as_str()))
            .bind(column(&given, |entry| entry.version))
            .bind(column(&given, |entry| entry.remark))
            .bind(column(&given, |entry| entry.extension))
            .bind(column(&given, |entry| entry.server_extension))
            .bind(column(&given, |entry| entry.created_at))
            .bind(now)
            .execute(&mut *db)
            .await?;
        all_changed(done.rows_affected(), given.len())?;
    }
    if !kept.is_empty() {
        let done = query(UPSERT_KEEPING_REMARK)
            .bind(column(&kept, |entry| entry.owner.as_uuid()))
            .bind(column(&kept, |entry| entry.friend.as_str()))
            .bind(column(&kept, |entry| entry.version))
            .bind(column(&kept, |entry| entry.extension))
            .bind(column(&kept, |entry| entry.server_extension))
            .bind(column(&kept, |entry| entry.created_at))
            .bind(now)
            .execute(db)
            .await?;
        all_changed(done.rows_affected(), kept.len())?;
    }
    Ok(())
}

/// Writes remark, extensions and version of live entries.
pub(crate) async fn update_texts(
    db: &mut PgConnection,
    changed: &[(OwnerKey, &Friend)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let done = query(UPDATE_TEXTS)
        .bind(column(changed, |(owner, _)| owner.as_uuid()))
        .bind(column(changed, |(_, entry)| entry.username.as_str()))
        .bind(column(changed, |(_, entry)| &*entry.remark))
        .bind(column(changed, |(_, entry)| &*entry.extension))
        .bind(column(changed, |(_, entry)| &*entry.server_extension))
        .bind(column(changed, |(_, entry)| entry.version))
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), changed.len())
}

/// Turns live entries into tombstones.
pub(crate) async fn tombstone(
    db: &mut PgConnection,
    removed: &[RemovedEntry<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let done = query(TOMBSTONE)
        .bind(column(removed, |entry| entry.owner.as_uuid()))
        .bind(column(removed, |entry| entry.friend.as_str()))
        .bind(column(removed, |entry| entry.version))
        .bind(column(removed, |entry| entry.clear_remark))
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), removed.len())
}

/// The first `limit` friends of a user, in name order.
pub(crate) async fn names(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Vec<Username>, Error> {
    let names: Vec<String> =
        query_scalar(NAMES).bind(owner.as_uuid()).bind(limit).fetch_all(db).await?;
    Ok(usernames(names))
}

/// Up to `limit` users of an app whose tombstones keep a remark on this friend. The friend's own
/// tombstones can't be used to find them: those may be purged.
pub(crate) async fn owners_keeping_remark(
    db: &mut PgConnection,
    app_id: Uuid,
    friend: &Username,
    limit: i64,
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<Uuid> = query_scalar(OWNERS_KEEPING_REMARK)
        .bind(app_id)
        .bind(friend.as_str())
        .bind(limit)
        .fetch_all(db)
        .await?;
    Ok(keys.into_iter().map(OwnerKey::from_store).collect())
}

/// Clears the remarks on one friend that tombstones in these owners' lists keep. No caller sees a
/// tombstone's remark, so the lists' versions stay.
pub(crate) async fn clear_kept_remark(
    db: &mut PgConnection,
    owners: &[OwnerKey],
    friend: &Username,
) -> Result<(), Error> {
    query(CLEAR_KEPT_REMARK).bind(uuids(owners)).bind(friend.as_str()).execute(db).await?;
    Ok(())
}

/// Clears the remarks that all tombstones in one list keep.
pub(crate) async fn clear_kept_remarks(
    db: &mut PgConnection,
    owner: OwnerKey,
) -> Result<(), Error> {
    query(CLEAR_KEPT_REMARKS).bind(owner.as_uuid()).execute(db).await?;
    Ok(())
}
