//! What the commands of an operator run on: the operations of the service, on the database itself.

use std::{
    env,
    sync::{Arc, OnceLock},
    time::Duration,
};

use nix::unistd::{Uid, User, gethostname};
use tokio::time::Instant;

use super::{database::Database, error::CommandError, output::OutputError};
use crate::{
    clock::Clock,
    config::{DatabaseArgs, ServeArgs},
    domain::{ActorKind, AppKey, Author, Error},
    ops::{Call, Context, Core, OperatorCall, access::apps},
    server, store,
    trace::Trace,
};

/// How long the database may work on one operation of a command.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How much of the name of who used sudo is recorded, in characters.
const LONGEST_USER: usize = 64;

/// Opens the database, runs a command on it, and closes it.
pub(super) async fn with_core<T>(
    database: &DatabaseArgs,
    args: &ServeArgs,
    command: impl AsyncFnOnce(&Arc<Core>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let database = Database::join(database).await?;
    database.tell();
    // The database is not migrated: a service of another version may be using it.
    store::require_current(&database.url).await?;
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

/// How the printing went that an operation waits for: it makes nothing which could not be shown, and its own
/// error does not say that it was the output that failed.
#[derive(Debug, Default)]
pub(super) struct Printing(OnceLock<OutputError>);

impl Printing {
    /// Notes the outcome of printing, for the operation that waits for it.
    pub(super) fn note(&self, printed: Result<(), OutputError>) -> Result<(), Error> {
        printed.map_err(|error| {
            let why = error.to_string();
            // An operation gives up at the first failure.
            let _ = self.0.set(error);
            Error::Internal(why)
        })
    }

    /// The outcome of the operation.
    pub(super) fn outcome<T>(self, done: Result<T, Error>) -> Result<T, CommandError> {
        match (done, self.0.into_inner()) {
            (Err(_), Some(error)) => Err(format!("{error}; nothing was changed").into()),
            (done, _) => Ok(done?),
        }
    }
}

/// When an operation that starts now has to be done.
pub(super) fn deadline() -> Instant {
    Instant::now() + TIMEOUT
}

/// An app key of the command line.
pub(super) fn app_key(text: &str) -> Result<AppKey, CommandError> {
    Ok(AppKey::parse("app_key", text)?)
}

/// A call that concerns the installation, by the user who runs this command.
pub(super) fn operator_call(core: &Arc<Core>) -> OperatorCall {
    OperatorCall { core: Arc::clone(core), author: author(), deadline: deadline() }
}

/// Who runs this command: the user of the operating system, with the one who used sudo, and the host.
pub(super) fn author() -> Author {
    let uid = Uid::effective();
    let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let mut name = user.unwrap_or_else(|| format!("uid {uid}"));
    if uid.is_root()
        && let Ok(sudoer) = env::var("SUDO_USER")
    {
        let visible = sudoer.chars().filter(char::is_ascii_graphic).take(LONGEST_USER);
        name = format!("{name} ({})", visible.collect::<String>());
    }
    let host = gethostname().ok().and_then(|host| host.into_string().ok());
    Author { kind: ActorKind::Console, name, origin: host.unwrap_or_default() }
}

/// A call in an app, by the user who runs this command.
pub(super) async fn call(core: &Arc<Core>, key: &str) -> Result<Call, CommandError> {
    let app = apps::get(core, &app_key(key)?).await?;
    let (core, app) = (Arc::clone(core), Arc::new(app));
    Ok(Call::alone(Context { core, app, deadline: deadline(), trace: Trace::NONE }, author()))
}
