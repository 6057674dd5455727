//! Pulling an app out of another service by that service's own HTTP API.
//!
//! A pull writes files to a folder, in the format of [`crate::transfer`], and beside them a checkpoint
//! that says how far the pull is. The files are imported like any others. Nothing here reads or changes
//! befriend's own lists.

mod checkpoint;
mod client;
mod easemob;
mod error;
mod folder;
mod lists;
mod names;
mod netease;
mod pages;
mod run;
mod vendor;

pub use client::Pace;
pub use easemob::{Easemob, EasemobSettings};
pub use error::PullError;
pub use netease::{NetEase, NetEaseSettings};
pub use run::{Pulled, pull};
pub use vendor::Vendor;
