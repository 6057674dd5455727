//! Signals inside one process, from the writers of the outbox and of callback rules to the dispatcher.
//!
//! They only save time: the dispatcher polls as well, so a signal may get lost.

use tokio::sync::Notify;

/// What the dispatcher of this process is woken by.
#[derive(Debug, Default)]
pub struct OutboxSignals {
    /// Notified after a commit that may have added events.
    pub events_added: Notify,
    /// Notified after callback rules were made, changed or deleted.
    pub rules_changed: Notify,
}
