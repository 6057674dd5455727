//! Connections and transactions: deadlines, the bounded retry, and what a database error means.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions,
};
use tokio::{runtime::Handle, sync::Mutex, time::Instant};

use super::pool::{Connections, Lent};
use crate::domain::{Error, Outage, backoff, jittered, random_fraction};

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
#[derive(Clone)]
pub struct Db {
    connections: Connections,
    /// One connection for the health check, which must not wait behind calls.
    probe: Arc<Mutex<Option<PgConnection>>>,
    /// Set while the health check finds the database away.
    away: Arc<AtomicBool>,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

/// How often a transaction is tried in all when it collides with others or its connection breaks.
const ATTEMPTS: u32 = 4;

/// The pauses between two tries: 5 ms, 10 ms, 20 ms, each plus up to as much again.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How long a brief transaction waits for a row: as long as a few commits take.
const BRIEF: Duration = Duration::from_millis(50);

/// How many prepared statements a connection keeps: all that there are.
const STATEMENTS: usize = 500;

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").finish_non_exhaustive()
    }
}

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
        let connect = PgConnectOptions::from_str(url)?.application_name("befriend");
        let connect = connect.statement_cache_capacity(STATEMENTS).options([
            ("statement_timeout", millis(settings.statement_timeout)),
            ("lock_timeout", millis(settings.lock_timeout)),
            // A transaction whose client vanished without a word must not hold its locks.
            ("idle_in_transaction_session_timeout", millis(settings.statement_timeout * 2)),
            // When a caller goes away, its connection is closed. The server checks this often for a
            // closed connection, and stops its statement.
            ("client_connection_check_interval", "500".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            // Every statement finds its rows by a key, whatever its arguments are. To plan it for each
            // call would take longer than to run it.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
        ]);
        let sizes = (settings.min_connections, settings.max_connections);
        let connections = Connections::new(connect, sizes, settings.acquire_timeout);
        Ok(Self {
            connections,
            probe: Arc::default(),
            away: Arc::default(),
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout,
        })
    }

    /// The longest time in which a read gets its connection and runs.
    #[must_use]
    pub fn longest_read(&self) -> Duration {
        self.acquire_timeout + self.statement_timeout
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
                    let pause = backoff(FIRST_PAUSE, tried, LONGEST_PAUSE);
                    tokio::time::sleep(jittered(pause, random_fraction())).await;
                }
                done => return done,
            }
        }
        attempt().await
    }

    /// Reads outside any transaction: lends `read` a connection, and runs it again as
    /// [`Db::retrying`] does.
    ///
    /// When the call is dropped half-way, because its caller went away or its time is up, the
    /// connection is closed, and the database stops the statement.
    ///
    /// # Errors
    /// [`Error::Unavailable`], and what `read` ends with.
    pub async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error> + Copy,
    ) -> Result<T, Error> {
        self.retrying(|| self.read_once(read)).await
    }

    /// [`Db::read`] without the retries, for callers that have their own: a batch, a loop.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_once<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = ReadConnection { connection: Some(self.lend().await?), busy: true };
        let result = read(&mut connection).await;
        connection.busy = matches!(result, Err(Error::Unavailable(_)));
        result
    }

    async fn lend(&self) -> Result<Lent, Error> {
        self.connections.lend().await.map_err(|error| self.no_connection(error))
    }

    /// Opens a transaction. Its statements run for no longer than until `deadline`, so that the
    /// database stops working for a caller who has stopped waiting. Dropped without
    /// [`Tx::commit`], it is rolled back.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::DeadlineExceeded`] when the deadline has passed.
    pub async fn begin(&self, deadline: Instant) -> Result<Tx, Error> {
        self.begin_with(deadline, None).await
    }

    /// Opens the transaction of a batch. With `brief` a statement that waits long for a locked row fails
    /// early.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_batch(&self, deadline: Instant, brief: bool) -> Result<Tx, Error> {
        self.begin_with(deadline, brief.then_some(BRIEF)).await
    }

    async fn begin_with(&self, deadline: Instant, patience: Option<Duration>) -> Result<Tx, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::DeadlineExceeded);
        }
        let mut begin = "begin".to_owned();
        // One round trip for all statements. The texts are constants and the numbers integers, so
        // nothing needs quoting.
        if left < self.statement_timeout {
            begin += &format!("; set local statement_timeout = {}", left.as_millis().max(1));
        }
        if let Some(patience) = patience {
            begin += &format!("; set local lock_timeout = {}", patience.as_millis().max(1));
        }
        let mut tx = Tx(Some(self.lend().await?));
        tx.execute(AssertSqlSafe(begin)).await?;
        Ok(tx)
    }

    /// A connection outside the pool, which is closed at the end: for work in bulk, whose statements may
    /// take long and leave temporary tables behind.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn session(&self) -> Result<PgConnection, Error> {
        let mut connection =
            self.connections.beside().await.map_err(|error| self.no_connection(error))?;
        // Statements of work in bulk read whole tables. They may take long, and each is planned for the
        // rows that are there.
        sqlx::raw_sql(
            "set statement_timeout = 0; set work_mem = '64MB'; set plan_cache_mode = auto; \
             set max_parallel_workers_per_gather = 0",
        )
        .execute(&mut connection)
        .await?;
        Ok(connection)
    }

    /// Makes sure that the database responds, on a connection of its own.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn probe(&self) -> Result<(), Error> {
        let mut kept = self.probe.lock().await;
        // Taken out, so that a connection whose ping failed or was given up is not used again.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connections.beside().await.map_err(database_error)?,
        };
        connection.ping().await.map_err(database_error)?;
        *kept = Some(connection);
        Ok(())
    }

    /// Opens the connections that are kept open when idle, and closes those that were not used for long.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn tend(&self) -> Result<(), Error> {
        self.connections.tend().await.map_err(|error| self.no_connection(error))
    }

    /// Notes whether the health check finds the database away, so that errors of calls can say so.
    pub fn note_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// The error of a call that got no connection. The pool can't tell a database that is away from a
    /// busy one, so the health check's finding decides.
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
        if let Some(probe) = self.probe.lock().await.take() {
            let _ = probe.close().await;
        }
        self.connections.close().await;
    }
}

