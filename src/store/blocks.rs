//! `blocks` and `blocked_by`: each block stored under both users, so that one user's rows tell
//! whether two may write to each other. Only `blocks` has versions and tombstones, and counts.

use std::collections::HashSet;

use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    changes::{Headed, Since, SinceArrays, by_list},
    statements,
    users::uuids,
};
use crate::domain::{BlockChange, BlockedUsers, Error, ListVersion, OwnerKey, PageSize, Username};

statements! {
    STANDING = "\
-- blocks.standing
select asked.position
from unnest($1::uuid[], $2::text[]) with ordinality as asked (owner_key, name, position)
where (
    select not deleted
    from blocks
    where owner_key = asked.owner_key
      and blocked_name = asked.name
)";
    NAMES = "\
-- blocks.names
select blocked_name
from blocks
where owner_key = $1
  and not deleted
order by blocked_name
limit $2";
    BLOCKERS = "\
-- blocks.blockers
select blocker_name
from blocked_by
where owner_key = $1
order by blocker_name
limit $2";
    PAGE = "\
-- blocks.page
select b.blocked_name, b.version
from users u
left join lateral (
    select blocked_name, version
    from blocks
    where owner_key = u.owner_key
      and version < $2
      and not deleted
    order by version desc
    limit $3
) b on true
where u.owner_key = $1
  and u.deleted_at is null
order by b.version desc";
    NEWEST = "\
-- blocks.newest
select u.block_count, array(
    select blocked_name
    from blocks
    where owner_key = u.owner_key
      and not deleted
    order by version desc
    limit $2
)
from users u
where u.owner_key = $1
  and u.deleted_at is null";
    PUT = "\
-- blocks.put
insert into blocks as kept (owner_key, blocked_name, version, created_at, updated_at)
select owner_key, blocked_name, version, created_at, $5
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
    as fresh (owner_key, blocked_name, version, created_at)
on conflict (owner_key, blocked_name) do update
set version = excluded.version,
    deleted = false,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
where kept.deleted";
    PUT_BLOCKED_BY = "\
-- blocks.put_blocked_by
insert into blocked_by (owner_key, blocker_name)
select owner_key, blocker_name
from unnest($1::uuid[], $2::text[]) as fresh (owner_key, blocker_name)";
    BURY = "\
-- blocks.bury
update blocks b
set version = gone.version,
    deleted = true,
    updated_at = $4
from unnest($2::text[], $3::bigint[]) as gone (blocked_name, version)
where b.owner_key = $1
  and b.blocked_name = gone.blocked_name
  and not b.deleted";
    CHANGES = "\
-- blocks.changes
select asked.position, u.version, u.blocks_purged_to, b.blocked_name, b.deleted,
       b.version as change_version
from unnest($1::uuid[], $2::bigint[], $3::bigint[])
    with ordinality as asked (owner_key, version, rows, position)
join users u on u.owner_key = asked.owner_key and u.deleted_at is null
left join lateral (
    select blocked_name, deleted, version
    from blocks
    where owner_key = u.owner_key
      and version > asked.version
    order by version
    limit asked.rows
) b on true";
    BETWEEN = "\
-- blocks.between
select exists (
           select
           from blocks
           where owner_key = $1
             and blocked_name = $2
             and not deleted
       ),
       exists (
           select
           from blocked_by
           where owner_key = $1
             and blocker_name = $2
       )";
    OWNERS_OF_TOMBSTONES = "\
-- blocks.owners_of_tombstones
select distinct owner_key
from (
    select owner_key
    from blocks
    where deleted
      and updated_at <= $1
    order by updated_at
    limit $2
) old";
    PURGE = "\
-- blocks.purge
with gone as (
    delete from blocks
    where owner_key = $1
      and deleted
      and updated_at <= $2
    returning version
)
select max(version)
from gone";
    REMOVE_BLOCKED_BY = "\
-- blocks.remove_blocked_by
delete from blocked_by
where owner_key = any($1)
  and blocker_name = $2";
}

