//! What a running service is told from outside.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::DatabaseArgs;

/// What a running service is told from outside, by signals of the system mostly.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// Cancelled when the service has to stop.
    pub stop: CancellationToken,
    /// Notified when certificates and secrets have to be read again.
    pub reload: Arc<Notify>,
    /// Where the database's password is read again; `None`: it never changes.
    pub database: Option<DatabaseArgs>,
}

impl From<CancellationToken> for Signals {
    /// A service that is told nothing but to stop.
    fn from(stop: CancellationToken) -> Self {
        Self { stop, ..Self::default() }
    }
}
