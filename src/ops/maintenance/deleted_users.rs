//! Deleted users are removed from all lists, batch by batch. Until then no call finds them, but their
//! entries in lists of others are still there.

use std::sync::Arc;

use tokio::time::Instant;

use super::did;
use crate::{
    background_work::Work,
    domain::{Error, RequestDirection, UserRef, Username},
    ops::{
        changes::{
            block,
            friendship::{self, ClearRemarks},
            heads::Heads,
            list_changes::{Events, ListChanges},
            request,
        },
        core::{Context, Core},
    },
    store::{apps, blocks, friends, requests, requests::Between, user_deletion},
    trace::Trace,
};

/// How many entries of others one transaction removes: each takes a lock for which other calls may wait.
const BATCH: i64 = 100;

/// How many former friends one transaction makes forget their remarks: it takes no locks, and mostly
/// finds nothing to do.
const REMARKS_BATCH: i64 = 1000;

/// Continues to remove some deleted users from lists. Returns how many users it found.
///
/// # Errors
/// Those of the database; the next call continues where this one stopped.
pub async fn finish(core: &Arc<Core>, deadline: Instant) -> Result<usize, Error> {
    let leaving = core.db.read(async |db| user_deletion::leaving(db, BATCH).await).await?;
    for (app_id, username) in &leaving {
        let app = core.db.read(async |db| apps::by_id(db, *app_id).await).await?;
        // A deleted app's users are deleted with it.
        let Some(app) = app else { continue };
        let context =
            Context { core: Arc::clone(core), app: Arc::new(app), deadline, trace: Trace::NONE };
        // A user who can't be removed now must not hold up the others.
        match leave(&context, username).await {
            Ok(()) => did(Work::DeletedUsers, 1),
            Err(error) => {
                tracing::warn!(%error, "a deleted user can't be removed from lists now");
            }
        }
    }
    Ok(leaving.len())
}

/// Removes a deleted user from all lists, then clears the remarks that former friends keep on the user,
/// and then frees the name.
pub(in crate::ops) async fn leave(context: &Context, username: &Username) -> Result<(), Error> {
    let db = &context.core.db;
    while db.retrying(|| leave_lists(context, username)).await? {}
    while db.retrying(|| clear_remarks_on(context, username)).await? {}
    db.retrying(|| free_name(context, username)).await
}

/// The users whose entries one batch removes: they have the deleted user in their lists, or are in the
/// lists of the deleted user.
struct Remains {
    friends: Vec<Username>,
    blockers: Vec<Username>,
    blocked: Vec<Username>,
    requests: Vec<(Username, RequestDirection)>,
}

impl Remains {
    async fn read(tx: &mut sqlx::PgConnection, user: UserRef<'_>) -> Result<Self, Error> {
        Ok(Self {
            friends: friends::names(tx, user.key, BATCH).await?,
            blockers: blocks::blockers(tx, user.key, BATCH).await?,
            blocked: blocks::names(tx, user.key, BATCH).await?,
            requests: requests::others(tx, user.key, BATCH).await?,
        })
    }

    /// The other users whose lists change. A block is an entry in the blocker's list only, so the users
    /// whom the deleted user blocks are not among them.
    fn others(&self) -> impl Iterator<Item = &Username> {
        let requests = self.requests.iter().map(|(name, _)| name);
        self.friends.iter().chain(&self.blockers).chain(requests)
    }

    fn is_empty(&self) -> bool {
        self.others().next().is_none() && self.blocked.is_empty()
    }
}

