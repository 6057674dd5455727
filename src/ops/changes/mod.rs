//! Steps inside a transaction, below the operations: an operation opens the transaction and commits it.

pub(super) mod record_events;
