//! The database of a command: the one that `--database-url` names, else the private Postgres.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::PathBuf,
    time::Duration,
};

use serde_json::json;
use tokio::time::Instant;

use super::{
    error::CommandError, output::OutputArgs, progress::print_error, secrets::load_or_generate,
};
use crate::{
    clock::Clock,
    config::{CredentialsKeyArgs, DatabaseArgs},
    domain::{Secret, SecretKind},
    ops::Core,
    private_postgres::{self, Keeper, Life, PrivatePostgres, StartError, ThrowAway},
    store::{self, ThrowAwayDatabase, Unusable},
};

/// How long the private Postgres may take to start: enough to recover from a crash under load.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How many connections the private Postgres takes: a service's pool, and the commands beside it.
const PRIVATE_CONNECTIONS: u16 = 100;

/// How long to wait between two attempts to reach a database that does not answer.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Database {
    pub(super) url: String,
    /// Which database it is, for people: without its password.
    pub(super) place: String,
    kind: Kind,
}

/// What is known of a database, and what is to be done when it is closed.
enum Kind {
    /// Somebody else runs it.
    Given,
    /// The private Postgres, and the folder of its data.
    Private { usage: Usage, data_dir: PathBuf },
    /// A private Postgres that is thrown away.
    ThrowAway(ThrowAway),
    /// A database that is thrown away, on a server that somebody else runs.
    ThrowAwayOn(ThrowAwayDatabase),
}

/// How this process uses the private Postgres.
enum Usage {
    /// Keeps it running.
    Kept(Keeper),
    /// Uses it while it runs.
    Joined(PrivatePostgres),
}

impl Database {
    /// For `serve`: starts or joins the private Postgres, unless the settings name another database.
    pub(super) async fn open(args: &DatabaseArgs) -> Result<Self, CommandError> {
        let start = |settings| Keeper::start(settings).map(Usage::Kept);
        Self::of(args, start, "and a private Postgres can't be started").await
    }

    /// For the other commands: joins the private Postgres of a running service, unless the settings name
    /// another database. A command that made an empty database would look like one that found nothing.
    pub(super) async fn join(args: &DatabaseArgs) -> Result<Self, CommandError> {
        let join = |settings| PrivatePostgres::join(&settings).map(Usage::Joined);
        Self::of(args, join, "and only `befriend serve` starts a private one").await
    }

    async fn of(
        args: &DatabaseArgs,
        start: impl FnOnce(private_postgres::Settings) -> Result<Usage, StartError> + Send + 'static,
        failure: &str,
    ) -> Result<Self, CommandError> {
        if let Some(url) = args.url()? {
            let url = url.reveal().to_owned();
            let place = store::place(&url).map_err(|error| format!("--database-url: {error}"))?;
            return Ok(Self { url, place, kind: Kind::Given });
        }
        let data_dir = args.data_dir.clone().unwrap_or_else(private_postgres::default_data_dir);
        let settings = private_postgres::Settings {
            data_dir: data_dir.clone(),
            start_timeout: START_TIMEOUT,
            fsync: true,
            max_connections: PRIVATE_CONNECTIONS,
            life: Life::Kept,
        };
        let usage = tokio::task::spawn_blocking(move || start(settings)).await?;
        let usage = usage.map_err(|error| {
            format!("no database is named by --database-url or DATABASE_URL, {failure}: {error}")
        })?;
        let url = match &usage {
            Usage::Kept(keeper) => keeper.url().to_owned(),
            Usage::Joined(postgres) => postgres.url().to_owned(),
        };
        let place = format!("the private Postgres in {}", data_dir.display());
        Ok(Self { url, place, kind: Kind::Private { usage, data_dir } })
    }

    /// For `serve --ephemeral`: a new database, on a private Postgres of its own unless the settings name a
    /// server.
    pub(super) async fn throw_away(args: &DatabaseArgs) -> Result<Self, CommandError> {
        if let Some(url) = args.url()? {
            let now = Clock::system().now().unix_timestamp();
            let unique = RandomState::new().build_hasher().finish();
            let made = ThrowAwayDatabase::create(url.reveal(), now, unique).await;
            let made = made.map_err(|error| format!("--ephemeral: {error}"))?;
            let url = made.url();
            let place = store::place(&url).map_err(|error| format!("--database-url: {error}"))?;
            return Ok(Self { url, place, kind: Kind::ThrowAwayOn(made) });
        }
        let runtime = tokio::runtime::Handle::current();
        let migrate = move |url: &str| {
            runtime.block_on(store::migrate(url)).map_err(|error| error.to_string())
        };
        let start = move || {
            ThrowAway::start(START_TIMEOUT, PRIVATE_CONNECTIONS, &store::schema_hash(), migrate)
        };
        let started = tokio::task::spawn_blocking(start).await?;
        let started = started.map_err(|error| {
            format!("no server is named by --database-url or DATABASE_URL, and a private Postgres can't be started: {error}")
        })?;
        let url = started.url().to_owned();
        let place = format!("a Postgres in {}", started.folder().display());
        Ok(Self { url, place, kind: Kind::ThrowAway(started) })
    }

    /// Whether nothing but tests and development uses it.
    pub(super) fn is_private(&self) -> bool {
        !matches!(self.kind, Kind::Given)
    }

    /// Sets the credentials key that is kept beside the private Postgres, unless the settings have one.
    pub(super) fn set_credentials_key(
        &self,
        key: &mut CredentialsKeyArgs,
    ) -> Result<(), CommandError> {
        let kind = SecretKind::CredentialsKey;
        match &self.kind {
            Kind::Given => Ok(()),
            Kind::Private { data_dir, .. } => {
                key.or_else(|| load_or_generate(data_dir, "credentials-key", kind))
            }
            Kind::ThrowAway(_) | Kind::ThrowAwayOn(_) => key.or_else(|| Ok(Secret::generate(kind))),
        }
    }

    /// The operator's token that is kept beside the private Postgres, or made for a database that is thrown
    /// away; `None` for another database.
    pub(super) fn operator_token(&self) -> Result<Option<Secret>, CommandError> {
        let kind = SecretKind::OperatorToken;
        match &self.kind {
            Kind::Given => Ok(None),
            Kind::Private { data_dir, .. } => {
                load_or_generate(data_dir, "operator-token", kind).map(Some)
            }
            Kind::ThrowAway(_) | Kind::ThrowAwayOn(_) => Ok(Some(Secret::generate(kind))),
        }
    }

    /// Says which database a command uses.
    pub(super) fn tell(&self) {
        print_error(&format!("befriend: using {}", self.place));
    }

    pub(super) async fn close(self) -> Result<(), CommandError> {
        let stop: Box<dyn FnOnce() -> Result<(), StartError> + Send> = match self.kind {
            Kind::Given => return Ok(()),
            Kind::ThrowAwayOn(database) => return Ok(database.drop().await?),
            Kind::Private { usage: Usage::Kept(keeper), .. } => {
                Box::new(move || keeper.stop().map(drop))
            }
            Kind::Private { usage: Usage::Joined(postgres), .. } => {
                Box::new(move || postgres.stop().map(drop))
            }
            Kind::ThrowAway(throw_away) => Box::new(move || throw_away.stop()),
        };
        Ok(tokio::task::spawn_blocking(stop).await??)
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
pub(super) async fn migrate(args: &DatabaseArgs, output: OutputArgs) -> Result<(), CommandError> {
    let database = Database::join(args).await?;
    database.tell();
    store::migrate(&database.url).await?;
    database.close().await?;
    Ok(output.members([("schema_version", json!(store::expected_version()))])?)
}
