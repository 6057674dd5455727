//! Why data could not be moved.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::domain::Error;

/// Why data could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An operation of befriend, or its database, failed.
    #[error(transparent)]
    Befriend(#[from] Error),
}

impl TransferError {
    /// For `map_err`: adds the path, which an [`io::Error`] lacks.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File { path: path.to_owned(), error }
    }

    /// The file does not hold what it should.
    pub fn content(path: &Path, why: impl fmt::Display) -> Self {
        Self::Content { path: path.to_owned(), why: why.to_string() }
    }
}
