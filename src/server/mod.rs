//! The listener: one port for all services, health, reflection, TLS, and an orderly end.

mod batched_writes;
mod tls;
pub mod upkeep;

use std::{io, panic::AssertUnwindSafe, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, TryStreamExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};

use self::batched_writes::Gathering;
use crate::{
    clock::Clock,
    config::ServeArgs,
    delivery::{Dispatcher, DispatcherSettings, WebhookClient, WebhookSettings},
    domain::{MessageIds, Secret},
    gate::Gate,
    grpc::{self, GateLayer},
    http::Http,
    ops::{
        Core,
        access::{
            caller_cache::CallerCache, login_throttle::LoginThrottle, rate_limits::RateLimits,
        },
        watch::{registry::Watches, versions},
    },
    proto,
    store::Db,
};

/// How often the database is looked at for the health check.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// How long a look at the database may take before it counts as away.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the database's connections may take to close at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the service could not begin, or the listener ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database's URL can't be read.
    #[error("--database-url: {0}")]
    DatabaseUrl(#[source] sqlx::Error),
    /// The key for secrets can't be read.
    #[error("--credentials-key: must be 32 bytes in base64")]
    CredentialsKey,
    /// A certificate or key could not be read.
    #[error("{setting}: can't read {path}: {source}")]
    File {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate or key can't be used.
    #[error("{0}: {1}")]
    Tls(&'static str, String),
    /// The listener failed.
    #[error("the listener failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors are broken: a bug.
    #[error("reflection failed: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// What the operations of this process share: the database of `url`, and what `args` settle.
///
/// # Errors
/// When `url` is no Postgres URL.
pub fn core(
    url: &str,
    args: &ServeArgs,
    operator_token: Option<Secret>,
    clock: Clock,
) -> Result<Arc<Core>, ServeError> {
    Ok(Arc::new(Core {
        db: Db::new(url, &args.db()).map_err(ServeError::DatabaseUrl)?,
        clock,
        bounds: args.bounds(),
        event_retention: args.event_retention(),
        tombstone_retention: args.tombstone_retention(),
        request_life: args.request_life(),
        watches: Watches::new(args.watches()),
        lifetimes: args.lifetimes(),
        keyring: args.keyring().ok_or(ServeError::CredentialsKey)?,
        operator_token: operator_token.as_ref().map(Secret::hash),
        callers: CallerCache::new(args.token_cache.0),
        login_throttle: LoginThrottle::new(args.logins()),
        rate_limits: RateLimits::new(args.rates()),
        outbox_signals: Arc::default(),
        message_ids: MessageIds::default(),
    }))
}

/// Serves until `stop`, then lets the calls under way finish.
///
/// # Errors
/// [`ServeError`] when it can't begin.
pub async fn serve(
    listener: TcpListener,
    core: Arc<Core>,
    args: &ServeArgs,
    webhook: WebhookSettings,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    // Nobody is served before the database was seen.
    set_health(&health, ServingStatus::NotServing).await;
    let webhook_client = Arc::new(WebhookClient::new(webhook));
    let mut routes = grpc::routes(&core, &webhook_client, args.max_message.get());
    routes.add_service(health_service);
    if args.reflection {
        add_reflection(&mut routes)?;
    }
    let gate = Gate::new(Arc::clone(&core), args.gate());
    let http = Http::new(gate.clone(), args.max_message.get(), args.netease());
    let mut builder = Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(args.max_streams.get())
        .http2_keepalive_interval(Some(args.keepalive.0))
        .http2_keepalive_timeout(Some(args.keepalive.0))
        .tcp_keepalive(Some(args.keepalive.0))
        // Requests are small; a caller with large headers is in error or worse.
        .http2_max_header_list_size(16 * 1024)
        .layer(GateLayer::new(gate));
    let acceptor = tls::acceptor(args)?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));

    let background = CancellationToken::new();
    let upkeep = tokio::spawn(upkeep::run(Arc::clone(&core), background.clone()));
    let versions = tokio::spawn(versions::poll(Arc::clone(&core)));
    let dispatcher = args.deliver.then(|| {
        tokio::spawn(deliver(
            Arc::clone(&core),
            webhook_client,
            args.dispatcher(),
            background.clone(),
        ))
    });
    let watch = tokio::spawn(report_health(health.clone(), Arc::clone(&core), background.clone()));

    let closing = CancellationToken::new();
    let router = builder.add_routes(grpc::or_else(routes.routes(), move |request| {
        let http = http.clone();
        async move { http.answer(request).await }
    }));
    let closed = closing.clone().cancelled_owned();
    let listening = match acceptor {
        None => {
            let incoming = incoming.map_ok(Gathering::plain);
            router.serve_with_incoming_shutdown(incoming, closed).left_future()
        }
        Some(acceptor) => {
            let incoming = tls::accept(incoming, acceptor).map_ok(Gathering::tls);
            router.serve_with_incoming_shutdown(incoming, closed).right_future()
        }
    };
    let ending = async {
        stop.cancelled().await;
        tracing::info!("shutting down: calls under way are finished, new ones refused");
        watch.abort();
        set_health(&health, ServingStatus::NotServing).await;
        tokio::time::sleep(args.drain.0).await;
        core.watches.end();
        closing.cancel();
        end_watches(health).await;
        tokio::time::sleep(args.shutdown_timeout.0).await;
        tracing::warn!("calls still under way at the end of the shutdown time were cut off");
    };
    let served = tokio::select! {
        served = listening => served,
        () = ending => Ok(()),
    };
    background.cancel();
    // It ends between two steps; what it was doing goes on at the next start.
    let _ = upkeep.await;
    core.watches.end();
    let _ = versions.await;
    if let Some(mut dispatcher) = dispatcher {
        // Tries under way are finished and settled; what is not by then is tried again.
        if tokio::time::timeout(args.shutdown_timeout.0, &mut dispatcher).await.is_err() {
            dispatcher.abort();
            tracing::warn!(
                "callbacks still under way at the end of the shutdown time are sent again"
            );
        }
    }
    // Calls that were cut off hold on to their connections: whoever ends the process ends them.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, core.db.close()).await;
    Ok(served?)
}

/// Delivers callbacks until `stop`, and begins anew if that breaks off.
async fn deliver(
    core: Arc<Core>,
    webhook_client: Arc<WebhookClient>,
    settings: DispatcherSettings,
    stop: CancellationToken,
) {
    loop {
        let (db, clock, signals) =
            (core.db.clone(), core.clock.clone(), Arc::clone(&core.outbox_signals));
        let client = Arc::clone(&webhook_client);
        let dispatcher = Dispatcher::new(db, clock, signals, client, settings.clone());
        if AssertUnwindSafe(dispatcher.run(stop.clone())).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!("delivering callbacks panicked and begins anew");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn add_reflection(
    routes: &mut tonic::service::RoutesBuilder,
) -> Result<(), tonic_reflection::server::Error> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that tools can show the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(builder().build_v1()?);
    // Older grpcurls ask for nothing else.
    routes.add_service(builder().build_v1alpha()?);
    Ok(())
}

/// Keeps the health check true: SERVING while the database answers.
async fn report_health(health: HealthReporter, core: Arc<Core>, stop: CancellationToken) {
    let mut last = None;
    while !stop.is_cancelled() {
        let look = tokio::time::timeout(HEALTH_TIMEOUT, core.db.probe());
        let reachable = matches!(look.await, Ok(Ok(())));
        core.db.note_away(!reachable);
        if last != Some(reachable) {
            let status = if reachable {
                tracing::info!("serving");
                ServingStatus::Serving
            } else {
                tracing::warn!("not serving: the database does not answer");
                ServingStatus::NotServing
            };
            set_health(&health, status).await;
            last = Some(reachable);
        }
        tokio::time::sleep(HEALTH_INTERVAL).await;
    }
}

/// Sets the status of the server as a whole ("") and of each service.
async fn set_health(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
    for service in grpc::SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// Ends the streams of those who watch the health, who would hold up the end as calls under way.
async fn end_watches(mut health: HealthReporter) {
    health.clear_service_status("").await;
    for service in grpc::SERVICES {
        health.clear_service_status(service).await;
    }
}
