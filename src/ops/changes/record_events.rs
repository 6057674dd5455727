//! Recording events: they are written into the outbox in the transaction of their change, so that an event
//! is there if and only if its change is.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{Error, NewEvent},
    ops::{Call, Core},
    store::outbox,
};

/// Records events of the call's app, once for each rule that wants them.
pub(in crate::ops) async fn record(
    tx: &mut PgConnection,
    call: &Call,
    events: Vec<NewEvent<'_>>,
) -> Result<(), Error> {
    let events = events.into_iter().map(|event| (call.app.id, event)).collect();
    record_all(tx, &call.core, events).await
}

/// Records events of several apps, each with its app's id.
pub(in crate::ops) async fn record_all(
    tx: &mut PgConnection,
    core: &Core,
    events: Vec<(Uuid, NewEvent<'_>)>,
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let now = core.clock.now();
    let with_ids: Vec<(Uuid, NewEvent<'_>, i64)> = events
        .into_iter()
        .map(|(app_id, event)| (app_id, event, core.message_ids.next(now)))
        .collect();
    outbox::add(tx, &with_ids, now).await
}
