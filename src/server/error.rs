//! Why the service could not start, or stopped early.

use std::{io, path::PathBuf};

use crate::store::DatabaseUrlError;

/// Why the service could not start, or the listener failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database's URL can't be parsed.
    #[error("--database-url: {0}")]
    DatabaseUrl(#[source] DatabaseUrlError),
    /// The key for stored secrets can't be parsed.
    #[error("--credentials-key: must be 32 bytes in base64")]
    CredentialsKey,
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
    /// The listener failed.
    #[error("the listener failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The built-in descriptors are broken: a bug.
    #[error("reflection failed: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}
