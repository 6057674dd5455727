//! Block lists: block, unblock, read.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::{Call, blockings::Blocking, changes::record_events, found};
use crate::{
    domain::{
        BlockedUsers, Error, EventType, Invalid, NewEvent, OwnerKey, Page, PageSize, User, Username,
    },
    store::{blocks, users},
};

/// Puts users into the owner's block list, all or none; who is in it already stays as they are.
/// Returns the users asked for, each once.
///
/// # Errors
/// `UserNotFound` for the owner or any of them, `BlockLimitExceeded`, `SelfRelation`.
pub async fn block(
    call: &Call,
    owner: &Username,
    usernames: &[Username],
) -> Result<Vec<Username>, Error> {
    if let Some(at) = usernames.iter().position(|name| name == owner) {
        return Err(Error::Invalid(Invalid::SelfRelation {
            field: format!("usernames[{at}]"),
            username: owner.clone(),
        }));
    }
    let mut seen = HashSet::new();
    let wanted: Vec<&Username> = usernames.iter().filter(|name| seen.insert(*name)).collect();
    let keyed = |name: &Username| (call.key(name), name.clone());
    let blocked = wanted.iter().copied().map(keyed).collect();
    let blocking = Blocking { call: call.clone(), owner: keyed(owner), blocked };
    call.core.turns.blockings.join(blocking).await?;
    Ok(wanted.into_iter().cloned().collect())
}

/// Takes a user out of the owner's block list; who is not in it stays so. Returns the user's profile.
///
/// # Errors
/// `UserNotFound`.
pub async fn unblock(call: &Call, owner: &Username, username: &Username) -> Result<User, Error> {
    let released = unblock_all(call, owner, std::slice::from_ref(username)).await?;
    let profile = released.into_iter().next();
    profile.ok_or_else(|| Error::Internal("nobody was told to be unblocked".to_owned()))
}

/// Takes users out of the owner's block list, all or none; who is not in it stays so. Returns the
/// profile of each of them, once, in the order given.
///
/// # Errors
/// `UserNotFound` for the owner or any of them.
pub async fn unblock_all(
    call: &Call,
    owner: &Username,
    usernames: &[Username],
) -> Result<Vec<User>, Error> {
    let mut seen = HashSet::new();
    let wanted: Vec<&Username> = usernames.iter().filter(|name| seen.insert(*name)).collect();
    let owner_key = call.key(owner);
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            found(users::lock(&mut tx, owner_key).await?, owner)?;
            let mut profiles = Vec::with_capacity(wanted.len());
            for name in &wanted {
                profiles.push(found(users::get(&mut tx, call.key(name)).await?, name)?.user);
            }
            let places: Vec<_> = wanted.iter().map(|name| (owner_key, *name)).collect();
            let standing = blocks::standing(&mut tx, &places).await?;
            if !standing.is_empty() {
                let in_order = places.iter().filter(|place| standing.contains(place));
                let blocked: Vec<&Username> = in_order.map(|(_, name)| *name).collect();
                release(&mut tx, call, owner, &blocked).await?;
                call.commit(tx, [owner_key]).await?;
            }
            Ok(profiles)
        })
        .await
}

/// Takes `blocked`, all of whom are in it, out of a locked user's block list.
pub(super) async fn release(
    tx: &mut PgConnection,
    call: &Call,
    owner: &Username,
    blocked: &[&Username],
) -> Result<(), Error> {
    let Ok(count @ 1..) = i32::try_from(blocked.len()) else {
        return Ok(());
    };
    let owner_key = call.key(owner);
    let last = users::lose_blocks(tx, owner_key, count).await?;
    let entries = numbered(call, last - i64::from(count), blocked);
    let now = call.core.clock.now();
    blocks::bury(tx, (owner_key, owner), &entries, now).await?;
    let told = entries.iter().map(|(_, friend, version)| NewEvent {
        event_type: EventType::BlockRemoved,
        owner: (owner_key, owner),
        version: *version,
        friend,
        detail: "",
    });
    record_events::record(tx, call, told.collect()).await
}

/// Each user with their key and the owner's version of the change, counting up from `before`.
fn numbered<'a>(
    call: &Call,
    before: i64,
    usernames: &[&'a Username],
) -> Vec<(OwnerKey, &'a Username, i64)> {
    (before + 1..)
        .zip(usernames)
        .map(|(version, username)| (call.key(username), *username, version))
        .collect()
}

/// A page of a block list, newest first, older than the entry of version `before`.
///
/// # Errors
/// `UserNotFound`.
pub async fn list(
    call: &Call,
    owner: &Username,
    before: i64,
    size: PageSize,
) -> Result<Page<Username, i64>, Error> {
    let (db, key) = (&call.core.db, call.key(owner));
    let rows = db.read(async |db| blocks::page(db, key, before, size).await).await?;
    let rows = found(rows, owner)?;
    Ok(Page::cut(rows, size, |(_, version)| *version).map(|(username, _)| username))
}

/// The newest entries of a block list, as many as the bound allows, and how many there are in all.
///
/// # Errors
/// `UserNotFound`.
pub async fn list_all(call: &Call, owner: &Username) -> Result<BlockedUsers, Error> {
    newest(call, owner, call.core.bounds.newest_blocks).await
}

/// A whole block list, the newest first; the block limit bounds it.
///
/// # Errors
/// `UserNotFound`.
pub async fn list_whole(call: &Call, owner: &Username) -> Result<Vec<Username>, Error> {
    Ok(newest(call, owner, i64::MAX).await?.newest)
}

async fn newest(call: &Call, owner: &Username, limit: i64) -> Result<BlockedUsers, Error> {
    let (db, key) = (&call.core.db, call.key(owner));
    found(db.read(async |db| blocks::newest(db, key, limit).await).await?, owner)
}
