//! The database: reads, transactions, deadlines, and the bounded retry.

use std::{
    fmt,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::Mutex, time::Instant};

use super::{
    connection::{ReadConnection, Tx},
    error::database_error,
    pool::{ConnectionPool, Pooled},
};
use crate::domain::{Error, Outage, backoff, jittered, random_fraction};

/// How the service uses its database.
#[derive(Clone, Debug)]
pub struct DbSettings {
    /// The most connections that the pool opens.
    pub max_connections: u32,
    /// The connections that stay open when they are idle.
    pub min_connections: u32,
    /// How long a call waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a row that another call has locked.
    pub lock_timeout: Duration,
}

/// How many times a read or a transaction is tried in all.
const ATTEMPTS: u32 = 4;

/// The pauses between the attempts: 5 ms, 10 ms, 20 ms, each plus up to as much again.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How long a brief transaction waits for a locked row: as long as a few commits take.
const BRIEF_LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// How many prepared statements a connection keeps: more than there are.
const STATEMENTS: usize = 500;

/// The database as the operations see it. A clone shares the same connections.
#[derive(Clone)]
pub struct Db {
    pool: ConnectionPool,
    /// The health check has a connection of its own, so that it does not wait for a free one.
    probe: Arc<Mutex<Option<PgConnection>>>,
    /// What the health check found last.
    unreachable: Arc<AtomicBool>,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").finish_non_exhaustive()
    }
}

impl Db {
    /// Prepares a pool for the database of `url`. The first connection is made when it is needed.
    ///
    /// # Errors
    /// When `url` is not a Postgres URL.
    pub fn new(url: &str, settings: &DbSettings) -> Result<Self, sqlx::Error> {
        let millis = |d: Duration| d.as_millis().max(1).to_string();
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(sqlx::Error::Configuration("must start with postgres://".into()));
        }
        let options = PgConnectOptions::from_str(url)?.application_name("befriend");
        let options = options.statement_cache_capacity(STATEMENTS).options([
            ("statement_timeout", millis(settings.statement_timeout)),
            ("lock_timeout", millis(settings.lock_timeout)),
            // Ends the transaction, and frees the locks, of an instance that vanished without closing
            // its connection.
            ("idle_in_transaction_session_timeout", millis(settings.statement_timeout * 2)),
            // A read that is cancelled closes its connection. The server looks for that every 500 ms
            // while a statement runs, and stops the statement.
            ("client_connection_check_interval", "500".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            // Every statement uses the same index for all arguments, and planning one anew for each call
            // takes longer than running it.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
        ]);
        let sizes = (settings.min_connections, settings.max_connections);
        Ok(Self {
            pool: ConnectionPool::new(options, sizes, settings.acquire_timeout),
            probe: Arc::default(),
            unreachable: Arc::default(),
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout,
        })
    }

    /// How long a read takes at most: the wait for a connection, and one statement.
    #[must_use]
    pub fn longest_read(&self) -> Duration {
        self.acquire_timeout + self.statement_timeout
    }

