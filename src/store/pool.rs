//! The connection pool. A connection is borrowed and given back without a round trip.
//!
//! sqlx's own pool pings each connection when it comes back, which is as many round trips as short
//! reads make. This pool checks a connection only when it was not used for a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolError, QueueMode, TimeoutType, Timeouts},
};
use metrics::Histogram;
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use super::{
    connector::{ConnectError, Connector},
    database_url::Host,
    outages::Outages,
};
use crate::{
    domain::{Error, Outage, backoff},
    measure::Stopwatch,
};

/// Connections beyond `min_connections` are closed after so long without use.
const MAX_IDLE: Duration = Duration::from_mins(10);

/// The pauses of a call for which the server has no room: 5 ms, 10 ms, 20 ms, 40 ms, 50 ms, 50 ms, …
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How many connections a pool has.
#[derive(Clone, Copy, Debug)]
pub struct PoolState {
    /// The most that it opens.
    pub max: usize,
    /// Those that are open.
    pub open: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// How many callers wait for one.
    pub waiting: usize,
}

/// A connection that goes back to the pool when it is dropped.
pub(super) type Pooled = Object<Connector>;

/// The connections of the service. A clone shares the same connections.
#[derive(Clone)]
pub(super) struct ConnectionPool {
    pool: Pool<Connector>,
    outages: Arc<Outages>,
    min_connections: usize,
    waits: Histogram,
    acquire_timeout: Duration,
}

impl ConnectionPool {
    /// Prepares a pool. The first connection is opened when it is needed.
    pub(super) fn new(
        connector: Connector,
        outages: Arc<Outages>,
        (min_connections, max_connections): (u32, u32),
        acquire_timeout: Duration,
    ) -> Self {
        let pool = Pool::builder(connector)
            .max_size(max_connections as usize)
            .timeouts(Timeouts {
                wait: Some(acquire_timeout),
                create: Some(acquire_timeout),
                recycle: Some(acquire_timeout),
            })
            // The connection that was used last has the warmest caches, and needs no check.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have timeouts");
        let waits = metrics::histogram!("befriend_db_pool_wait_seconds");
        let min_connections = min_connections as usize;
        Self { pool, outages, min_connections, waits, acquire_timeout }
    }

    /// Borrows a connection, or opens one, or waits until one comes back. Fails at once while the database
    /// is known to be away.
    pub(super) async fn acquire(&self) -> Result<Pooled, Error> {
        if self.outages.is_away() {
            return Err(Error::Unavailable(Outage::Away));
        }
        let stopwatch = Stopwatch::start();
        let until = Instant::now() + self.acquire_timeout;
        let mut refused = 0;
        let connection = loop {
            match self.pool.get().await {
                Err(PoolError::Backend(error)) if error.has_no_room() && Instant::now() < until => {
                    refused += 1;
                    sleep(backoff(FIRST_PAUSE, refused, LONGEST_PAUSE)).await;
                }
                got => break got,
            }
        };
        stopwatch.record(&self.waits);
        connection.map_err(|error| self.not_acquired(error))
    }

    fn not_acquired(&self, error: PoolError<ConnectError>) -> Error {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                metrics::counter!("befriend_db_pool_timeouts_total").increment(1);
                Error::Unavailable(Outage::Busy)
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                self.outages.suspect();
                Error::Unavailable(Outage::Away)
            }
            PoolError::Backend(error) => self.not_connected(&error),
            PoolError::Closed => Error::Unavailable(Outage::ShuttingDown),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Error::Internal("the pool has no runtime".to_owned())
            }
        }
    }

    /// The connections now.
    pub(super) fn state(&self) -> PoolState {
        let status = self.pool.status();
        PoolState {
            max: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// What a call is told when no connection could be opened.
    pub(super) fn not_connected(&self, error: &ConnectError) -> Error {
        self.outages.suspect();
        tracing::debug!(%error, "no connection to the database can be opened");
        Error::Unavailable(if error.has_no_room() { Outage::Busy } else { Outage::Away })
    }

    /// Opens further connections as these hosts say; false if they lead to another database.
    pub(super) fn replace_hosts(&self, hosts: Vec<Host>) -> bool {
        self.pool.manager().replace_hosts(hosts)
    }

    /// Opens a connection that is not part of the pool.
    pub(super) async fn connect(&self) -> Result<PgConnection, ConnectError> {
        self.pool.manager().connect().await
    }

    /// The same, without waiting for a server that is starting: tries each host once.
    pub(super) async fn connect_once(&self, time: Duration) -> Result<PgConnection, ConnectError> {
        self.pool.manager().connect_once(time).await
    }

    /// Closes connections that are condemned, and idle ones beyond `min_connections`; opens those that are
    /// missing.
    pub(super) async fn maintain(&self) -> Result<(), Error> {
        let mut open = self.pool.status().size;
        let unused = self.pool.retain(|_, metrics| {
            let idle = open > self.min_connections && metrics.last_used() >= MAX_IDLE;
            let keep = !idle && !self.outages.condemned(&metrics);
            open -= usize::from(!keep);
            keep
        });
        for connection in unused.removed {
            close(connection).await;
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
            close(connection).await;
        }
        while self.pool.status().size > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Says goodbye to the server. To one that does not take it within a second the connection is just cut.
async fn close(connection: PgConnection) {
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
}