/// Of these entries, each a place in an owner's list, those that stand. Looked up one by one: see
/// `relations`.
pub(crate) async fn standing<'a>(
    db: &mut PgConnection,
    asked: &[(OwnerKey, &'a Username)],
) -> Result<HashSet<(OwnerKey, &'a Username)>, Error> {
    let (keys, names): (Vec<Uuid>, Vec<&str>) =
        asked.iter().map(|(key, name)| (key.as_uuid(), name.as_str())).unzip();
    let positions: Vec<i64> = query_scalar(STANDING).bind(keys).bind(names).fetch_all(db).await?;
    let place = |position: i64| asked.get(usize::try_from(position - 1).ok()?).copied();
    Ok(positions.into_iter().filter_map(place).collect())
}

/// The first `limit` users whom a user blocks, in name order.
pub(crate) async fn names(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Vec<Username>, Error> {
    let names: Vec<String> =
        query_scalar(NAMES).bind(owner.as_uuid()).bind(limit).fetch_all(db).await?;
    Ok(usernames(names))
}

/// The first `limit` users who block a user, in name order.
pub(crate) async fn blockers(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Vec<Username>, Error> {
    let names: Vec<String> =
        query_scalar(BLOCKERS).bind(owner.as_uuid()).bind(limit).fetch_all(db).await?;
    Ok(usernames(names))
}

/// Entries, newest first, below the version `before`; nothing when there is no such user.
pub(crate) async fn page(
    db: &mut PgConnection,
    owner: OwnerKey,
    before: i64,
    size: PageSize,
) -> Result<Option<Vec<(Username, i64)>>, Error> {
    let rows: Vec<(Option<String>, Option<i64>)> = query_as(PAGE)
        .bind(owner.as_uuid())
        .bind(before)
        .bind(size.rows_to_read())
        .fetch_all(db)
        .await?;
    // A user without entries is one row of nulls; no user is no row.
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        rows.into_iter()
            .filter_map(|(name, version)| Some((Username::from_store(name?), version?)))
            .collect(),
    ))
}

/// The newest `limit` entries and the size of the whole; nothing when there is no such user.
pub(crate) async fn newest(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Option<BlockedUsers>, Error> {
    let row: Option<(i32, Vec<String>)> =
        query_as(NEWEST).bind(owner.as_uuid()).bind(limit).fetch_optional(db).await?;
    Ok(row.map(|(count, names)| BlockedUsers { newest: usernames(names), count }))
}

/// Of each block list the head, and changes of it after a version, in order; nothing for one that
/// there is no such user for.
pub(crate) async fn changes(
    db: &mut PgConnection,
    asked: impl ExactSizeIterator<Item = Since>,
) -> Result<Vec<Option<Headed<BlockChange>>>, Error> {
    type Row = (i64, i64, i64, Option<String>, Option<bool>, Option<i64>);
    let lists = asked.len();
    let mut since = SinceArrays::default();
    asked.for_each(|list| since.push(list));
    let rows: Vec<Row> = query_as(CHANGES)
        .bind(since.owners)
        .bind(since.versions)
        .bind(since.rows)
        .fetch_all(db)
        .await?;
    let change = |name: Option<String>, deleted: Option<bool>, version| {
        let (username, blocked) = (Username::from_store(name?), !deleted?);
        Some(BlockChange { username, blocked, version: version? })
    };
    Ok(by_list(
        lists,
        rows.into_iter().map(|(position, version, purged_to, name, deleted, change_version)| {
            let head = ListVersion { version, purged_to };
            (position, head, change(name, deleted, change_version))
        }),
    ))
}

/// Whether a user blocks another, and whether the other blocks the user.
pub(crate) async fn between(
    db: &mut PgConnection,
    owner: OwnerKey,
    other: &Username,
) -> Result<(bool, bool), Error> {
    Ok(query_as(BETWEEN).bind(owner.as_uuid()).bind(other.as_str()).fetch_one(db).await?)
}

/// Owners of some tombstones of `before` or earlier, the oldest first.
pub(crate) async fn owners_of_tombstones(
    db: &mut PgConnection,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<Uuid> =
        query_scalar(OWNERS_OF_TOMBSTONES).bind(before).bind(limit).fetch_all(db).await?;
    Ok(keys.into_iter().map(OwnerKey::from_store).collect())
}

/// Removes a locked user's tombstones of `before` or earlier. Returns the highest version among them.
pub(crate) async fn purge(
    db: &mut PgConnection,
    owner: OwnerKey,
    before: OffsetDateTime,
) -> Result<Option<i64>, Error> {
    Ok(query_scalar(PURGE).bind(owner.as_uuid()).bind(before).fetch_one(db).await?)
}

/// An entry that is to be in an owner's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewBlock<'a> {
    pub(crate) owner: (OwnerKey, &'a Username),
    pub(crate) blocked: (OwnerKey, &'a Username),
    pub(crate) version: i64,
    pub(crate) created_at: OffsetDateTime,
}

/// Makes entries in users' lists, on both sides. Returns how many; if that is less than was asked for,
/// since some stand already, the other side is not written, and nothing of it may be committed.
pub(crate) async fn put(
    db: &mut PgConnection,
    entries: &[NewBlock<'_>],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let sides = |side: for<'e> fn(&NewBlock<'e>) -> (OwnerKey, &'e Username)| {
        entries.iter().map(side).map(|(key, name)| (key.as_uuid(), name.as_str())).unzip()
    };
    let (owners, blockers): (Vec<Uuid>, Vec<&str>) = sides(|entry| entry.owner);
    let (blocked, names): (Vec<Uuid>, Vec<&str>) = sides(|entry| entry.blocked);
    let versions: Vec<i64> = entries.iter().map(|entry| entry.version).collect();
    let created: Vec<OffsetDateTime> = entries.iter().map(|entry| entry.created_at).collect();
    let done = query(PUT)
        .bind(owners)
        .bind(names)
        .bind(versions)
        .bind(created)
        .bind(now)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == entries.len() as u64 {
        query(PUT_BLOCKED_BY).bind(blocked).bind(blockers).execute(db).await?;
    }
    Ok(done.rows_affected())
}

/// Takes entries out of a locked user's list, on both sides.
pub(crate) async fn bury(
    db: &mut PgConnection,
    owner: (OwnerKey, &Username),
    unblocked: &[(OwnerKey, &Username, i64)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let names: Vec<&str> = unblocked.iter().map(|(_, name, _)| name.as_str()).collect();
    let versions: Vec<i64> = unblocked.iter().map(|(_, _, version)| *version).collect();
    let keys: Vec<OwnerKey> = unblocked.iter().map(|(key, ..)| *key).collect();
    query(BURY)
        .bind(owner.0.as_uuid())
        .bind(names)
        .bind(versions)
        .bind(now)
        .execute(&mut *db)
        .await?;
    query(REMOVE_BLOCKED_BY).bind(uuids(&keys)).bind(owner.1.as_str()).execute(db).await?;
    Ok(())
}

fn usernames(names: Vec<String>) -> Vec<Username> {
    names.into_iter().map(Username::from_store).collect()
}
