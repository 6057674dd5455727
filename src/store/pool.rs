//! The connection pool. A connection is borrowed and given back without a round trip.
//!
//! sqlx's own pool pings each connection when it comes back, which is as many round trips as short
//! reads make. This pool pings a connection only when it was not used for a second.

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

use crate::domain::backoff;

/// A connection that was idle for longer is pinged before it is used.
const PING_AFTER: Duration = Duration::from_secs(1);

/// A connection is replaced at this age, and with it the memory that its server process has gathered.
const MAX_AGE: Duration = Duration::from_mins(30);

/// Connections beyond `min_connections` are closed after so long without use.
const MAX_IDLE: Duration = Duration::from_mins(10);

/// The pauses between attempts to connect: 10 ms, 20 ms, 40 ms, … up to 500 ms.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A connection that goes back to the pool when it is dropped.
pub(super) type Pooled = Object<Connector>;

/// Opens connections.
pub(super) struct Connector {
    options: PgConnectOptions,
    timeout: Duration,
}

impl Connector {
    /// Opens a connection. Tries again while the server is starting or has no room, for no longer than
    /// a call waits for a connection.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let until = Instant::now() + self.timeout;
        let mut failures = 0;
        loop {
            failures += 1;
            let pause = backoff(FIRST_PAUSE, failures, LONGEST_PAUSE);
            // Boxed, because the future is large, and part of the future of every call.
            match Box::pin(self.options.connect()).await {
                Err(error) if may_pass(&error) && Instant::now() + pause < until => {}
                result => return result,
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn may_pass(error: &sqlx::Error) -> bool {
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
        if metrics.last_used() > PING_AFTER {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// The connections of the service. A clone shares the same connections.
#[derive(Clone)]
pub(super) struct ConnectionPool {
    pool: Pool<Connector>,
    min_connections: usize,
}

impl ConnectionPool {
    /// Prepares a pool. The first connection is opened when it is needed.
    pub(super) fn new(
        options: PgConnectOptions,
        (min_connections, max_connections): (u32, u32),
        acquire_timeout: Duration,
    ) -> Self {
        let pool = Pool::builder(Connector { options, timeout: acquire_timeout })
            .max_size(max_connections as usize)
            .timeouts(Timeouts {
                wait: Some(acquire_timeout),
                create: Some(acquire_timeout),
                recycle: Some(acquire_timeout),
            })
            // The connection that was used last has the warmest caches, and needs no ping.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have timeouts");
        Self { pool, min_connections: min_connections as usize }
    }

    /// Borrows a connection, or opens one, or waits until one comes back.
    pub(super) async fn acquire(&self) -> Result<Pooled, sqlx::Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::Configuration("the pool has no runtime".into())
            }
        })
    }

    /// Opens a connection that is not part of the pool.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.pool.manager().connect().await
    }

    /// Closes idle connections beyond `min_connections`, and opens those that are missing.
    pub(super) async fn maintain(&self) -> Result<(), sqlx::Error> {
        let mut open = self.pool.status().size;
        let unused = self.pool.retain(|_, metrics| {
            let keep = open <= self.min_connections || metrics.last_used() < MAX_IDLE;
            open -= usize::from(!keep);
            keep
        });
        for connection in unused.removed {
            let _ = connection.close().await;
        }
        let mut opened = Vec::new();
        while self.pool.status().size < self.min_connections && !self.pool.is_closed() {
            opened.push(self.acquire().await?);
        }
        Ok(())
    }

    /// Closes all connections, after those in use have come back.
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
