//! Recording events: they are written into the outbox in the transaction of their change, so that an event
//! is there if and only if its change is.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{Error, NewEvent},
    ops::core::Core,
    store::outbox,
};

/// Records events, each of an app, once for each rule that wants it.
pub(super) async fn record(
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
