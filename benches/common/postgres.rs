//! The private Postgres of a benchmark.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use befriend::private_postgres::{Life, PrivatePostgres, Settings};

use super::app::Failure;

/// How the private Postgres of a benchmark runs.
pub struct Options {
    /// Where the data is kept. `None`: in a folder of this process, which is removed at the end.
    pub data_dir: Option<PathBuf>,
    /// Whether a commit waits for the disk.
    pub fsync: bool,
    /// The connections that the server takes.
    pub max_connections: u16,
}

/// Starts a private Postgres, runs `measure` with the server and its folder, and stops the server.
pub fn with_postgres<T>(
    options: Options,
    measure: impl FnOnce(&PrivatePostgres, &Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let temporary = options.data_dir.is_none();
    let folder = options
        .data_dir
        .unwrap_or_else(|| format!("/var/tmp/befriend-bench-{}", std::process::id()).into());
    let postgres = PrivatePostgres::start(&Settings {
        data_dir: folder.clone(),
        start_timeout: Duration::from_mins(1),
        fsync: options.fsync,
        max_connections: options.max_connections,
        life: Life::Kept,
    })?;
    let measured = measure(&postgres, &folder);
    postgres.stop()?;
    if temporary {
        fs::remove_dir_all(folder)?;
    }
    measured
}
