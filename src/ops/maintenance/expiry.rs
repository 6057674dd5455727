//! Friend requests that were not answered in time, and ended requests that were kept long enough.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::did;
use crate::{
    background_work::Work,
    domain::{Error, RequestDirection, RequestState, Username},
    ops::{
        changes::{
            heads::Heads,
            list_changes::ListChanges,
            request::{self, Waiting},
        },
        core::{Context, Core},
    },
    store::{apps, request_expiry},
    trace::Trace,
};

/// How many overdue requests are looked up at once.
const BATCH: i64 = 100;

/// How many rows of ended requests one transaction removes.
const PURGE_BATCH: i64 = 1000;

/// How many overdue requests a call expires that needs the place of one: several, so that the next
/// calls find places too.
const EXPIRED_BY_A_CALL: i64 = 10;

/// Expires overdue requests in batches until none are left, and removes ended ones after the time for
/// which tombstones are kept.
///
/// # Errors
/// Those of the database; the next time goes on where this one stopped.
pub async fn expire(core: &Arc<Core>, deadline: Instant) -> Result<(), Error> {
    while expire_batch(core, deadline).await? {}
    let before = core.clock.now() - core.tombstone_retention;
    while core.db.retrying(|| purge_batch(core, before, deadline)).await? {}
    Ok(())
}

/// Removes one batch; false when no more are left. The users are not locked: the transaction may
/// collide with a new request between two of them, and then runs again.
async fn purge_batch(
    core: &Core,
    before: OffsetDateTime,
    deadline: Instant,
) -> Result<bool, Error> {
    let mut tx = core.db.begin(deadline).await?;
    let purged = request_expiry::purge(&mut tx, before, PURGE_BATCH).await?;
    tx.commit().await?;
    did(Work::OverdueRequests, purged);
    Ok(purged > 0)
}

/// Expires one batch; false when nothing could be expired.
async fn expire_batch(core: &Arc<Core>, deadline: Instant) -> Result<bool, Error> {
    let Some(before) = request::overdue_before(core) else { return Ok(false) };
    let overdue = core.db.read(async |db| request_expiry::overdue(db, before, BATCH).await).await?;
    let mut expired = false;
    for (app_id, requester, recipient) in overdue {
        let app = core.db.read(async |db| apps::by_id(db, app_id).await).await?;
        // A deleted app's requests are deleted with it.
        let Some(app) = app else { continue };
        let context =
            Context { core: Arc::clone(core), app: Arc::new(app), deadline, trace: Trace::NONE };
        core.db.retrying(|| expire_one(&context, &requester, &recipient)).await?;
        did(Work::OverdueRequests, 1);
        expired = true;
    }
    Ok(expired)
}

/// Expires overdue requests of a user, so that there is a place for a new one. Returns whether there
/// were any.
pub(in crate::ops) async fn make_room(
    context: &Context,
    username: &Username,
) -> Result<bool, Error> {
    let core = &context.core;
    let Some(before) = request::overdue_before(core) else { return Ok(false) };
    let key = context.key(username);
    let overdue = core
        .db
        .read(async |db| request_expiry::overdue_of(db, key, before, EXPIRED_BY_A_CALL).await);
    let overdue = overdue.await?;
    for (other, direction) in &overdue {
        let (requester, recipient) = match direction {
            RequestDirection::Incoming => (other, username),
            RequestDirection::Outgoing => (username, other),
        };
        core.db.retrying(|| expire_one(context, requester, recipient)).await?;
    }
    Ok(!overdue.is_empty())
}

/// Expires one request if it is still pending and overdue.
async fn expire_one(
    context: &Context,
    requester: &Username,
    recipient: &Username,
) -> Result<(), Error> {
    let core = &context.core;
    let between = request::between(context, requester, recipient);
    let mut tx = core.db.begin(context.deadline).await?;
    // The request of a deleted user that is not removed yet expires like any other.
    let heads = Heads::lock_with_deleted(&mut tx, between.keys()).await?;
    let mut changes = ListChanges::new(core, heads);
    request::read(&mut changes, &mut tx, &[between]).await?;
    if request::waiting(&changes, between) == Waiting::Overdue {
        request::close(&mut changes, between, RequestState::Expired, "");
        changes.commit(tx, core).await?;
    }
    Ok(())
}
