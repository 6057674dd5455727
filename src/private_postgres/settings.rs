//! What the starter of a private Postgres chooses.

use std::{path::PathBuf, time::Duration};

/// Where the private Postgres lives, and how it runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder for the data, the log and the socket; created if missing. One server serves one folder.
    pub data_dir: PathBuf,
    /// The database's name, for example "befriend"; created if missing.
    pub database: String,
    /// The limit for everything between `start` and a server that answers, waiting for other starters included.
    pub start_timeout: Duration,
    /// `false` trades the data's safety for speed, for tests. Takes effect when the server starts, not on joining.
    pub fsync: bool,
    /// Connections of all users together. Takes effect when the server starts, not on joining.
    pub max_connections: u16,
}
