//! The operations, one file a noun: what a call does, whichever surface it came through.
//!
//! An operation gets domain values that were checked at the edge. It knows no wire format and holds no
//! SQL. Files use others downwards only: operations, then [`batch`] (calls that share a transaction),
//! then [`changes`] (steps inside a transaction), then the store.

pub mod access;
pub mod audits;
mod batch;
pub mod blocks;
pub mod bulk;
mod call;
mod changes;
mod core;
pub mod events;
pub mod friends;
pub mod imports;
pub mod maintenance;
pub mod relations;
pub mod requests;
pub mod sync;
pub mod users;
pub mod watch;

pub use self::{
    batch::Batchers,
    call::{Call, OperatorCall, origin},
    core::{Context, Core},
};
use crate::domain::{Error, Invalid, Username};

/// The value, or [`Error::UserNotFound`].
fn found<T>(value: Option<T>, username: &Username) -> Result<T, Error> {
    value.ok_or_else(|| Error::UserNotFound(username.clone()))
}

/// Refuses a relation of a user to themselves.
fn refuse_self(
    field: impl FnOnce() -> String,
    owner: &Username,
    other: &Username,
) -> Result<(), Error> {
    if owner != other {
        return Ok(());
    }
    Err(Invalid::SelfRelation { field: field(), username: owner.to_string() }.into())
}
