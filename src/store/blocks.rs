//! `blocks` and `blocked_by`: each block is stored under both users, so that one user's rows tell whether
//! two users may write to each other. Only rows of `blocks` have versions, leave tombstones and count
//! towards the limit.

use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    all_changed,
    changes::{Headed, Since, SinceArrays, by_list},
    column, index, statements,
    users::usernames,
};
use crate::domain::{
    BlockChange, BlockedUsers, Error, ListVersion, OwnerKey, PageSize, UserRef, Username,
};

statements! {
    FIND = "\
-- blocks.find
select wanted.position
from unnest($1::uuid[], $2::text[]) with ordinality as wanted (owner_key, name, position)
where (
    select not deleted
    from blocks
    where owner_key = wanted.owner_key
      and blocked_name = wanted.name
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
    UPSERT = "\
-- blocks.upsert
insert into blocks as stored (owner_key, blocked_name, version, created_at, updated_at)
select owner_key, blocked_name, version, created_at, $5
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
    as fresh (owner_key, blocked_name, version, created_at)
on conflict (owner_key, blocked_name) do update
set version = excluded.version,
    deleted = false,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
where stored.deleted";
    INSERT_BLOCKED_BY = "\
-- blocks.insert_blocked_by
insert into blocked_by (owner_key, blocker_name)
select owner_key, blocker_name
from unnest($1::uuid[], $2::text[]) as fresh (owner_key, blocker_name)";
    TOMBSTONE = "\
-- blocks.tombstone
update blocks b
set version = removed.version,
    deleted = true,
    updated_at = $4
from unnest($1::uuid[], $2::text[], $3::bigint[]) as removed (owner_key, blocked_name, version)
where b.owner_key = removed.owner_key
  and b.blocked_name = removed.blocked_name
  and not b.deleted";
    DELETE_BLOCKED_BY = "\
-- blocks.delete_blocked_by
delete from blocked_by b
using unnest($1::uuid[], $2::text[]) as removed (owner_key, blocker_name)
where b.owner_key = removed.owner_key
  and b.blocker_name = removed.blocker_name";
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
}

/// Those of the wanted blocks, each an owner and a blocked user, that are live. Postgres looks them up
/// one by one: see `relations`.
pub(crate) async fn find<'a>(
    db: &mut PgConnection,
    wanted: &[[UserRef<'a>; 2]],
) -> Result<Vec<[UserRef<'a>; 2]>, Error> {
    let positions: Vec<i64> = query_scalar(FIND)
        .bind(column(wanted, |[owner, _]| owner.key.as_uuid()))
        .bind(column(wanted, |[_, blocked]| blocked.name.as_str()))
        .fetch_all(db)
        .await?;
    Ok(positions.into_iter().map(|position| wanted[index(position)]).collect())
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

/// A page of blocks, newest first, below the version `before`; `None` when there is no such user.
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
    // A user without blocks is one row of nulls; a user who does not exist is no row.
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        rows.into_iter()
            .filter_map(|(name, version)| Some((Username::from_store(name?), version?)))
            .collect(),
    ))
}

/// The newest `limit` blocks and how many there are in all; `None` when there is no such user.
pub(crate) async fn newest(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Option<BlockedUsers>, Error> {
    let row: Option<(i32, Vec<String>)> =
        query_as(NEWEST).bind(owner.as_uuid()).bind(limit).fetch_optional(db).await?;
    Ok(row.map(|(count, names)| BlockedUsers { newest: usernames(names), count }))
}

/// The head of each of these block lists, and its changes after a version, in the order of their versions.
/// `None` for an owner who does not exist.
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

/// Owners of up to `limit` tombstones of `before` or earlier, the oldest first.
pub(crate) async fn owners_of_tombstones(
    db: &mut PgConnection,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<Uuid> =
        query_scalar(OWNERS_OF_TOMBSTONES).bind(before).bind(limit).fetch_all(db).await?;
    Ok(keys.into_iter().map(OwnerKey::from_store).collect())
}

/// Deletes a locked user's tombstones of `before` or earlier. Returns the highest version among them.
pub(crate) async fn purge(
    db: &mut PgConnection,
    owner: OwnerKey,
    before: OffsetDateTime,
) -> Result<Option<i64>, Error> {
    Ok(query_scalar(PURGE).bind(owner.as_uuid()).bind(before).fetch_one(db).await?)
}

/// A block to insert, or to write over its tombstone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewBlock<'a> {
    pub(crate) owner: UserRef<'a>,
    pub(crate) blocked: UserRef<'a>,
    pub(crate) version: i64,
    pub(crate) created_at: OffsetDateTime,
}

/// A block to turn into a tombstone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemovedBlock<'a> {
    pub(crate) owner: UserRef<'a>,
    pub(crate) blocked: UserRef<'a>,
    pub(crate) version: i64,
}

/// Makes blocks, under both users. None of them may be live already.
pub(crate) async fn upsert(
    db: &mut PgConnection,
    blocks: &[NewBlock<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let done = query(UPSERT)
        .bind(column(blocks, |block| block.owner.key.as_uuid()))
        .bind(column(blocks, |block| block.blocked.name.as_str()))
        .bind(column(blocks, |block| block.version))
        .bind(column(blocks, |block| block.created_at))
        .bind(now)
        .execute(&mut *db)
        .await?;
    all_changed(done.rows_affected(), blocks.len())?;
    let done = query(INSERT_BLOCKED_BY)
        .bind(column(blocks, |block| block.blocked.key.as_uuid()))
        .bind(column(blocks, |block| block.owner.name.as_str()))
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), blocks.len())
}

/// Ends live blocks, under both users.
pub(crate) async fn tombstone(
    db: &mut PgConnection,
    removed: &[RemovedBlock<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let done = query(TOMBSTONE)
        .bind(column(removed, |block| block.owner.key.as_uuid()))
        .bind(column(removed, |block| block.blocked.name.as_str()))
        .bind(column(removed, |block| block.version))
        .bind(now)
        .execute(&mut *db)
        .await?;
    all_changed(done.rows_affected(), removed.len())?;
    let done = query(DELETE_BLOCKED_BY)
        .bind(column(removed, |block| block.blocked.key.as_uuid()))
        .bind(column(removed, |block| block.owner.name.as_str()))
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), removed.len())
}
