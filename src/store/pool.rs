//! The pool: connections are kept open, lent, and taken back without a round trip to the database.
//!
//! sqlx's own pool pings every connection when it is given back. That is one more round trip for each
//! statement, half of what a short statement costs. This pool pings a connection before it lends it, and
//! only if the connection was not used for a while.

use std::{
    io,
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{
        Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts,
    },
};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

/// A connection that was not used for longer than this is pinged before it is lent.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// A connection is replaced at this age, because its server process takes more memory over time.
const MAX_AGE: Duration = Duration::from_mins(30);

/// Connections beyond those that are kept open when idle are closed when they were not used for this
/// long.
const MAX_IDLE: Duration = Duration::from_mins(10);

/// The pauses between two tries to connect: 10 ms, 20 ms, 40 ms, … up to 500 ms.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// A connection on loan.
pub(super) type Lent = Object<Connector>;

/// Makes connections.
pub(super) struct Connector {
    options: PgConnectOptions,
    patience: Duration,
}

impl Connector {
    /// Opens a connection. Waits for a server that is just starting or has no room, but no longer than a
    /// call waits for a connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let until = Instant::now() + self.patience;
        let mut pause = PAUSES.0;
        loop {
            // Boxed, because this future is large, and would be part of every future that waits for a
            // connection.
            match Box::pin(self.options.connect()).await {
                Err(error) if passes(&error) && Instant::now() + pause < until => {}
                connected => return connected,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Whether the server may take a connection soon: it is starting, or has no room at the moment.
fn passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        self.connect().await
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > MAX_AGE {
            return Err(RecycleError::message("old"));
        }
        if metrics.last_used() > ASK_AFTER {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// The pool.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<Connector>,
    kept_idle: usize,
}

impl Connections {
    /// Prepares a pool of up to `most` connections, of which `kept_idle` stay open when no caller needs
    /// them. Connects when a connection is first needed. A caller waits for one up to `patience`.
    pub(super) fn new(
        options: PgConnectOptions,
        (kept_idle, most): (u32, u32),
        patience: Duration,
    ) -> Self {
        let pool = Pool::builder(Connector { options, patience })
            .max_size(most as usize)
            .timeouts(Timeouts {
                wait: Some(patience),
                create: Some(patience),
                recycle: Some(patience),
            })
            // The connection that was used last has the warmest caches.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have timeouts");
        Self { pool, kept_idle: kept_idle as usize }
    }

    /// Lends a connection until it is dropped.
    pub(super) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::Configuration("the pool has no runtime".into())
            }
        })
    }

    /// Opens a connection outside the pool.
    pub(super) async fn beside(&self) -> Result<PgConnection, sqlx::Error> {
        self.pool.manager().connect().await
    }

    /// Closes connections that were not used for long, and opens those that are kept open when idle.
    pub(super) async fn tend(&self) -> Result<(), sqlx::Error> {
        let mut open = self.pool.status().size;
        let unused = self.pool.retain(|_, metrics| {
            let keep = open <= self.kept_idle || metrics.last_used() < MAX_IDLE;
            open -= usize::from(!keep);
            keep
        });
        for connection in unused.removed {
            let _ = connection.close().await;
        }
        let mut opened = Vec::new();
        while self.pool.status().size < self.kept_idle && !self.pool.is_closed() {
            opened.push(self.lend().await?);
        }
        Ok(())
    }

    /// Closes all connections, and waits for those that are lent.
    pub(super) async fn close(&self) {
        let idle = self.pool.retain(|_, _| false);
        self.pool.close();
        for connection in idle.removed {
            let _ = connection.close().await;
        }
        while self.pool.status().size > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
