//! Connections and transactions: deadlines, the bounded retry, and what a database error means.

use std::{
    ops::{Deref, DerefMut},
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::Instant;

use crate::domain::{Error, Outage};

/// How the service uses its database.
#[derive(Clone, Debug)]
pub struct DbSettings {
    /// Connections at the most.
    pub max_connections: u32,
    /// Connections kept open when idle.
    pub min_connections: u32,
    /// How long a call waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a row that another call has locked.
    pub lock_timeout: Duration,
}

/// The database as the operations see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    /// One connection for the health check, which must not wait behind calls.
    probe: PgPool,
    /// Set while the health check finds the database away.
    away: Arc<AtomicBool>,
    statement_timeout: Duration,
}

/// How often a transaction is tried in all when it collides with others or its connection breaks.
const ATTEMPTS: u32 = 4;

/// A connection that was idle for longer is tested before it is used; one that was busy a moment ago
/// is not, which saves a round trip on nearly every call.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(1);

impl Db {
    /// Prepares a pool for the database of `url`; connects when it is first needed.
    ///
    /// # Errors
    /// When `url` is no Postgres URL.
    pub fn new(url: &str, settings: &DbSettings) -> Result<Self, sqlx::Error> {
        let millis = |d: Duration| d.as_millis().max(1).to_string();
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(sqlx::Error::Configuration("must start with postgres://".into()));
        }
        let connect = PgConnectOptions::from_str(url)?.application_name("befriend").options([
            ("statement_timeout", millis(settings.statement_timeout)),
            ("lock_timeout", millis(settings.lock_timeout)),
            // A transaction whose client vanished without a word must not hold its locks.
            ("idle_in_transaction_session_timeout", millis(settings.statement_timeout * 2)),
            // When a caller goes away we close its connection: notice it, and stop the work.
            ("client_connection_check_interval", "500".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            // Every statement goes by a key whatever its arguments are: planning it for each call
            // anew takes longer than running it.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .min_connections(settings.min_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    Ok(meta.idle_for < TEST_AFTER_IDLE || connection.ping().await.is_ok())
                })
            })
            .connect_lazy_with(connect.clone());
        let probe = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(connect);
        let statement_timeout = settings.statement_timeout;
        Ok(Self { pool, probe, away: Arc::default(), statement_timeout })
    }

    /// Runs `attempt` again when it collided with other transactions or lost its connection before
    /// its commit was sent, a few times with a short random pause; never after a commit was sent.
    ///
    /// # Errors
    /// What the last attempt ended with.
    pub async fn retrying<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for tried in 1..ATTEMPTS {
            match attempt().await {
                Err(error @ (Error::Conflict | Error::Unavailable(Outage::Database))) => {
                    tracing::debug!(tried, %error, "transaction tried again");
                    tokio::time::sleep(pause(tried)).await;
                }
                done => return done,
            }
        }
        attempt().await
    }

    /// A connection for one read outside any transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn read(&self) -> Result<ReadConnection, Error> {
        let connection = self.pool.acquire().await.map_err(|error| self.no_connection(error))?;
        Ok(ReadConnection { connection, busy: true })
    }

    /// Opens a transaction. Its statements run for no longer than until `deadline`, so that the
    /// database stops working for a caller who has stopped waiting. Dropped without
    /// [`Tx::commit`], it is rolled back.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::DeadlineExceeded`] when the deadline has passed.
    pub async fn begin(&self, deadline: Instant) -> Result<Tx, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::DeadlineExceeded);
        }
        let tx = if left < self.statement_timeout {
            // One round trip for both statements; the text is ours, the number an integer.
            let begin = format!("begin; set local statement_timeout = {}", left.as_millis().max(1));
            self.pool.begin_with(AssertSqlSafe(begin)).await
        } else {
            self.pool.begin().await
        };
        tx.map(Tx).map_err(|error| self.no_connection(error))
    }

    /// A connection of one's own, which is closed at the end: for work in bulk, whose statements may
    /// take long and leave temporary tables behind.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn session(&self) -> Result<PgConnection, Error> {
        let mut connection =
            self.pool.acquire().await.map_err(|error| self.no_connection(error))?.detach();
        // Its statements go over whole tables: they take their time, and a plan for what is there.
        sqlx::raw_sql(
            "set statement_timeout = 0; set work_mem = '64MB'; set plan_cache_mode = auto; \
             set max_parallel_workers_per_gather = 0",
        )
        .execute(&mut connection)
        .await?;
        Ok(connection)
    }

    /// Asks the database whether it is there, on a connection of its own.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn probe(&self) -> Result<(), Error> {
        let mut connection = self.probe.acquire().await.map_err(|error| match error {
            // Nobody else uses it, so it is not busy: it can't be made.
            sqlx::Error::PoolTimedOut => Error::Unavailable(Outage::Database),
            other => database_error(other),
        })?;
        connection.ping().await.map_err(database_error)
    }

    /// Notes what the health check found, so that calls can tell it.
    pub fn note_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// What it means that no connection was to be had in time: the pool itself can't tell a database
    /// that is away from one that is busy, and a call waits for either, since both may pass.
    fn no_connection(&self, error: sqlx::Error) -> Error {
        match error {
            sqlx::Error::PoolTimedOut if self.away.load(Ordering::Relaxed) => {
                Error::Unavailable(Outage::Database)
            }
            other => database_error(other),
        }
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.probe.close().await;
        self.pool.close().await;
    }

    /// The pool itself, for tests that look at the tables.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// 5 ms, 10 ms, 20 ms, each plus up to as much again: callers who collided should not collide anew.