    /// Runs `attempt` up to four times, with short random pauses between them, while it collides with
    /// other transactions or loses its connection before its commit was sent. Nothing is tried again
    /// after a commit was sent.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn retrying<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for attempts in 1..ATTEMPTS {
            match attempt().await {
                Err(error @ (Error::Conflict | Error::Unavailable(Outage::Database))) => {
                    tracing::debug!(attempts, %error, "a read or a transaction is tried again");
                    let pause = backoff(FIRST_PAUSE, attempts, LONGEST_PAUSE);
                    tokio::time::sleep(jittered(pause, random_fraction())).await;
                }
                result => return result,
            }
        }
        attempt().await
    }

    /// Borrows a connection for `read`, outside any transaction, and tries again as
    /// [`Db::retrying`] does.
    ///
    /// A read that is cancelled, because its caller went away or its deadline passed, closes its
    /// connection, and the database stops the statement.
    ///
    /// # Errors
    /// [`Error::Unavailable`], and the errors of `read`.
    pub async fn read<T>(
        &self,
        // Not `AsyncFn`: the compiler can't prove that the futures of one are `Send` when the closure
        // captures references.
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error> + Copy,
    ) -> Result<T, Error> {
        self.retrying(|| self.read_once(read)).await
    }

    /// [`Db::read`] without retries, for batches and loops, which have their own.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_once<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        ReadConnection::new(self.acquire().await?).run(read).await
    }

    async fn acquire(&self) -> Result<Pooled, Error> {
        self.pool.acquire().await.map_err(|error| self.connection_error(error))
    }

    /// Begins a transaction. Its statements are stopped at the `deadline`, when its caller stops
    /// waiting.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::DeadlineExceeded`] when the deadline has passed.
    pub async fn begin(&self, deadline: Instant) -> Result<Tx, Error> {
        self.begin_with(deadline, None).await
    }

    /// Begins the transaction of a batch. With `brief`, a statement that waits 50 ms for a locked row
    /// fails.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_batch(&self, deadline: Instant, brief: bool) -> Result<Tx, Error> {
        self.begin_with(deadline, brief.then_some(BRIEF_LOCK_TIMEOUT)).await
    }

    async fn begin_with(
        &self,
        deadline: Instant,
        lock_timeout: Option<Duration>,
    ) -> Result<Tx, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::DeadlineExceeded);
        }
        let statement_timeout = Some(left).filter(|left| *left < self.statement_timeout);
        Tx::begin(self.acquire().await?, statement_timeout, lock_timeout).await
    }

    /// Opens a connection that the pool does not share, for bulk work: its statements may run long and
    /// leave temporary tables behind. The connection is closed when it is dropped.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn session(&self) -> Result<PgConnection, Error> {
        let connection = self.pool.connect().await;
        let mut connection = connection.map_err(|error| self.connection_error(error))?;
        // Bulk statements read whole tables: they have no timeout, and each is planned for the rows
        // that are there.
        sqlx::raw_sql(
            "set statement_timeout = 0; set work_mem = '64MB'; set plan_cache_mode = auto; \
             set max_parallel_workers_per_gather = 0",
        )
        .execute(&mut connection)
        .await?;
        Ok(connection)
    }

    /// Checks that the database answers, on a connection that is used for nothing else.
    ///
    /// # Errors
    /// Why the database does not answer.
    pub async fn probe(&self) -> Result<(), Error> {
        let mut kept = self.probe.lock().await;
        // Put back only after it answered: a connection that failed, or whose probe was cancelled, is
        // not used again.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.pool.connect().await.map_err(database_error)?,
        };
        connection.ping().await.map_err(database_error)?;
        *kept = Some(connection);
        Ok(())
    }

    /// Opens connections up to `min_connections`, and closes idle ones beyond them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn maintain_pool(&self) -> Result<(), Error> {
        self.pool.maintain().await.map_err(|error| self.connection_error(error))
    }

    /// Stores the result of the health check, so that a call without a connection knows the reason.
    pub fn set_reachable(&self, reachable: bool) {
        self.unreachable.store(!reachable, Ordering::Relaxed);
    }

    /// The reason why a call got no connection in time. A call waits whether the database is busy or
    /// away, because both may pass; the pool can't tell which it was, the last health check can.
    fn connection_error(&self, error: sqlx::Error) -> Error {
        match error {
            sqlx::Error::PoolTimedOut if self.unreachable.load(Ordering::Relaxed) => {
                Error::Unavailable(Outage::Database)
            }
            other => database_error(other),
        }
    }

    /// Closes all connections, after those in use have come back.
    pub async fn close(&self) {
        if let Some(probe) = self.probe.lock().await.take() {
            let _ = probe.close().await;
        }
        self.pool.close().await;
    }
}
