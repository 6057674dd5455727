//! Settings of the database: which one it is, and how the service uses it.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, builder::BoolishValueParser};

use super::{
    error::{SettingError, require},
    secrets::secret_of,
    values::{positive_duration, secret},
};
use crate::{
    domain::{Secret, parse_duration},
    store::{self, DbSettings},
};

/// Where the data is: settings of all commands.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The Postgres to use, as postgres://user:password@host:port/database.
    ///
    /// Version 15 or newer. Several servers are written as host:port,host:port: the first that answers and
    /// takes writes is used. Without this setting befriend runs a private Postgres in the data folder,
    /// from the server programs that are installed on this machine.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", global = true, hide_env_values = true, value_parser = secret)]
    database_url: Option<Secret>,

    /// A file that holds --database-url.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", global = true)]
    database_url_file: Option<PathBuf>,

    /// The password for --database-url, if the URL has none.
    #[arg(long, env = "BEFRIEND_DATABASE_PASSWORD", value_name = "PASSWORD", global = true, hide_env_values = true, value_parser = secret)]
    database_password: Option<Secret>,

    /// A file that holds --database-password.
    #[arg(long, env = "BEFRIEND_DATABASE_PASSWORD_FILE", value_name = "FILE", global = true)]
    database_password_file: Option<PathBuf>,

    /// The folder of the private Postgres [default: /var/lib/befriend or your own data folder].
    ///
    /// /var/lib/befriend is the default for root. Other users have befriend in ~/.local/share (or
    /// $XDG_DATA_HOME), on macOS in ~/Library/Application Support.
    #[arg(long, env = "BEFRIEND_DATA_DIR", value_name = "FOLDER", global = true)]
    pub data_dir: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Refuses what contradicts `--ephemeral`.
    ///
    /// # Errors
    /// [`SettingError`] with the setting's name.
    pub fn check(&self, ephemeral: bool) -> Result<(), SettingError> {
        require(
            self.data_dir.is_none() || !ephemeral,
            "--data-dir",
            "--ephemeral keeps its data among the temporary files: leave out one of the two",
        )
    }

    /// The URL of the database, with its password; `None` stands for the private Postgres.
    ///
    /// # Errors
    /// When one of the two can't be read, or the password does not fit the URL.
    pub fn url(&self) -> Result<Option<Secret>, SettingError> {
        let (flag, file) = ("--database-url", self.database_url_file.as_deref());
        let url = secret_of(flag, self.database_url.as_ref(), file)?;
        let (flag, file) = ("--database-password", self.database_password_file.as_deref());
        match (url, secret_of(flag, self.database_password.as_ref(), file)?) {
            (url, None) => Ok(url),
            (None, Some(_)) => Err(SettingError::new(flag, "there is no --database-url")),
            (Some(url), Some(password)) => {
                let url = store::with_password(url.reveal(), &password);
                url.map(Some).map_err(|error| SettingError::new(flag, error.to_string()))
            }
        }
    }
}

/// How the service uses the database.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct PoolArgs {
    /// Bring the database's schema up to date at the start; with false, an old schema is refused.
    #[arg(long, env = "BEFRIEND_MIGRATE", value_name = "BOOL", default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub migrate: bool,

    /// How long to wait at the start for a database that does not answer yet.
    #[arg(long, env = "BEFRIEND_DB_WAIT", value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub db_wait: Duration,

    /// The largest number of connections to the database.
    #[arg(long, env = "BEFRIEND_DB_CONNECTIONS", value_name = "N", default_value = "20")]
    db_connections: NonZeroU32,

    /// How many idle connections to the database to keep open.
    #[arg(long, env = "BEFRIEND_DB_MIN_CONNECTIONS", value_name = "N", default_value = "2")]
    db_min_connections: u32,

    /// How long a call waits for a free connection to the database.
    #[arg(long, env = "BEFRIEND_DB_ACQUIRE_TIMEOUT", value_name = "TIME", default_value = "3s", value_parser = positive_duration)]
    db_acquire_timeout: Duration,

    /// How long one statement may run.
    #[arg(long, env = "BEFRIEND_DB_STATEMENT_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    db_statement_timeout: Duration,

    /// How long one statement may wait for a row that another call is changing.
    #[arg(long, env = "BEFRIEND_DB_LOCK_TIMEOUT", value_name = "TIME", default_value = "3s", value_parser = positive_duration)]
    db_lock_timeout: Duration,
}

impl PoolArgs {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        require(
            self.db_min_connections <= self.db_connections.get(),
            "--db-min-connections",
            format!("must not be above --db-connections ({})", self.db_connections),
        )
    }

    /// The largest number of connections to the database.
    #[must_use]
    pub fn connections(&self) -> usize {
        usize::try_from(self.db_connections.get()).unwrap_or(usize::MAX)
    }

    /// The settings of the store.
    #[must_use]
    pub fn db(&self) -> DbSettings {
        DbSettings {
            max_connections: self.db_connections.get(),
            min_connections: self.db_min_connections,
            acquire_timeout: self.db_acquire_timeout,
            statement_timeout: self.db_statement_timeout,
            lock_timeout: self.db_lock_timeout,
        }
    }
}
