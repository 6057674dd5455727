//! Moving data: files of users, friends and blocks, out of an app and into an app.
//!
//! Only this module knows the format of the files, which `docs/moving-data.md` describes. Their lines are
//! parsed to records of the domain, and [`crate::ops::bulk`] imports those.

mod error;
mod export;
mod fields;
mod files;
mod import;
mod progress;
mod read;
mod write;

pub use error::TransferError;
pub use export::{Exported, export};
pub use fields::InvalidValues;
pub(crate) use fields::{BlockLine, FriendLine, UserLine, rfc3339};
pub use files::{Format, Kind, Source, sources};
pub use import::{LineCounts, Options, Report, import};
pub use progress::ProgressSink;
pub use read::{NumberedLine, Reader};
