//! What runs in the background for all apps, one kind of work a file.
//!
//! Each kind of work runs in batches, a bounded transaction each, and can stop after any of them: the
//! next run goes on where the last one stopped. Instances may do the same work at once, because each
//! transaction locks what it changes and reads it again.

pub mod audit_retention;
pub mod deleted_apps;
pub mod deleted_users;
pub mod event_retention;
pub mod expired_tokens;
pub mod expiry;
pub mod tombstones;

use crate::background_work::Work;

/// Counts what a kind of work has done: rows removed, requests ended, users removed.
fn did(work: Work, count: u64) {
    metrics::counter!("befriend_upkeep_done_total", "work" => work.name()).increment(count);
}
