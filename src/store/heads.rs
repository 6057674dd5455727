//! The list heads in `users`: counts and version. One statement locks the rows of many users, and one
//! updates them.

use std::collections::BTreeSet;

use sqlx::{FromRow, PgConnection, query, query_as};
use uuid::Uuid;

use super::{
    all_changed, statements,
    users::{Account, UserRow, uuids},
};
use crate::domain::{Error, OwnerKey};

statements! {
    LOCK = "\
-- heads.lock
select u.owner_key, u.username, u.uuid, u.nickname, u.activated, u.created_at, u.modified_at,
       u.friend_count, u.block_count, u.version, u.incoming_requests, u.outgoing_requests,
       u.state
from unnest($1::uuid[]) as wanted (owner_key)
cross join lateral (
    select owner_key, username, uuid, nickname, activated, created_at, modified_at, friend_count,
           block_count, version, incoming_requests, outgoing_requests,
           case when deleted_at is null then 0 when leaving then 1 else 2 end as state
    from users
    where owner_key = wanted.owner_key
      and (deleted_at is null or $2)
    for no key update
) u";
    APPLY = "\
-- heads.apply
update users u
set friend_count = u.friend_count + change.friends,
    block_count = u.block_count + change.blocks,
    incoming_requests = u.incoming_requests + change.incoming_requests,
    outgoing_requests = u.outgoing_requests + change.outgoing_requests,
    version = u.version + change.versions
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[],
            $7::integer[])
    as change (owner_key, version_before, versions, friends, blocks, incoming_requests,
               outgoing_requests)
where u.owner_key = change.owner_key
  and u.version = change.version_before";
}

/// A locked row of `users`.
pub(crate) struct LockedHead {
    pub(crate) account: Account,
    /// True for a deleted user, whose row stays.
    pub(crate) deleted: bool,
    /// True for a deleted user whose name still stands in lists of others.
    pub(crate) leaving: bool,
}

#[derive(FromRow)]
struct LockedRow {
    owner_key: Uuid,
    #[sqlx(flatten)]
    user: UserRow,
    /// 0 for a user who exists, 1 for a deleted one who still stands in lists, 2 for a deleted one.
    state: i32,
}

/// Locks the rows of these users one by one in key order. Two transactions that lock in this order
/// can't deadlock. Users who do not exist are left out, and so are deleted ones unless
/// `with_deleted`.
pub(crate) async fn lock(
    db: &mut PgConnection,
    keys: &BTreeSet<OwnerKey>,
    with_deleted: bool,
) -> Result<Vec<(OwnerKey, LockedHead)>, Error> {
    let keys: Vec<Uuid> = keys.iter().map(|key| key.as_uuid()).collect();
    let rows: Vec<LockedRow> = query_as(LOCK).bind(keys).bind(with_deleted).fetch_all(db).await?;
    let keyed = |row: LockedRow| {
        let (deleted, leaving) = (row.state > 0, row.state == 1);
        let head = LockedHead { account: Account::from(row.user), deleted, leaving };
        (OwnerKey::from_store(row.owner_key), head)
    };
    Ok(rows.into_iter().map(keyed).collect())
}

/// What is added to the head of a locked user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadUpdate {
    pub(crate) owner: OwnerKey,
    /// The version that was read under the lock.
    pub(crate) version_before: i64,
    pub(crate) versions: i64,
    pub(crate) friends: i32,
    pub(crate) blocks: i32,
    pub(crate) incoming_requests: i32,
    pub(crate) outgoing_requests: i32,
}

/// Applies updates to locked heads. Every count changes together with the version, so the guard on
/// the version also guards the counts on which the update was decided.
pub(crate) async fn apply(db: &mut PgConnection, updates: &[HeadUpdate]) -> Result<(), Error> {
    let owners: Vec<OwnerKey> = updates.iter().map(|update| update.owner).collect();
    let long = |value: fn(&HeadUpdate) -> i64| -> Vec<i64> { updates.iter().map(value).collect() };
    let count = |value: fn(&HeadUpdate) -> i32| -> Vec<i32> { updates.iter().map(value).collect() };
    let done = query(APPLY)
        .bind(uuids(&owners))
        .bind(long(|update| update.version_before))
        .bind(long(|update| update.versions))
        .bind(count(|update| update.friends))
        .bind(count(|update| update.blocks))
        .bind(count(|update| update.incoming_requests))
        .bind(count(|update| update.outgoing_requests))
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), updates.len())
}
