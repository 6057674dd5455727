//! Brings the schema to this version of the service, and checks that a database is one that the service can
//! work on.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection as _, PgConnection, migrate::Migrator};

use super::{
    connector::{ConnectError, Connector},
    database_url::{self, DatabaseUrlError},
    fitness::{self, Unfit},
    outages::Outages,
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a migration waits for a lock on a table in use. While it waits, all calls on that table
/// wait behind it; so it soon gives up, and can be repeated.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for a server that is starting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database's URL can't be read.
    #[error("--database-url: {0}")]
    Url(#[from] DatabaseUrlError),
    /// The connection failed.
    #[error("can't connect to the database: {0}")]
    Connect(#[from] ConnectError),
    /// The service can't work on this database.
    #[error("can't use the database: {0}")]
    Unfit(#[from] Unfit),
    /// A migration failed.
    #[error("can't migrate the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Migrations are missing, and `--migrate false` forbids to run them.
    #[error("the schema is at version {applied}, but {expected} is needed: run `befriend migrate`")]
    Behind {
        /// The newest migration that ran.
        applied: i64,
        /// The newest migration that this version of the service has.
        expected: i64,
    },
}

/// The number of the newest migration that this version of the service has.
#[must_use]
pub fn expected_version() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

/// A hash of all migrations: equal for two versions of the service with the same schema.
#[must_use]
pub fn schema_hash() -> Vec<u8> {
    MIGRATIONS.iter().flat_map(|m| m.checksum.iter().copied()).collect()
}

/// Runs the migrations that are missing in the database of `url`. Several instances may start at the
/// same time: one migrates, the others wait. Without missing migrations it writes nothing, so that a role
/// that may not change the schema can start the service.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(url: &str) -> Result<(), MigrateError> {
    let mut connection = connect(url).await?;
    let migrated = bring_up_to_date(&mut connection).await;
    // Closed also after a failure, because sqlx then keeps its advisory lock on the connection.
    let _ = connection.close().await;
    migrated
}

async fn bring_up_to_date(connection: &mut PgConnection) -> Result<(), MigrateError> {
    fitness::check_server(connection).await?;
    let applied = fitness::applied_version(connection, &MIGRATIONS).await?;
    if applied > expected_version() {
        // An instance of the version before must be able to start again during an upgrade.
        tracing::warn!(
            applied,
            known = expected_version(),
            "the schema is that of a newer befriend"
        );
    }
    if applied < expected_version() {
        fitness::check_room(connection, &MIGRATIONS, applied).await?;
        MIGRATIONS.run(&mut *connection).await?;
    }
    Ok(fitness::check_privileges(connection, &MIGRATIONS).await?)
}

/// Checks that the database has the schema that this version of the service needs, and that the role may
/// use it.
///
/// # Errors
/// [`MigrateError::Behind`] when migrations are missing.
pub async fn require_current(url: &str) -> Result<(), MigrateError> {
    let mut connection = connect(url).await?;
    fitness::check_server(&mut connection).await?;
    let applied = fitness::applied_version(&mut connection, &MIGRATIONS).await?;
    if applied < expected_version() {
        return Err(MigrateError::Behind { applied, expected: expected_version() });
    }
    Ok(fitness::check_privileges(&mut connection, &MIGRATIONS).await?)
}

async fn connect(url: &str) -> Result<PgConnection, MigrateError> {
    let lock_timeout = LOCK_TIMEOUT.as_millis().to_string();
    let connector = Connector::new(
        database_url::hosts(url)?,
        move |options| {
            let lock_timeout = [("lock_timeout", lock_timeout.clone())];
            options.application_name("befriend migrate").options(lock_timeout)
        },
        CONNECT_TIMEOUT,
        Arc::new(Outages::new()),
    );
    Ok(connector.connect().await?)
}
