//! The server: starts the listener and the background tasks, and shuts them down in order.

mod accept;
mod admin;
mod answer;
mod arriving;
mod background;
mod batched_writes;
mod calls;
mod certificates;
mod connection;
mod database_clock;
mod database_state;
pub mod descriptors;
mod error;
mod frames;
pub mod health;
mod listener;
mod open_services;
mod otlp;
mod peer;
mod peer_stream;
mod peers;
mod readiness;
mod reload;
mod signals;
mod tls;
pub mod upkeep;

use std::{sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic_health::ServingStatus;

pub use self::{
    admin::Admin, database_clock::read as read_clock, error::ServeError, otlp::TraceExport,
    signals::Signals,
};
use self::{
    admin::Service, background::Background, certificates::Certificates, listener::Listener,
};
use crate::{
    clock::Clock,
    config::{ListenerArgs, ServeArgs},
    delivery::{WebhookClient, WebhookSettings},
    domain::{MessageIds, Replaceable, Secret},
    gate::Gate,
    grpc,
    ops::{
        Core,
        access::{
            caller_cache::CallerCache, login_throttle::LoginThrottle, rate_limits::RateLimits,
        },
        watch::registry::Watches,
    },
    store::Db,
};

/// How long the database's connections may take to close at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the first reading of the database's clock may take.
const CLOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// What the operations of this process share: the database at `url`, and the settings in `args`.
///
/// # Errors
/// When `url` is not a Postgres URL, a secret can't be read, or the settings ask for more
/// connections than there can be.
pub fn core(
    url: &str,
    args: &ServeArgs,
    operator_token: Option<Secret>,
    clock: Clock,
) -> Result<Arc<Core>, ServeError> {
    Ok(Arc::new(Core {
        db: Db::new(url, &args.pool.db()).map_err(ServeError::DatabaseUrl)?,
        clock,
        bounds: args.bounds(),
        event_retention: args.callbacks.event_retention(),
        audit_retention: args.access.audit_retention(),
        tombstone_retention: args.following.tombstone_retention(),
        request_life: args.limits.request_lifetime(),
        watches: Watches::new(
            args.following.watches(descriptors::watchers(args)?, args.access.token_cache),
        ),
        lifetimes: args.access.token_lifetimes(),
        keyring: Replaceable::new(Arc::new(args.access.credentials_key.keyring()?)),
        operator_token: Replaceable::new(operator_token.as_ref().map(Secret::hash)),
        callers: CallerCache::new(args.access.token_cache),
        login_throttle: LoginThrottle::new(args.access.logins()),
        rate_limits: RateLimits::new(args.limits.rates()),
        outbox_signals: Arc::default(),
        background_work: Arc::default(),
        message_ids: MessageIds::default(),
    }))
}

/// Looks whether the certificates that the settings name can be used.
///
/// # Errors
/// [`ServeError::File`], [`ServeError::Tls`].
pub fn check_certificates(args: &ListenerArgs, clock: &Clock) -> Result<(), ServeError> {
    Certificates::open(args, clock).map(drop)
}

/// Serves until it is told to stop, then lets the calls in flight finish. `admin` shows the service meanwhile.
///
/// # Errors
/// [`ServeError`] when the service can't start.
pub async fn serve(
    listener: TcpListener,
    core: Arc<Core>,
    args: &ServeArgs,
    webhook: WebhookSettings,
    admin: &Admin,
    signals: impl Into<Signals>,
) -> Result<(), ServeError> {
    let signals = signals.into();
    let stop = signals.stop.clone();
    let (reporter, health_service) = tonic_health::server::health_reporter();
    // Until the first probe of the database.
    health::set(&reporter, ServingStatus::NotServing).await;
    // Before the first call, so that no time of this machine is written. Without the database there is no call.
    let clock = tokio::time::timeout(CLOCK_TIMEOUT, database_clock::read(&core));
    if core.clock.machine_ahead().is_some() && !matches!(clock.await, Ok(Ok(()))) {
        tracing::warn!(
            "the database's clock can't be read: the time is this machine's until it answers"
        );
    }
    let webhook_client = Arc::new(WebhookClient::new(webhook));
    let routes = grpc::routes(&core, &webhook_client, args.listener.max_message.get());
    let gate = Gate::new(Arc::clone(&core), args.gate());
    let closing = CancellationToken::new();
    let (certificates, renewal) = Certificates::open(&args.listener, &core.clock)?.unzip();
    let listener = Listener::open(
        listener,
        gate,
        routes,
        health_service,
        args,
        certificates,
        closing.clone(),
    )?;
    let reload = reload::follow(Arc::clone(&core), args.clone(), renewal, signals);
    let _reload = AbortOnDropHandle::new(tokio::spawn(reload));
    let delivery = Arc::default();
    admin.show(Service::new(&core, listener.peers(), &delivery));
    let background =
        Background::spawn(&core, args, webhook_client, &delivery, reporter.clone(), admin);
    let shutdown = async {
        stop.cancelled().await;
        tracing::info!("shutting down: calls in flight are finished, new ones refused");
        background.stop_health();
        admin.readiness().end();
        health::set(&reporter, ServingStatus::NotServing).await;
        // Load balancers see the status and send new calls elsewhere.
        tokio::time::sleep(args.listener.drain).await;
        core.watches.end();
        closing.cancel();
        health::end_watches(reporter).await;
        tokio::time::sleep(args.listener.shutdown_timeout).await;
    };
    tokio::select! {
        () = listener.closed() => {}
        () = shutdown => {}
    }
    let cut_off = listener.cut_off();
    if cut_off > 0 {
        tracing::warn!(
            calls = cut_off,
            "calls still in flight at the end of the shutdown time were cut off"
        );
    }
    background.stop(args.listener.shutdown_timeout).await;
    // Calls that were cut off may still hold connections, which end with the process.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, core.db.close()).await;
    Ok(())
}
