//! The database of a command: the one that `--database-url` names, else the private Postgres.

use std::{path::PathBuf, time::Duration};

use tokio::time::Instant;

use super::{error::CommandError, output::print, secrets::load_or_generate};
use crate::{
    config::{CredentialsKeyArgs, DatabaseArgs},
    domain::{Secret, SecretKind},
    ops::Core,
    private_postgres::{self, Keeper},
    store::{self, Unusable},
};

/// How long the private Postgres may take to start: enough to recover from a crash under load.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How many connections the private Postgres takes: a service's pool, and the commands beside it.
const PRIVATE_CONNECTIONS: u16 = 100;

/// How long to wait between two attempts to reach a database that does not answer.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Database {
    pub(super) url: String,
    private: Option<Private>,
}

/// The private Postgres, and the folder of its data.
struct Private {
    keeper: Keeper,
    data_dir: PathBuf,
}

impl Database {
    /// Starts or joins the private Postgres, unless the settings name another database.
    pub(super) async fn open(args: &DatabaseArgs) -> Result<Self, CommandError> {
        if let Some(url) = args.url()? {
            return Ok(Self { url: url.reveal().to_owned(), private: None });
        }
        let data_dir = args.data_dir.clone().unwrap_or_else(private_postgres::default_data_dir);
        let settings = private_postgres::Settings {
            data_dir: data_dir.clone(),
            start_timeout: START_TIMEOUT,
            fsync: true,
            max_connections: PRIVATE_CONNECTIONS,
        };
        let keeper = tokio::task::spawn_blocking(move || Keeper::start(settings)).await?;
        let keeper = keeper.map_err(|error| {
            format!(
                "no database is named by --database-url or DATABASE_URL, and a private Postgres can't be \
                 started: {error}"
            )
        })?;
        let url = keeper.url().to_owned();
        Ok(Self { url, private: Some(Private { keeper, data_dir }) })
    }

    /// Whether it is the private Postgres, whose schema every command brings up to date.
    pub(super) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Sets the credentials key that is kept beside the private Postgres, unless the settings have one.
    pub(super) fn set_credentials_key(
        &self,
        key: &mut CredentialsKeyArgs,
    ) -> Result<(), CommandError> {
        let Some(private) = &self.private else { return Ok(()) };
        let kind = SecretKind::CredentialsKey;
        key.or_else(|| load_or_generate(&private.data_dir, "credentials-key", kind))
    }

    /// The operator's token that is kept beside the private Postgres; `None` for another database.
    pub(super) fn operator_token(&self) -> Result<Option<Secret>, CommandError> {
        let Some(private) = &self.private else { return Ok(None) };
        let kind = SecretKind::OperatorToken;
        load_or_generate(&private.data_dir, "operator-token", kind).map(Some)
    }

    pub(super) async fn close(self) -> Result<(), CommandError> {
        if let Some(private) = self.private {
            tokio::task::spawn_blocking(move || private.keeper.stop()).await??;
        }
        Ok(())
    }
}

/// Waits until the database takes writes, at most `longest`: it may be starting together with this
/// process.
///
/// # Errors
/// Why it does not; at once if waiting does not help.
pub(super) async fn wait_for_database(core: &Core, longest: Duration) -> Result<(), CommandError> {
    let deadline = Instant::now() + longest;
    while let Err(error) = core.db.probe().await {
        let permanent = matches!(&error, Unusable::Unreachable(error) if error.is_permanent());
        if permanent || Instant::now() >= deadline {
            return Err(format!("can't connect to the database: {error}").into());
        }
        tracing::info!(%error, "waiting for the database");
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
    Ok(())
}

/// `befriend migrate`.
pub(super) async fn migrate(args: &DatabaseArgs) -> Result<(), CommandError> {
    let database = Database::open(args).await?;
    store::migrate(&database.url).await?;
    database.close().await?;
    Ok(print(format_args!("the schema is at version {}", store::expected_version()))?)
}