/// A connection on which a read runs. It is closed instead of given back when the read was dropped
/// half-way, or when the connection broke.
struct ReadConnection {
    connection: Option<Lent>,
    busy: bool,
}

const LENT: &str = "a connection goes back only when its holder is dropped";

impl Drop for ReadConnection {
    fn drop(&mut self) {
        if self.busy
            && let Some(connection) = self.connection.take()
        {
            drop(Lent::take(connection));
        }
    }
}

impl Deref for ReadConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(LENT)
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(LENT)
    }
}

/// A transaction at READ COMMITTED.
pub struct Tx(Option<Lent>);

impl Tx {
    /// Makes the changes durable.
    ///
    /// # Errors
    /// [`Outage::DuringCommit`] when the connection broke: the changes happened or not, and only the
    /// caller may repeat them.
    pub async fn commit(mut self) -> Result<(), Error> {
        let committed = self.execute("commit").await;
        match committed.map_err(database_error) {
            Ok(_) => {
                // Back to the pool as it is.
                self.0 = None;
                Ok(())
            }
            Err(Error::Unavailable(_) | Error::Conflict) => {
                Err(Error::Unavailable(Outage::DuringCommit))
            }
            Err(other) => Err(other),
        }
    }
}

impl Drop for Tx {
    /// Rolls back what was not committed, and gives the connection back after that.
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            drop(Lent::take(connection));
            return;
        };
        runtime.spawn(async move {
            if connection.execute("rollback").await.is_err() {
                drop(Lent::take(connection));
            }
        });
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect(LENT)
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect(LENT)
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
                tracing::warn!(%error, "the database refuses the connection");
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
