//! The database: reads, transactions, deadlines, and the bounded retry.

use std::{fmt, sync::Arc, time::Duration};

use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    connection::{ReadConnection, Tx},
    connector::{ConnectError, Connector, role},
    database_url::{self, DatabaseUrlError},
    disk,
    outages::Outages,
    pool::{ConnectionPool, PoolState},
    role::Role,
};
use crate::{
    domain::{Error, Outage, backoff, jittered, random_fraction},
    measure::Stopwatch,
};

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

/// How long a transaction may be idle between two statements. An instance that is frozen, or vanished
/// without closing its connection, holds its locks for no longer: other instances wait up to 3 s for a
/// lock, and so get it in time.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(2);

/// How many prepared statements a connection keeps: more than there are.
const STATEMENTS: usize = 500;

/// How long the prober waits for an answer on its connection, and how long for a new connection.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
const PROBE_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The database as the operations see it. A clone shares the same connections.
#[derive(Clone)]
pub struct Db {
    pool: ConnectionPool,
    /// The prober has a connection of its own, so that it does not wait for a free one.
    probe: Arc<Mutex<Option<PgConnection>>>,
    outages: Arc<Outages>,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

/// Why the database can't be used as it should.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No server that takes writes could be reached.
    #[error(transparent)]
    Unreachable(#[from] ConnectError),
    /// Reads succeed, writes don't.
    #[error("the disk of the database is full")]
    DiskFull,
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
    /// [`DatabaseUrlError`].
    pub fn new(url: &str, settings: &DbSettings) -> Result<Self, DatabaseUrlError> {
        let outages = Arc::new(Outages::new());
        let session = settings.clone();
        let connector = Connector::new(
            database_url::hosts(url)?,
            move |options| session_options(options, &session),
            settings.acquire_timeout,
            Arc::clone(&outages),
        );
        let sizes = (settings.min_connections, settings.max_connections);
        let shared = Arc::clone(&outages);
        Ok(Self {
            pool: ConnectionPool::new(connector, shared, sizes, settings.acquire_timeout),
            probe: Arc::default(),
            outages,
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout,
        })
    }

    /// Opens further connections by this URL, which differs from that of [`Db::new`] in user and password at
    /// the most.
    ///
    /// # Errors
    /// [`DatabaseUrlError`], also when the URL leads to another database.
    pub fn set_url(&self, url: &str) -> Result<(), DatabaseUrlError> {
        match self.pool.replace_hosts(database_url::hosts(url)?) {
            true => Ok(()),
            false => Err(DatabaseUrlError::OtherDatabase),
        }
    }

    /// How long a read takes at most: the wait for a connection, and one statement.
    #[must_use]
    pub fn longest_read(&self) -> Duration {
        self.acquire_timeout + self.statement_timeout
    }

    /// Runs `attempt` up to four times, with short random pauses between them, while it collides with
    /// other transactions or loses its connection before its commit was sent. Nothing is tried again
    /// after a commit was sent, and nothing while no connection can be opened.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn retrying<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut attempts = 0;
        // One place that awaits: the futures of calls are large.
        loop {
            attempts += 1;
            match self.guard(attempt()).await {
                Err(
                    error @ (Error::Conflict
                    | Error::Unavailable(Outage::Database | Outage::ReadOnly)),
                ) if attempts < ATTEMPTS => {
                    tracing::debug!(attempts, %error, "a read or a transaction is tried again");
                    metrics::counter!("befriend_db_retries_total").increment(1);
                    let pause = backoff(FIRST_PAUSE, attempts, LONGEST_PAUSE);
                    tokio::time::sleep(jittered(pause, random_fraction())).await;
                }
                result => return result,
            }
        }
    }