/// Removes one batch of a deleted user's entries, on both sides. False when there were none.
async fn leave_lists(context: &Context, username: &Username) -> Result<bool, Error> {
    let core = &context.core;
    let user = context.user(username);
    let mut tx = core.db.begin(context.deadline).await?;
    // Whom to lock is known only from the lists. Nothing is added to a deleted user's lists any more, so
    // what is read before the lock can only have been removed since, by another instance.
    let remains = Remains::read(&mut tx, user).await?;
    if remains.is_empty() {
        return Ok(false);
    }
    let keys = remains.others().map(|name| context.key(name)).chain([user.key]);
    // The others may be deleted too.
    let heads = Heads::lock_with_deleted(&mut tx, keys).await?;
    if !heads.is_leaving(user.key) {
        return Ok(false);
    }
    let mut changes = ListChanges::new(core, heads);
    remove(&mut changes, &mut tx, context, user, &remains).await?;
    changes.commit(tx, core).await?;
    Ok(true)
}

async fn remove<'a>(
    changes: &mut ListChanges<'a>,
    tx: &mut sqlx::PgConnection,
    context: &Context,
    user: UserRef<'a>,
    remains: &'a Remains,
) -> Result<(), Error> {
    let app_id = context.app.id;
    let pairs: Vec<_> = remains.friends.iter().map(|name| [user, context.user(name)]).collect();
    friendship::read_entries(changes, tx, &pairs).await?;
    for [user, friend] in pairs {
        if friendship::are_friends(changes, user, friend) {
            let clear = ClearRemarks { of_owner: true, of_friend: true };
            friendship::end(changes, app_id, user, friend, clear);
        }
    }
    let blockers = remains.blockers.iter().map(|name| [context.user(name), user]);
    let blocked = remains.blocked.iter().map(|name| [user, context.user(name)]);
    let pairs: Vec<_> = blockers.chain(blocked).collect();
    block::read_blocks(changes, tx, &pairs).await?;
    for [owner, blocked] in pairs {
        if block::is_blocked(changes, owner, blocked) {
            block::end(changes, app_id, owner, blocked);
        }
    }
    let between = |(other, direction): &'a (Username, RequestDirection)| match direction {
        RequestDirection::Incoming => request::between(context, other, user.name),
        RequestDirection::Outgoing => request::between(context, user.name, other),
    };
    let requests: Vec<Between<'a>> = remains.requests.iter().map(between).collect();
    request::read(changes, tx, &requests).await?;
    for (between, (_, direction)) in requests.iter().zip(&remains.requests) {
        request::cancel(changes, app_id, *between, *direction, Events::Record);
    }
    request::delete(changes, requests);
    Ok(())
}

/// Clears the remarks that a batch of former friends keep on a deleted user, because the name may belong
/// to another person later. False when there are no more.
async fn clear_remarks_on(context: &Context, username: &Username) -> Result<bool, Error> {
    let mut tx = context.core.db.begin(context.deadline).await?;
    if !lock_leaving(&mut tx, context, username).await? {
        return Ok(false);
    }
    let owners =
        friends::owners_keeping_remark(&mut tx, context.app.id, username, REMARKS_BATCH).await?;
    // The owners are not locked. No caller sees these remarks, and each transaction that touches them
    // does so under one owner or, like this one, on one friend only, so that no two can deadlock.
    friends::clear_kept_remark(&mut tx, &owners, username).await?;
    tx.commit().await?;
    Ok(!owners.is_empty())
}

/// Clears the remarks that the deleted user's own tombstones keep, and frees the name.
async fn free_name(context: &Context, username: &Username) -> Result<(), Error> {
    let key = context.key(username);
    let mut tx = context.core.db.begin(context.deadline).await?;
    if !lock_leaving(&mut tx, context, username).await? {
        return Ok(());
    }
    friends::clear_kept_remarks(&mut tx, key).await?;
    user_deletion::has_left(&mut tx, key).await?;
    tx.commit().await
}

/// Locks a user; false when the user is not deleted, or is in no list any more.
async fn lock_leaving(
    tx: &mut sqlx::PgConnection,
    context: &Context,
    username: &Username,
) -> Result<bool, Error> {
    let key = context.key(username);
    Ok(Heads::lock_with_deleted(tx, [key]).await?.is_leaving(key))
}
