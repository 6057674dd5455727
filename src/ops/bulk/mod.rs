//! Moving an app's users, friends and blocks in and out, whole.
//!
//! Records are staged first ([`Staging`]). Then they are imported in batches, each a short transaction
//! under the same rules as any other change. Every step may be repeated. No events are recorded.

mod batches;
mod blocks;
mod export;
mod friends;
mod staging;
mod users;

pub use self::{
    batches::{Existing, ImportEvent, ImportListener, Tally},
    blocks::block,
    export::Export,
    friends::befriend,
    staging::Staging,
    users::create,
};
