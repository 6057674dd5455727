//! An event as a row of the outbox or of the history.

use sqlx::{FromRow, Row as _, postgres::PgRow};

use crate::domain::{Event, EventId, EventState, EventType, OwnerKey, Username};

/// An event, the log of the attempts to deliver it, one JSON object a line, and how many of them were made
/// before it was retried last.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    pub(crate) event: Event,
    pub(crate) attempt_log: String,
    pub(crate) earlier_attempts: i32,
    /// The place of the call that has caused it in a trace, while it is pending.
    pub(crate) trace_context: Option<String>,
}

impl StoredEvent {
    /// How many attempts there were since the event was recorded or retried last.
    pub(crate) fn scheduled_attempts(&self) -> i32 {
        self.event.attempts - self.earlier_attempts
    }
}

/// Reads the columns of either table. `at` is the time that belongs to the `state`.
impl FromRow<'_, PgRow> for StoredEvent {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let event_type: &str = row.try_get("type")?;
        let event = Event {
            id: EventId {
                owner: OwnerKey::from_store(row.try_get("owner_key")?),
                version: row.try_get("seq")?,
                rule_id: row.try_get("rule_id")?,
            },
            message_id: row.try_get("message_id")?,
            event_type: EventType::from_store(event_type),
            owner: Username::from_store(row.try_get("owner_name")?),
            friend: Username::from_store(row.try_get("friend_name")?),
            detail: row.try_get("detail")?,
            created_at: row.try_get("created_at")?,
            attempts: row.try_get("attempts")?,
            state: EventState::from_store(row.try_get("state")?, row.try_get("at")?),
        };
        Ok(Self {
            event,
            attempt_log: row.try_get("attempt_log")?,
            earlier_attempts: row.try_get("earlier_attempts")?,
            trace_context: row.try_get("trace_context")?,
        })
    }
}
