//! Recording events: they are written into the outbox in the transaction of their change, so that an event
//! is there if and only if its change is.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{Error, NewEvent},
    ops::core::Core,
    store::outbox::{self, RecordedEvent},
};

/// Records events, each of an app and with the place of its call in a trace, once for each rule that wants it.
pub(super) async fn record(
    tx: &mut PgConnection,
    core: &Core,
    events: Vec<(Uuid, NewEvent<'_>, Option<String>)>,
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let now = core.clock.now();
    let recorded: Vec<RecordedEvent<'_>> = events
        .into_iter()
        .map(|(app_id, event, trace_context)| {
            let message_id = core.message_ids.next(now);
            RecordedEvent { app_id, event, message_id, trace_context }
        })
        .collect();
    outbox::add(tx, &recorded, now).await
}
