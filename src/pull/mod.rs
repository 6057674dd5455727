//! Pulling an app out of another service by that service's own HTTP API.
//!
//! What is pulled goes to files of a folder, in the form of [`crate::transfer`], together with a note
//! of how far it is; from there it is imported like any other files. Nothing of befriend's own lists
//! is touched here.

mod client;
mod easemob;
mod folder;
mod names;
mod netease;
mod pull;

use std::{io, path::PathBuf};

pub use client::Pace;
pub use easemob::{Easemob, EasemobSettings};
pub use netease::{NetEase, NetEaseSettings};
pub use pull::{Pulled, pull};

use crate::transfer::{FriendLine, TransferError, UserLine};

/// Why a pull did not come to its end. What was pulled is kept, and the next try goes on there.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// The address, the credentials or the names can't be used.
    #[error("{0}")]
    Setting(String),
    /// The vendor refuses a call, or does not answer however often it is asked.
    #[error("{call}: {why}")]
    Call {
        /// Which, as "GET /users/alice/blocks/users".
        call: String,
        /// Why.
        why: String,
    },
    /// The vendor refuses a call that may be right for others: it concerns one user, unless it refuses
    /// all of them.
    #[error("{call}: {why}")]
    Refused {
        /// Which.
        call: String,
        /// Why.
        why: String,
    },
    /// It was asked to stop.
    #[error("stopped; the same command goes on from here")]
    Stopped,
    /// The folder can't be used.
    #[error("{}: {error}", path.display())]
    Folder {
        /// What of it.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file of the folder can't be used.
    #[error(transparent)]
    File(#[from] TransferError),
}

/// A service to pull from.
pub enum Vendor {
    /// Easemob, and what speaks like it.
    Easemob(Box<Easemob>),
    /// NetEase, and what speaks like it.
    NetEase(Box<NetEase>),
}

/// A page of the users that a vendor lists.
struct UserPage {
    users: Vec<UserLine>,
    /// Where the next page begins, unless this is the last.
    next: Option<String>,
}

/// What a vendor says of a user.
enum Found {
    /// These are the lists.
    Lists(Lists),
    /// There is no such user, in more words.
    Unknown(String),
    /// It tells nothing of this one, in more words.
    Barred(String),
}

/// The lists of a user, as a vendor has them.
struct Lists {
    friends: Vec<FriendLine>,
    /// The newest first.
    blocked: Vec<String>,
}

impl Vendor {
    /// Which service, and which app of it: what is pulled from elsewhere is something else.
    fn source(&self) -> String {
        match self {
            Self::Easemob(vendor) => vendor.source(),
            Self::NetEase(vendor) => vendor.source(),
        }
    }

    fn pace(&self) -> Pace {
        match self {
            Self::Easemob(vendor) => vendor.pace(),
            Self::NetEase(vendor) => vendor.pace(),
        }
    }

    /// Whether everybody who listens on the way reads what is pulled, and the token: the address is
    /// plain http://, and of another machine.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        client::is_in_the_clear(match self {
            Self::Easemob(vendor) => vendor.address(),
            Self::NetEase(vendor) => vendor.address(),
        })
    }

    /// A page of users, after `cursor`.
    async fn users(&self, cursor: Option<&str>) -> Result<UserPage, VendorError> {
        match self {
            Self::Easemob(vendor) => vendor.users(cursor).await,
            Self::NetEase(_) => {
                Err(VendorError::Setting("NetEase lists no users: name them by --users".to_owned()))
            }
        }
    }

    /// A user's lists, or why there are none.
    async fn lists(&self, username: &str) -> Result<Found, VendorError> {
        match self {
            Self::Easemob(vendor) => vendor.lists(username).await,
            Self::NetEase(vendor) => vendor.lists(username).await,
        }
    }
}
