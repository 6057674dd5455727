//! A database for one run, on a server that others use too: made, found again when it was left over, dropped.
//! These statements have no place among those of the service: they name databases, which no parameter can.

use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, query_scalar};

use super::{
    connector::Connector, database_place::with_database, database_url, migrate::MigrateError,
    outages::Outages,
};

/// What the names of the databases begin with.
const PREFIX: &str = "befriend_ephemeral_";

/// Databases of this age without a session are left over, in seconds. A service always has sessions.
const LEFT_OVER: i64 = 3600;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a database for one run could not be made or dropped.
#[derive(Debug, thiserror::Error)]
pub enum ThrowAwayError {
    /// The server can't be reached.
    #[error(transparent)]
    Unreachable(#[from] MigrateError),
    /// The server refused the statement.
    #[error("can't {verb} the database {name}: {source}")]
    Refused {
        /// "create" or "drop".
        verb: &'static str,
        /// The database.
        name: String,
        /// What the server said.
        source: sqlx::Error,
    },
}

/// A database for one run.
#[derive(Debug)]
pub struct ThrowAwayDatabase {
    server: String,
    name: String,
}

impl ThrowAwayDatabase {
    /// Makes an empty database on the server of `url`, whose role must be allowed to. Drops those that runs of
    /// long ago left behind. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`ThrowAwayError`].
    pub async fn create(url: &str, now: i64, unique: u64) -> Result<Self, ThrowAwayError> {
        let mut connection = connect(url).await?;
        drop_left_over(&mut connection, now).await;
        let name = format!("{PREFIX}{now}_{unique:016x}");
        let statement = format!("create database {name} encoding 'UTF8' template template0");
        let created = connection.execute(AssertSqlSafe(statement)).await;
        let _ = connection.close().await;
        match created {
            Ok(_) => Ok(Self { server: url.to_owned(), name }),
            Err(source) => Err(ThrowAwayError::Refused { verb: "create", name, source }),
        }
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// Drops the database, and ends what sessions it has.
    ///
    /// # Errors
    /// [`ThrowAwayError`].
    pub async fn drop(self) -> Result<(), ThrowAwayError> {
        let mut connection = connect(&self.server).await?;
        let statement = format!("drop database if exists {} with (force)", self.name);
        let dropped = connection.execute(AssertSqlSafe(statement)).await;
        let _ = connection.close().await;
        match dropped {
            Ok(_) => Ok(()),
            Err(source) => Err(ThrowAwayError::Refused { verb: "drop", name: self.name, source }),
        }
    }
}

/// The server refuses to drop a database that somebody uses, so those of living services stay.
async fn drop_left_over(connection: &mut PgConnection, now: i64) {
    let named = "select datname::text from pg_database where starts_with(datname::text, $1)";
    let found = query_scalar::<_, String>(named).bind(PREFIX).fetch_all(&mut *connection).await;
    for name in found.unwrap_or_default() {
        if made_at(&name).is_none_or(|made| now - made < LEFT_OVER) {
            continue;
        }
        let statement = format!("drop database if exists {name}");
        if let Err(error) = connection.execute(AssertSqlSafe(statement)).await {
            tracing::info!(database = name, %error, "a database of another run stays");
        }
    }
}

/// When a database was made, if it is one of ours: its name then holds nothing that SQL would read otherwise.
fn made_at(name: &str) -> Option<i64> {
    let (made, unique) = name.strip_prefix(PREFIX)?.split_once('_')?;
    let is_unique = unique.len() == 16 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    made.parse().ok().filter(|_| is_unique && made.bytes().all(|byte| byte.is_ascii_digit()))
}

async fn connect(url: &str) -> Result<PgConnection, MigrateError> {
    let connector = Connector::new(
        database_url::hosts(url)?,
        |options| options.application_name("befriend ephemeral"),
        CONNECT_TIMEOUT,
        Arc::new(Outages::new()),
    );
    Ok(connector.connect().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_read() {
        assert_eq!(made_at("befriend_ephemeral_1700000000_00112233aabbccdd"), Some(1_700_000_000));
        for other in [
            "befriend",
            "befriend_ephemeral_",
            "befriend_ephemeral_1700000000_0011",
            "befriend_ephemeral_-1_00112233aabbccdd",
            "befriend_ephemeral_1; drop_00112233aabbccdd",
            "befriend_ephemeral_1_00112233aabbccd\"",
        ] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }
}