    /// Runs `work`, which uses the database. Ends it when the database is found to be away meanwhile, or its
    /// connections are lost without a word.
    ///
    /// [`Db::retrying`], [`Db::read`] and [`Db::read_once`] do so by themselves. Transactions of batches and
    /// of background work, which none of them repeats, run in a guard of their own.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Unavailable`].
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.outages.guard(work).await
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
        self.retrying(|| self.run_read(read)).await
    }

    /// [`Db::read`] without retries, for batches and loops, which have their own.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_once<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.guard(self.run_read(read)).await
    }

    async fn run_read<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        ReadConnection::new(self.pool.acquire().await?).run(read).await
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
        let (connection, outages) = (self.pool.acquire().await?, Arc::clone(&self.outages));
        Tx::begin(connection, outages, statement_timeout, lock_timeout).await
    }

    /// Opens a connection that the pool does not share, for bulk work: its statements may run long and
    /// leave temporary tables behind. The connection is closed when it is dropped.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn session(&self) -> Result<PgConnection, Error> {
        let connection = self.pool.connect().await;
        let mut connection = connection.map_err(|error| self.pool.not_connected(&error))?;
        // Bulk statements read whole tables: they have no timeout, and each is planned for the rows
        // that are there. The files may be slower than the database; the session locks no user's row.
        sqlx::raw_sql(
            "set statement_timeout = 0; set idle_in_transaction_session_timeout = '5min'; \
             set work_mem = '64MB'; set plan_cache_mode = auto; \
             set max_parallel_workers_per_gather = 0",
        )
        .execute(&mut connection)
        .await?;
        Ok(connection)
    }

    /// Looks whether the database takes writes, on a connection that is used for nothing else. Calls learn
    /// from it: they fail at once when it has found no server for a second, until it finds one.
    ///
    /// # Errors
    /// [`Unusable`].
    pub async fn probe(&self) -> Result<(), Unusable> {
        let began = Instant::now().into_std();
        let mut kept = self.probe.lock().await;
        // Put back only after it answered: a connection that failed, or whose probe was cancelled, is
        // not used again.
        match self.probe_connection(kept.take()).await {
            Ok(mut connection) => {
                self.outages.reachable();
                self.outages.set_role(Some(Role::Primary));
                let has_room = disk::has_room(&self.outages, &mut connection).await;
                *kept = Some(connection);
                if has_room { Ok(()) } else { Err(Unusable::DiskFull) }
            }
            Err(error) => {
                self.outages.unreachable(began);
                self.outages.set_role(error.role());
                Err(error.into())
            }
        }
    }

    /// The prober's connection if it still takes writes, else a new one.
    async fn probe_connection(
        &self,
        kept: Option<PgConnection>,
    ) -> Result<PgConnection, ConnectError> {
        let Some(mut connection) = kept else {
            return self.pool.connect_once(PROBE_CONNECT_TIMEOUT).await;
        };
        let round_trip = Stopwatch::start();
        let silent = match timeout(PROBE_TIMEOUT, role(&mut connection)).await {
            Ok(Ok(Role::Primary)) => {
                round_trip.record(&metrics::histogram!("befriend_db_round_trip_seconds"));
                return Ok(connection);
            }
            Ok(_) => false,
            Err(_) => true,
        };
        // What has happened to this connection has happened to the others.
        self.outages.condemn();
        let connection = self.pool.connect_once(PROBE_CONNECT_TIMEOUT).await?;
        if silent {
            // A server answers, but not on the connections that are open: who waits there waits in vain.
            self.outages.interrupt();
        }
        Ok(connection)
    }

    /// Whether the database is known to be away: calls fail at once.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.outages.is_away()
    }

    /// What the server was when it was last looked at; `None` when none could be reached.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.outages.role()
    }

    /// Whether the last write that needed room on the disk found none.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.outages.full_since().is_some()
    }

    /// The connections of the pool.
    #[must_use]
    pub fn pool_state(&self) -> PoolState {
        self.pool.state()
    }

    /// Returns when a call has met an error that may be an outage, so that the next probe is due.
    pub async fn suspected(&self) {
        self.outages.suspected().await;
    }

    /// Opens connections up to `min_connections`, and closes idle ones beyond them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn maintain_pool(&self) -> Result<(), Error> {
        self.pool.maintain().await
    }

    /// Closes all connections, after those in use have come back.
    pub async fn close(&self) {
        *self.probe.lock().await = None;
        self.pool.close().await;
    }
}

/// The settings of a session.
fn session_options(options: PgConnectOptions, settings: &DbSettings) -> PgConnectOptions {
    let millis = |d: Duration| d.as_millis().max(1).to_string();
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("befriend"),
    };
    let options = options.statement_cache_capacity(STATEMENTS);
    options.options([
        ("statement_timeout", millis(settings.statement_timeout)),
        ("lock_timeout", millis(settings.lock_timeout)),
        ("idle_in_transaction_session_timeout", millis(IDLE_IN_TRANSACTION)),
        // A read that is cancelled closes its connection. The server looks for that every 500 ms
        // while a statement runs, and stops the statement.
        ("client_connection_check_interval", "500".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        // Every statement uses the same index for all arguments, and planning one anew for each call
        // takes longer than running it.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
    ])
}
