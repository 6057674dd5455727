//! Why a pull ended early.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a pull ended early. What was pulled is kept, and the next pull continues there.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The address, the credentials or the names can't be used.
    #[error("{0}")]
    Setting(String),
    /// The vendor refused a call, or every attempt of it failed.
    #[error("{call}: {why}")]
    Call {
        /// The call, as "GET /users/alice/blocks/users".
        call: String,
        /// Why it failed.
        why: String,
    },
    /// The vendor refused a call for one user. It may answer the same call for other users.
    #[error("{call}: {why}")]
    Refused {
        /// The call.
        call: String,
        /// The vendor's words.
        why: String,
    },
    /// The operator stopped the pull.
    #[error("stopped; the same command goes on from here")]
    Stopped,
    /// A file of the folder can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl PullError {
    /// For `map_err`: adds the path, which an [`io::Error`] lacks.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File { path: path.to_owned(), error }
    }
}
