//! Where the private Postgres lives, and how it runs.

use std::{path::PathBuf, time::Duration};

/// Settings of a private Postgres.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder for the data, the log and the socket; created if missing. One server serves one
    /// folder.
    pub data_dir: PathBuf,
    /// How long a start may take until the server answers, including the wait for other processes that
    /// start it.
    pub start_timeout: Duration,
    /// `false` trades the safety of the data for speed, for tests. It takes effect when the server
    /// starts, not when a running one is joined.
    pub fsync: bool,
    /// The largest number of connections of all users together. It takes effect when the server starts,
    /// not when a running one is joined.
    pub max_connections: u16,
    /// What the data is for.
    pub life: Life,
}

/// What the data of a private Postgres is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It is kept.
    Kept,
    /// To be copied: the cluster is as small as it can be.
    Template,
    /// Nobody needs it. The server takes little memory, and when it has ended, the watchdog removes the data
    /// folder with all that is in it.
    ThrownAway,
}
