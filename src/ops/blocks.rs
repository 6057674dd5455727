//! Block lists: block, unblock, read.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::{Call, events, found, locks::Locked, requests};
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
    let owner_key = call.key(owner);
    let limit = call.app.limits.block_limit;
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            // The blocked ones are locked too: nobody can be deleted meanwhile, and what they asked of
            // the owner is cancelled on both sides.
            let keys = wanted.iter().map(|name| call.key(name)).chain([owner_key]);
            let locked = Locked::all(&mut tx, keys).await?;
            let head = found(locked.get(owner_key), owner)?.head;
            for name in &wanted {
                found(locked.get(call.key(name)), name)?;
            }
            let blocked: HashSet<Username> =
                blocks::are_blocked(&mut tx, owner_key, &wanted).await?.into_iter().collect();
            let fresh: Vec<&Username> =
                wanted.iter().copied().filter(|name| !blocked.contains(*name)).collect();
            let Ok(count @ 1..) = i32::try_from(fresh.len()) else {
                return Ok(());
            };
            let last = users::gain_blocks(&mut tx, owner_key, count, limit)
                .await?
                .ok_or_else(|| Error::BlockLimitExceeded { username: owner.clone(), limit })?;
            let entries = numbered(call, last - i64::from(count), &fresh);
            blocks::put(&mut tx, (owner_key, owner), &entries, call.core.clock.now()).await?;
            record(&mut tx, call, EventType::BlockAdded, (owner_key, owner), &entries).await?;
            if head.incoming_requests > 0 {
                requests::cancel_from(&mut tx, call, owner, &fresh).await?;
            }
            call.commit(tx, wanted.iter().map(|name| call.key(name)).chain([owner_key])).await
        })
        .await?;
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
            let blocked = blocks::are_blocked(&mut tx, owner_key, &wanted).await?;
            if !blocked.is_empty() {
                release(&mut tx, call, owner, &blocked.iter().collect::<Vec<_>>()).await?;
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
    record(tx, call, EventType::BlockRemoved, (owner_key, owner), &entries).await
}

/// Tells of changes in an owner's block list.
async fn record(
    tx: &mut PgConnection,
    call: &Call,
    event_type: EventType,
    owner: (OwnerKey, &Username),
    entries: &[(OwnerKey, &Username, i64)],
) -> Result<(), Error> {
    let told = entries.iter().map(|(_, friend, version)| NewEvent {
        event_type,
        owner,
        version: *version,
        friend,
        detail: "",
    });
    events::record(tx, call, told.collect()).await
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
    let rows = call.core.db.retrying(|| async {
        let mut db = call.core.db.read().await?;
        let rows = blocks::page(&mut db, call.key(owner), before, size).await;
        db.done(rows)
    });
    let rows = found(rows.await?, owner)?;
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
    let blocked = call.core.db.retrying(|| async {
        let mut db = call.core.db.read().await?;
        let blocked = blocks::newest(&mut db, call.key(owner), limit).await;
        db.done(blocked)
    });
    found(blocked.await?, owner)
}
