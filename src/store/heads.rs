//! `users` as the heads of many lists at once: locked together, and moved on together.

use sqlx::{FromRow, PgConnection, query, query_as};
use uuid::Uuid;

use super::{
    statements,
    users::{Account, UserRow, uuids},
};
use crate::domain::{Error, OwnerKey};

statements! {
    LOCK = "\
-- heads.lock
select u.owner_key, u.username, u.uuid, u.nickname, u.activated, u.created_at, u.modified_at,
       u.friend_count, u.block_count, u.version, u.incoming_requests, u.outgoing_requests
from unnest($1::uuid[]) as wanted (owner_key)
cross join lateral (
    select owner_key, username, uuid, nickname, activated, created_at, modified_at, friend_count,
           block_count, version, incoming_requests, outgoing_requests
    from users
    where owner_key = wanted.owner_key
      and deleted_at is null
    for no key update
) u";
    ADVANCE = "\
-- heads.advance
update users u
set friend_count = u.friend_count + taken.friends,
    block_count = u.block_count + taken.blocks,
    version = u.version + taken.versions
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[],
            $7::integer[])
    as taken (owner_key, before, versions, friends, friend_limit, blocks, block_limit)
where u.owner_key = taken.owner_key
  and u.version = taken.before
  and (taken.friends = 0 or u.friend_count + taken.friends <= taken.friend_limit)
  and (taken.blocks = 0 or u.block_count + taken.blocks <= taken.block_limit)";
}

#[derive(FromRow)]
struct KeyedRow {
    owner_key: Uuid,
    #[sqlx(flatten)]
    user: UserRow,
}

/// The users of `keys` who exist, the rows locked one by one in the order of the keys, which is to be
/// ascending.
pub(crate) async fn lock(
    db: &mut PgConnection,
    keys: &[OwnerKey],
) -> Result<Vec<(OwnerKey, Account)>, Error> {
    let rows: Vec<KeyedRow> = query_as(LOCK).bind(uuids(keys)).fetch_all(db).await?;
    let keyed = |row: KeyedRow| (OwnerKey::from_store(row.owner_key), Account::from(row.user));
    Ok(rows.into_iter().map(keyed).collect())
}

/// What a transaction takes from the head of a user whom it has locked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) owner: OwnerKey,
    /// The version before.
    pub(crate) before: i64,
    /// How many versions.
    pub(crate) versions: i64,
    /// How many friends more, and how many there may be.
    pub(crate) friends: i32,
    pub(crate) friend_limit: i32,
    /// How many blocked users more, and how many there may be.
    pub(crate) blocks: i32,
    pub(crate) block_limit: i32,
}

/// Moves heads on. Each must be locked, and be as it was when it was counted on.
pub(crate) async fn advance(db: &mut PgConnection, taken: &[Taken]) -> Result<(), Error> {
    let keys: Vec<Uuid> = taken.iter().map(|t| t.owner.as_uuid()).collect();
    let before: Vec<i64> = taken.iter().map(|t| t.before).collect();
    let versions: Vec<i64> = taken.iter().map(|t| t.versions).collect();
    let counts = |count: fn(&Taken) -> i32| -> Vec<i32> { taken.iter().map(count).collect() };
    let done = query(ADVANCE)
        .bind(keys)
        .bind(before)
        .bind(versions)
        .bind(counts(|t| t.friends))
        .bind(counts(|t| t.friend_limit))
        .bind(counts(|t| t.blocks))
        .bind(counts(|t| t.block_limit))
        .execute(db)
        .await?;
    if done.rows_affected() == taken.len() as u64 {
        return Ok(());
    }
    Err(Error::Internal("the head of a locked list is not what it was".to_owned()))
}
