//! Logging in to the server: it shows that the server accepts connections, and creates the role and the
//! database of the service at the first start.
//!
//! The service's own client does it, because `psql` and `createdb` are not always installed beside the
//! server.

use std::{io, thread, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{runtime, time::timeout};

use super::{
    cluster::{Cluster, SUPERUSER},
    deadline::Deadline,
    error::StartError,
    layout::{self, Layout},
};

/// The service's role: it may create databases, and is not a superuser.
pub(super) const ROLE: &str = "befriend";

/// The service's database.
pub(super) const DATABASE: &str = "befriend";

/// What creates both, each with the SQLSTATE that says that it exists already.
const STATEMENTS: [(&str, &str); 2] = [
    ("create role befriend login createdb", DUPLICATE_OBJECT),
    ("create database befriend owner befriend", DUPLICATE_DATABASE),
];

/// What drops the other databases of a new cluster, which take two thirds of it.
const DROPS: [&str; 5] = [
    "alter database template0 is_template false",
    "drop database template0",
    "alter database template1 is_template false",
    "drop database template1",
    "drop database postgres",
];

/// How long a login or a statement may take: creating a database copies 7 MB, which the slowest disks do
/// in far less.
const TIMEOUT: Duration = Duration::from_mins(1);

const CANNOT_CONNECT_NOW: &str = "57P03";
const INVALID_AUTHORIZATION: &str = "28000";
const INVALID_CATALOG_NAME: &str = "3D000";
const DUPLICATE_OBJECT: &str = "42710";
const DUPLICATE_DATABASE: &str = "42P04";

/// Logs in as the service will. Creates the role and the database if they are missing.
pub(super) fn ensure_database(
    cluster: &Cluster,
    layout: &Layout,
    deadline: Deadline,
) -> Result<(), StartError> {
    loop {
        let Err(error) = block_on(log_in_or_create(cluster)) else { return Ok(()) };
        // The server recovers from a crash of one of its processes, and accepts connections after that.
        if !has_code(&error, &[CANNOT_CONNECT_NOW]) {
            return Err(StartError::Database { reason: error.to_string() });
        }
        if !deadline.pause() {
            return Err(layout.timeout("Postgres to accept connections", deadline, 0));
        }
    }
}

async fn log_in_or_create(cluster: &Cluster) -> Result<(), sqlx::Error> {
    match log_in(cluster, ROLE, DATABASE).await {
        Err(error) if has_code(&error, &[INVALID_AUTHORIZATION, INVALID_CATALOG_NAME]) => {
            create(cluster).await?;
            log_in(cluster, ROLE, DATABASE).await?.close().await
        }
        session => session?.close().await,
    }
}

/// Drops all databases but the service's.
pub(super) fn drop_other_databases(cluster: &Cluster) -> Result<(), StartError> {
    let dropping = async {
        let mut session = log_in(cluster, SUPERUSER, DATABASE).await?;
        for statement in DROPS {
            in_time(session.execute(statement)).await?;
        }
        session.close().await
    };
    block_on(dropping).map_err(|error| StartError::Database { reason: error.to_string() })
}

async fn create(cluster: &Cluster) -> Result<(), sqlx::Error> {
    let mut session = log_in(cluster, SUPERUSER, "postgres").await?;
    for (statement, exists_already) in STATEMENTS {
        match in_time(session.execute(statement)).await {
            Ok(_) => {}
            Err(error) if has_code(&error, &[exists_already]) => {}
            Err(error) => return Err(error),
        }
    }
    session.close().await
}

async fn log_in(
    cluster: &Cluster,
    role: &str,
    database: &str,
) -> Result<PgConnection, sqlx::Error> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(&cluster.socket_folder)
        .port(layout::PORT)
        .ssl_mode(PgSslMode::Disable)
        .username(role)
        .database(database);
    in_time(options.connect()).await
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(TIMEOUT, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| codes.contains(&&*code))
}

/// Waits for a future on a thread of its own: the caller's may be one of a runtime's, which must not
/// wait.
fn block_on<T: Send>(
    future: impl Future<Output = Result<T, sqlx::Error>> + Send,
) -> Result<T, sqlx::Error> {
    let run = || runtime::Builder::new_current_thread().enable_all().build()?.block_on(future);
    thread::scope(|scope| scope.spawn(run).join().expect("the future does not panic"))
}
