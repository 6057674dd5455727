//! What the commands of an operator run on: the operations of the service, on the database itself.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{database::Database, error::CommandError, output::OutputError};
use crate::{
    clock::Clock,
    config::{DatabaseArgs, ServeArgs},
    domain::{AppKey, Error},
    ops::{Call, Context, Core, access::apps},
    server, store,
};

/// How long the database may work on one operation of a command.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Opens the database, runs a command on it, and closes it.
pub(super) async fn with_core<T>(
    database: &DatabaseArgs,
    args: &ServeArgs,
    command: impl AsyncFnOnce(&Arc<Core>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let database = Database::open(database).await?;
    // A shared database is not migrated: a service of another version may be using it.
    if database.is_private() {
        store::migrate(&database.url).await?;
    } else {
        store::require_current(&database.url).await?;
    }
    let mut args = args.clone();
    database.set_credentials_key(&mut args.access.credentials_key)?;
    let core = server::core(&database.url, &args, None, Clock::system())?;
    // The times that a command writes are compared with those of the service.
    let done = match server::read_clock(&core).await {
        Ok(()) => command(&core).await,
        Err(error) => Err(error.into()),
    };
    core.db.close().await;
    database.close().await?;
    done
}

/// The outcome of printing, for an operation that makes nothing which could not be shown.
pub(super) fn shown(printed: Result<(), OutputError>) -> Result<(), Error> {
    printed.map_err(|error| Error::Internal(format!("{error}; nothing was changed")))
}

/// When an operation that starts now has to be done.
pub(super) fn deadline() -> Instant {
    Instant::now() + TIMEOUT
}

/// An app key of the command line.
pub(super) fn app_key(text: &str) -> Result<AppKey, CommandError> {
    Ok(AppKey::parse("app_key", text)?)
}

/// A call in the name of an app, as its own token would make it.
pub(super) async fn call(core: &Arc<Core>, key: &str) -> Result<Call, CommandError> {
    let app = apps::get(core, &app_key(key)?).await?;
    let (core, app) = (Arc::clone(core), Arc::new(app));
    Ok(Call::alone(Context { core, app, deadline: deadline() }))
}
