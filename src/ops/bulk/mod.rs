//! Moving an app's users, friends and blocks in and out, whole.
//!
//! What comes in is staged first ([`Staging`]). Then it goes in by batches, each a short transaction
//! under the same rules as any other change. Every step may be repeated. No event is recorded for it.

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
