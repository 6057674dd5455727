//! `befriend serve`: opens the database, brings its schema up to date, and runs the server.

use tokio::net::TcpListener;

use super::{
    database::{Database, wait_for_database},
    dev::demo,
    ephemeral::introduce,
    error::CommandError,
    listener::listen,
    output::print,
    parent::Parent,
    signals::listen_to_signals,
};
use crate::{
    clock::Clock,
    config::{DatabaseArgs, PoolArgs, ServeArgs},
    ops::Core,
    server::{self, Admin, Signals, TraceExport},
    store,
    telemetry::{self, LogControl},
};

/// Serves until a signal. [`ServeArgs::check`] has accepted the settings.
pub(super) async fn serve(
    database_args: DatabaseArgs,
    args: ServeArgs,
    warnings: &[String],
    parent: &Parent,
) -> Result<(), CommandError> {
    let changeable = args.admin.admin_listen.is_some();
    let traced = args.traces.otlp_endpoint.is_some();
    let log = telemetry::start(args.log.log_format, &args.log.log, changeable, traced);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    server::descriptors::raise();
    // The database of a throw-away run is never another one.
    let named = (!args.ephemeral).then(|| database_args.clone());
    let signals = Signals { database: named, ..listen_to_signals() };
    if args.ephemeral {
        parent.watch(&signals.stop);
    }
    // Before the database is started: a port that is in use is reported at once.
    let listener = listen("--listen", &args.listener.listen).await?;
    // Before anything that is measured is created.
    let admin = open_admin(&args, log).await?;
    let database = match args.ephemeral {
        true => Database::throw_away(&database_args).await?,
        false => Database::open(&database_args).await?,
    };
    tracing::info!(database = database.place, "using a database");
    let served = serve_on(&database, listener, &admin, args, signals).await;
    database.close().await?;
    tracing::info!("stopped");
    served
}

/// Serves on a database that is open, and leaves it open.
async fn serve_on(
    database: &Database,
    listener: TcpListener,
    admin: &Admin,
    mut args: ServeArgs,
    signals: Signals,
) -> Result<(), CommandError> {
    database.set_credentials_key(&mut args.access.credentials_key)?;
    let given_token = args.access.operator_token()?;
    let kept_token = match given_token {
        Some(_) => None,
        None => database.operator_token()?,
    };
    let operator_token = given_token.or_else(|| kept_token.clone());
    if operator_token.is_none() {
        tracing::warn!(
            "--operator-token is not set: only operators whose tokens are in the database can call \
             the services for operators"
        );
    }
    let traces = TraceExport::start(&args.traces)?;
    let core = server::core(&database.url, &args, operator_token.clone(), Clock::system())?;
    tokio::select! {
        ready = make_ready(&core, &database.url, &args.pool) => ready?,
        () = signals.stop.cancelled() => {
            tracing::info!("stopped before the database was ready");
            return Ok(());
        }
    }
    let (address, tls) = (listener.local_addr()?, args.listener.tls_cert.is_some());
    tracing::info!(%address, tls, "listening");
    if args.ephemeral {
        introduce(&core, &database.url, address, tls, operator_token.as_ref()).await?;
    } else if args.demo {
        let stop = signals.stop.clone();
        show(&demo::prepare(&core, address, tls, operator_token.as_ref(), stop).await?);
    } else if let Some(token) = kept_token {
        show(&format!("operator token: {}", token.reveal()));
    }
    let webhook = args.callbacks.webhook(database.is_private());
    if args.callbacks.deliver && webhook.allow_private {
        tracing::warn!(
            "callbacks may go to loopback and private addresses: --callback-allow-private"
        );
    }
    let served = server::serve(listener, core, &args, webhook, admin, signals).await;
    traces.end().await;
    Ok(served?)
}

/// Opens the operator's listener, if there is one.
async fn open_admin(args: &ServeArgs, log: LogControl) -> Result<Admin, CommandError> {
    let Some(address) = &args.admin.admin_listen else { return Ok(Admin::default()) };
    let listener = listen("--admin-listen", address).await?;
    tracing::info!(address = %listener.local_addr()?, "the operator's listener listens");
    if !address.is_loopback() {
        tracing::warn!(
            "--admin-listen is not a loopback address: whoever reaches it sees the metrics and changes what is logged, without a token"
        );
    }
    Ok(Admin::start(listener, log)?)
}

/// Waits for the database, and brings its schema up to date.
async fn make_ready(core: &Core, url: &str, settings: &PoolArgs) -> Result<(), CommandError> {
    wait_for_database(core, settings.db_wait).await?;
    if settings.migrate {
        store::migrate(url).await?;
    } else {
        store::require_current(url).await?;
    }
    Ok(())
}

/// Prints what an operator can also find elsewhere: the service starts without it.
fn show(text: &str) {
    if let Err(error) = print(text) {
        tracing::warn!(%error, "the start could not print what it has to say");
    }
}
