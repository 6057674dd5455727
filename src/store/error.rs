//! The meaning of a database error for the caller.

use crate::domain::{Error, Outage};

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        database_error(error)
    }
}

pub(super) fn database_error(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => Error::Unavailable(Outage::Busy),
        sqlx::Error::PoolClosed => Error::Unavailable(Outage::ShuttingDown),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            Error::Unavailable(Outage::Database)
        }
        sqlx::Error::Database(ref reported) => match reported.code().as_deref() {
            // serialization_failure, deadlock_detected, lock_not_available
            Some("40001" | "40P01" | "55P03") => Error::Conflict,
            // query_canceled: only a statement_timeout cancels the service's statements.
            Some("57014") => Error::DeadlineExceeded,
            // admin_shutdown, crash_shutdown, cannot_connect_now, read_only_sql_transaction (a
            // standby), idle_in_transaction_session_timeout
            Some("57P01" | "57P02" | "57P03" | "25006" | "25P03") => {
                Error::Unavailable(Outage::Database)
            }
            // too_many_connections
            Some("53300") => Error::Unavailable(Outage::Busy),
            // Classes: connection exception; invalid authorization; invalid catalog name, which means
            // that the database does not exist.
            Some(code) if ["08", "28", "3D"].iter().any(|class| code.starts_with(class)) => {
                tracing::warn!(%error, "the database refuses connections of this service");
                Error::Unavailable(Outage::Database)
            }
            _ => Error::Internal(error.to_string()),
        },
        sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
            tracing::warn!(%error, "the connection to the database failed");
            Error::Unavailable(Outage::Database)
        }
        _ => Error::Internal(error.to_string()),
    }
}