fn pause(tried: u32) -> Duration {
    let base = 5 << (tried - 1);
    let jitter = getrandom::u32().unwrap_or(0) % base;
    Duration::from_millis(u64::from(base + jitter))
}

/// A connection on which one read runs. When the read is dropped half-way, because its caller went
/// away or its time is up, the connection is closed, and the database stops the statement.
pub struct ReadConnection {
    connection: PoolConnection<Postgres>,
    busy: bool,
}

impl ReadConnection {
    /// Says that the read is over, whatever its result, which is handed through.
    pub fn done<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.busy = matches!(result, Err(Error::Unavailable(_)));
        result
    }
}

impl Drop for ReadConnection {
    fn drop(&mut self) {
        if self.busy {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for ReadConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// A transaction at READ COMMITTED.
pub struct Tx(sqlx::Transaction<'static, Postgres>);

impl Tx {
    /// Makes the changes durable.
    ///
    /// # Errors
    /// [`Outage::DuringCommit`] when the connection broke: the changes happened or not, and only the
    /// caller may repeat them.
    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await.map_err(|error| match database_error(error) {
            Error::Unavailable(_) | Error::Conflict => Error::Unavailable(Outage::DuringCommit),
            other => other,
        })
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        database_error(error)
    }
}

/// What an error of the database means for the caller.
fn database_error(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => Error::Unavailable(Outage::Busy),
        sqlx::Error::PoolClosed => Error::Unavailable(Outage::ShuttingDown),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            Error::Unavailable(Outage::Database)
        }
        sqlx::Error::Database(ref reported) => match reported.code().as_deref() {
            // serialization_failure, deadlock_detected, lock_not_available
            Some("40001" | "40P01" | "55P03") => Error::Conflict,
            // query_canceled: only a statement_timeout cancels our statements.
            Some("57014") => Error::DeadlineExceeded,
            // Shutting down, starting up or a standby; too many connections; a broken connection.
            Some("57P01" | "57P02" | "57P03" | "25006" | "25P03") => {
                Error::Unavailable(Outage::Database)
            }
            Some("53300") => Error::Unavailable(Outage::Busy),
            // A broken connection; no such user, password or database any more.
            Some(code) if ["08", "28", "3D"].iter().any(|class| code.starts_with(class)) => {
                tracing::warn!(%error, "the database does not take us in");
                Error::Unavailable(Outage::Database)
            }
            _ => Error::Internal(error.to_string()),
        },
        sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
            tracing::warn!(%error, "database connection failed");
            Error::Unavailable(Outage::Database)
        }
        _ => Error::Internal(error.to_string()),
    }
}
