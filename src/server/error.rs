//! Why the service could not start.

use std::{io, path::PathBuf};

use crate::{config::SettingError, store::DatabaseUrlError};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database's URL can't be parsed.
    #[error("--database-url: {0}")]
    DatabaseUrl(#[source] DatabaseUrlError),
    /// A setting can't be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A certificate or key could not be read.
    #[error("{setting}: can't read {path}: {source}")]
    File {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate or key can't be used: the setting that names it, and why.
    #[error("{0}: {1}")]
    Tls(&'static str, String),
    /// There can't be so many connections.
    #[error(
        "--max-connections: {wanted} connections need more file descriptors than the {limit} that this \
         process may have (ulimit -n), of which {most} are for connections"
    )]
    Descriptors {
        /// The setting.
        wanted: usize,
        /// How many connections there can be.
        most: usize,
        /// The limit of the process.
        limit: usize,
    },
    /// The metrics can't be recorded.
    #[error("the metrics can't be recorded: {0}")]
    Metrics(String),
    /// The built-in descriptors are broken: a bug.
    #[error("reflection failed: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}
