//! The steps of a transaction that changes lists, shared by single calls, batches, imports and the
//! deletion of users.
//!
//! A transaction locks the heads of all users whose lists it may change ([`heads`]), reads the rows
//! that its decision needs, decides in memory what to write ([`friendship`], [`block`], [`request`]),
//! and writes all changes of one kind by one statement ([`ListChanges`]). Nothing here opens a
//! transaction, and nothing here calls an operation or a batch.

pub(super) mod block;
pub(super) mod friendship;
pub(super) mod heads;
pub(super) mod list_changes;
pub(super) mod record_events;
pub(super) mod request;

#[cfg(doc)]
use self::list_changes::ListChanges;
