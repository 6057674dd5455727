//! A pooled connection in use: for one read, or for a transaction.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use tokio::{runtime::Handle, time::timeout};

use super::{error::database_error, outages::Outages, pool::Pooled};
use crate::domain::{Error, Outage};

/// How long a rollback may take. It waits for a statement that is under way; and a connection that is lost
/// without a word would never answer. The server ends the transaction of a connection that is closed.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

const IN_USE: &str = "the connection goes back only when its owner is dropped";

/// A connection for one read. It goes back to the pool after the read; it is closed when the read was
/// dropped before its end, or when the connection broke.
pub(super) struct ReadConnection {
    connection: Option<Pooled>,
    reusable: bool,
}

impl ReadConnection {
    pub(super) fn new(connection: Pooled) -> Self {
        Self { connection: Some(connection), reusable: false }
    }

    /// Runs the read.
    pub(super) async fn run<T>(
        mut self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let result = read(self.connection.as_mut().expect(IN_USE)).await;
        self.reusable = !matches!(result, Err(Error::Unavailable(_)));
        result
    }
}

impl Drop for ReadConnection {
    fn drop(&mut self) {
        if !self.reusable
            && let Some(connection) = self.connection.take()
        {
            drop(Pooled::take(connection));
        }
    }
}

/// A transaction at READ COMMITTED. Unless it is committed, it is rolled back when it is dropped.
pub struct Tx {
    connection: Option<Pooled>,
    outages: Arc<Outages>,
}

impl Tx {
    /// Begins a transaction, with shorter timeouts than the connection's if they are given.
    pub(super) async fn begin(
        connection: Pooled,
        outages: Arc<Outages>,
        statement_timeout: Option<Duration>,
        lock_timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let mut begin = "begin".to_owned();
        for (name, timeout) in
            [("statement_timeout", statement_timeout), ("lock_timeout", lock_timeout)]
        {
            if let Some(timeout) = timeout {
                begin += &format!("; set local {name} = {}", timeout.as_millis().max(1));
            }
        }
        let mut tx = Self { connection: Some(connection), outages };
        // One round trip for all three statements. They hold no text but ours, and integers.
        tx.execute(AssertSqlSafe(begin)).await?;
        Ok(tx)
    }

    /// Makes the changes durable.
    ///
    /// # Errors
    /// [`Outage::DuringCommit`] when the connection broke: the changes happened or not, and only the
    /// caller can decide to repeat them.
    pub async fn commit(mut self) -> Result<(), Error> {
        let outages = Arc::clone(&self.outages);
        let commit = async { self.execute("commit").await.map(drop).map_err(database_error) };
        match outages.guard_commit(commit).await {
            Ok(()) => {
                // Returns the connection to the pool, without a rollback.
                self.connection = None;
                Ok(())
            }
            // The server has said that it could not write: nothing has happened.
            Err(full @ Error::Unavailable(Outage::DiskFull)) => Err(full),
            Err(Error::Unavailable(_) | Error::Conflict) => {
                Err(Error::Unavailable(Outage::DuringCommit))
            }
            Err(other) => Err(other),
        }
    }
}

impl Drop for Tx {
    /// Rolls back a transaction that was not committed, then returns the connection to the pool.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            drop(Pooled::take(connection));
            return;
        };
        runtime.spawn(async move {
            let rolled_back = timeout(ROLLBACK_TIMEOUT, connection.execute("rollback")).await;
            if !matches!(rolled_back, Ok(Ok(_))) {
                drop(Pooled::take(connection));
            }
        });
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(IN_USE)
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(IN_USE)
    }
}
