//! Friend requests that nobody answered in time, and ended ones that were kept long enough.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    domain::{Error, OwnerKey, RequestDirection, RequestState, Username},
    ops::{
        Call, Core,
        requests::{between, close, pending},
    },
    store::{apps, requests, users},
};

/// How many overdue requests are looked for at once.
const BATCH: i64 = 100;

/// How many rows of ended requests one transaction removes.
const PURGE_BATCH: i64 = 1000;

/// How many overdue requests a call ends that needs the place of one: more than one spares those
/// who come after it the same.
const ROOM: i64 = 10;

/// Ends pending requests that nobody answered in time, some at a time, until none are left, and
/// removes ended ones after the time for which tombstones are kept.
///
/// # Errors
/// Those of the database; the next time goes on where this one stopped.
pub async fn expire(core: &Arc<Core>, deadline: Instant) -> Result<(), Error> {
    while expire_some(core, deadline).await? {}
    let before = core.clock.now() - core.tombstone_retention;
    while core.db.retrying(|| purge_some(core, before, deadline)).await? {}
    Ok(())
}

/// One batch; false when there were no more. Without the locks of the users: it may collide with two
/// who are just beginning anew, and is then tried again.
async fn purge_some(core: &Core, before: OffsetDateTime, deadline: Instant) -> Result<bool, Error> {
    let mut tx = core.db.begin(deadline).await?;
    let purged = requests::purge(&mut tx, before, PURGE_BATCH).await?;
    tx.commit().await?;
    Ok(purged > 0)
}

/// One batch; false when there was nothing that could be done.
async fn expire_some(core: &Arc<Core>, deadline: Instant) -> Result<bool, Error> {
    let Some(life) = core.request_life else { return Ok(false) };
    let before = core.clock.now() - life;
    let overdue = core.db.read(async |db| requests::overdue(db, before, BATCH).await).await?;
    let mut expired = false;
    for (app_id, requester, recipient) in overdue {
        let app = core.db.read(async |db| apps::by_id(db, app_id).await).await?;
        // A deleted app's requests go with it.
        let Some(app) = app else { continue };
        let call = Call { core: Arc::clone(core), app: Arc::new(app), deadline };
        core.db.retrying(|| expire_one(&call, &requester, &recipient)).await?;
        expired = true;
    }
    Ok(expired)
}

/// Ends overdue requests of a user whose places are taken. Returns whether there were any.
pub(in crate::ops) async fn make_room(call: &Call, username: &Username) -> Result<bool, Error> {
    let Some(life) = call.core.request_life else { return Ok(false) };
    let before = call.core.clock.now() - life;
    let db = &call.core.db;
    let key = call.key(username);
    let overdue = db.read(async |db| requests::overdue_of(db, key, before, ROOM).await).await?;
    for (other, direction) in &overdue {
        let (requester, recipient) = match direction {
            RequestDirection::Incoming => (other, username),
            RequestDirection::Outgoing => (username, other),
        };
        db.retrying(|| expire_one(call, requester, recipient)).await?;
    }
    Ok(!overdue.is_empty())
}

/// Ends one request if it still waits and is overdue.
async fn expire_one(call: &Call, requester: &Username, recipient: &Username) -> Result<(), Error> {
    let between = between(call, requester, recipient);
    let mut tx = call.core.db.begin(call.deadline).await?;
    let mut ascending: [OwnerKey; 2] = between.keys();
    ascending.sort();
    for key in ascending {
        // A deleted user's request that is not cleaned up yet ends like any other.
        users::lock_even_deleted(&mut tx, key).await?;
    }
    let Some(request) = requests::get(&mut tx, between).await? else { return Ok(()) };
    if request.state == RequestState::Pending && pending(call, Some(request)).is_none() {
        close(&mut tx, call, between, RequestState::Expired, "").await?;
        call.commit(tx, between.keys()).await?;
    }
    Ok(())
}
