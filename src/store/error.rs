//! The meaning of a database error for the caller.

use super::sqlstate::{Meaning, meaning};
use crate::domain::{Error, Invalid, Outage};

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        database_error(error)
    }
}

/// The classes under which errors of the database are counted.
pub fn error_classes() -> impl Iterator<Item = &'static str> {
    Meaning::ALL.into_iter().map(Meaning::name)
}

pub(super) fn database_error(error: sqlx::Error) -> Error {
    let class = match &error {
        sqlx::Error::Database(reported) => meaning(&reported.code().unwrap_or_default()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed => Meaning::ConnectionLost,
        _ => Meaning::Ours,
    };
    metrics::counter!("befriend_db_errors_total", "class" => class.name()).increment(1);
    match error {
        sqlx::Error::Database(ref reported) => {
            let code = reported.code().unwrap_or_default();
            reported_error(&error, &code)
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            Error::Unavailable(Outage::Database)
        }
        sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
            tracing::warn!(%error, "the connection to the database failed");
            Error::Unavailable(Outage::Database)
        }
        _ => Error::Internal(error.to_string()),
    }
}

/// What the server said, without the words around it.
fn said(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// The error that the server reported with this code.
fn reported_error(error: &sqlx::Error, code: &str) -> Error {
    match meaning(code) {
        Meaning::Collision => Error::Conflict,
        Meaning::Cancelled => Error::DeadlineExceeded,
        Meaning::ConnectionLost => {
            tracing::debug!(%error, code, "a connection to the database is of no use any more");
            Error::Unavailable(Outage::Database)
        }
        Meaning::Refused => {
            tracing::warn!(%error, code, "the database refuses connections of this service");
            Error::Unavailable(Outage::Database)
        }
        Meaning::ReadOnly => Error::Unavailable(Outage::ReadOnly),
        Meaning::DiskFull => Error::Unavailable(Outage::DiskFull),
        Meaning::Busy => {
            tracing::warn!(%error, code, "the database lacks resources");
            Error::Unavailable(Outage::Busy)
        }
        Meaning::BadCharacter => {
            let why = "contains a character that the database can't keep";
            Error::Invalid(Invalid::argument("request", why))
        }
        Meaning::Privilege => Error::PrivilegeMissing(said(error)),
        Meaning::Ours => Error::Internal(format!("{error} ({code})")),
    }
}
