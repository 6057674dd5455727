//! Block lists: block, unblock, read.

use std::collections::HashSet;

use serde_json::json;

use super::{
    audits,
    batch::block_users::BlockUsers,
    call::Call,
    changes::{block, heads::Heads, list_changes::ListChanges},
    found, refuse_self,
};
use crate::{
    domain::{Audited, BlockedUsers, Error, Page, PageSize, User, UserRef, Username, facts},
    store::{blocks, users},
};

/// Puts users into the owner's block list, all or none; those who are in it already stay as they are.
/// Returns the users asked for, each once.
///
/// # Errors
/// `UserNotFound` for the owner or any of them, `BlockLimitExceeded`, `SelfRelation`.
pub async fn block(
    call: &Call,
    owner: &Username,
    usernames: &[Username],
) -> Result<Vec<Username>, Error> {
    for (at, name) in usernames.iter().enumerate() {
        refuse_self(|| format!("usernames[{at}]"), owner, name)?;
    }
    let users = each_once(usernames);
    let (context, owner) = (call.context.clone(), owner.clone());
    let item = BlockUsers { context, owner, users: users.clone(), author: call.author.clone() };
    call.batchers.block_users.submit(item).await?;
    Ok(users)
}

fn each_once(usernames: &[Username]) -> Vec<Username> {
    let mut seen = HashSet::new();
    usernames.iter().filter(|name| seen.insert(*name)).cloned().collect()
}

/// Takes a user out of the owner's block list; one who is not in it stays out. Returns the user's
/// profile.
///
/// # Errors
/// `UserNotFound`.
pub async fn unblock(call: &Call, owner: &Username, username: &Username) -> Result<User, Error> {
    let profiles = unblock_all(call, owner, std::slice::from_ref(username)).await?;
    let profile = profiles.into_iter().next();
    profile.ok_or_else(|| Error::Internal("an unblocked user has no profile".to_owned()))
}

/// Takes users out of the owner's block list, all or none; those who are not in it stay out. Returns the
/// profile of each of them, once, in the order given.
///
/// # Errors
/// `UserNotFound` for the owner or any of them.
pub async fn unblock_all(
    call: &Call,
    owner: &Username,
    usernames: &[Username],
) -> Result<Vec<User>, Error> {
    let core = &call.core;
    let names = each_once(usernames);
    let owner = call.user(owner);
    let unblocked = core.db.retrying(|| async {
        let pairs: Vec<[UserRef<'_>; 2]> =
            names.iter().map(|name| [owner, call.user(name)]).collect();
        let mut tx = core.db.begin(call.deadline).await?;
        // Only the owner's head changes. The others' profiles are read without a lock.
        let heads = Heads::lock(&mut tx, [owner.key]).await?;
        heads.user(owner)?;
        let mut profiles = Vec::with_capacity(pairs.len());
        for [_, user] in &pairs {
            profiles.push(found(users::get(&mut tx, user.key, None).await?, user.name)?.user);
        }
        let mut changes = ListChanges::new(core, heads);
        block::read_blocks(&mut changes, &mut tx, &pairs).await?;
        for [owner, user] in pairs {
            if block::is_blocked(&changes, owner, user) {
                block::end(&mut changes, call.app.id, owner, user);
            }
        }
        let change = || unblocking(call, owner.name, &names);
        let author = call.author.as_deref();
        let recorded = audits::record_unless_app(core, &mut tx, author, change).await?;
        if !changes.is_empty() || recorded.is_some() {
            changes.commit(tx, core).await?;
            audits::log(recorded);
        }
        Ok(profiles)
    });
    unblocked.await
}

fn unblocking(call: &Call, owner: &Username, names: &[Username]) -> Audited {
    let names: Vec<&str> = names.iter().map(Username::as_str).collect();
    let change = Audited::new("BlockService/UnblockUser").in_app(&call.app).of(owner);
    change.before(facts(json!({ "usernames": names })))
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
    let key = call.key(owner);
    let rows = call.core.db.read(async |db| blocks::page(db, key, before, size).await).await?;
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
    let key = call.key(owner);
    let blocked = call.core.db.read(async |db| blocks::newest(db, key, limit).await).await?;
    found(blocked, owner)
}
