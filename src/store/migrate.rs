//! Brings the schema to this version of the service.

use std::{str::FromStr as _, time::Duration};

use sqlx::{ConnectOptions as _, Connection as _, migrate::Migrator, postgres::PgConnectOptions};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a migration waits for a lock on a table in use. While it waits, all calls on that table
/// wait behind it; so it soon gives up, and can be repeated.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database's URL can't be read.
    #[error("--database-url: {0}")]
    Url(#[source] sqlx::Error),
    /// The connection failed.
    #[error("can't connect to the database: {0}")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or a later version of the service has migrated the database.
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

/// Runs the migrations that are missing in the database of `url`. Several instances may start at the
/// same time: one migrates, the others wait.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(url: &str) -> Result<(), MigrateError> {
    let lock_timeout = LOCK_TIMEOUT.as_millis().to_string();
    let mut connection = PgConnectOptions::from_str(url)
        .map_err(MigrateError::Url)?
        .application_name("befriend migrate")
        .options([("lock_timeout", lock_timeout)])
        .connect()
        .await
        .map_err(MigrateError::Connect)?;
    let migrated = MIGRATIONS.run(&mut connection).await;
    // Closed also after a failure, because sqlx then keeps its advisory lock on the connection.
    let _ = connection.close().await;
    Ok(migrated?)
}

/// Checks that the database has the schema that this version of the service needs.
///
/// # Errors
/// [`MigrateError::Behind`] when migrations are missing.
pub async fn require_current(url: &str) -> Result<(), MigrateError> {
    let mut connection = PgConnectOptions::from_str(url)
        .map_err(MigrateError::Url)?
        .connect()
        .await
        .map_err(MigrateError::Connect)?;
    let applied: Result<Option<i64>, sqlx::Error> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
            .fetch_one(&mut connection)
            .await;
    let applied = applied.ok().flatten().unwrap_or(0);
    if applied < expected_version() {
        return Err(MigrateError::Behind { applied, expected: expected_version() });
    }
    Ok(())
}
