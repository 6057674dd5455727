//! The tasks that run beside the listener: upkeep, list versions for watchers, health, callbacks.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic_health::server::HealthReporter;

use super::{admin::Admin, database_clock, database_state, health, upkeep};
use crate::{
    config::ServeArgs,
    delivery::{DeliveryState, Dispatcher, DispatcherSettings, WebhookClient},
    ops::{Core, watch::versions},
};

/// The tasks.
pub(super) struct Background {
    core: Arc<Core>,
    stop: CancellationToken,
    upkeep: JoinHandle<()>,
    versions: JoinHandle<()>,
    health: JoinHandle<()>,
    clock: JoinHandle<()>,
    /// `None` when this instance delivers no callbacks.
    dispatcher: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn spawn(
        core: &Arc<Core>,
        args: &ServeArgs,
        client: Arc<WebhookClient>,
        delivery: &Arc<DeliveryState>,
        reporter: HealthReporter,
        admin: &Admin,
    ) -> Self {
        let stop = CancellationToken::new();
        let dispatcher = args.callbacks.deliver.then(|| {
            tokio::spawn(deliver(
                Arc::clone(core),
                client,
                Arc::clone(delivery),
                args.callbacks.dispatcher(),
                stop.clone(),
            ))
        });
        let readiness = admin.readiness().clone();
        let health = health::follow_database(reporter, readiness, Arc::clone(core), stop.clone());
        if admin.is_on() {
            tokio::spawn(database_state::follow(Arc::clone(core), stop.clone()));
        }
        Self {
            core: Arc::clone(core),
            upkeep: tokio::spawn(upkeep::run(Arc::clone(core), stop.clone())),
            versions: tokio::spawn(versions::poll(Arc::clone(core))),
            health: tokio::spawn(health),
            clock: tokio::spawn(database_clock::follow(Arc::clone(core), stop.clone())),
            dispatcher,
            stop,
        }
    }

    /// Leaves the health status to the caller from here on.
    pub(super) fn stop_health(&self) {
        self.health.abort();
    }

    /// Stops the tasks; attempts to deliver have until `timeout` to end.
    pub(super) async fn stop(self, timeout: Duration) {
        self.stop.cancel();
        // Upkeep stops between two steps, and continues at the next start.
        let _ = self.upkeep.await;
        self.core.watches.end();
        let _ = self.versions.await;
        let _ = self.clock.await;
        if let Some(mut dispatcher) = self.dispatcher {
            // An attempt that has not ended by then is made again, by this instance or another.
            if tokio::time::timeout(timeout, &mut dispatcher).await.is_err() {
                dispatcher.abort();
                tracing::warn!(
                    "callbacks still in flight at the end of the shutdown time are sent again"
                );
            }
        }
    }
}

/// Delivers callbacks until `stop`, and starts again after a panic.
async fn deliver(
    core: Arc<Core>,
    client: Arc<WebhookClient>,
    state: Arc<DeliveryState>,
    settings: DispatcherSettings,
    stop: CancellationToken,
) {
    loop {
        let (db, clock) = (core.db.clone(), core.clock.clone());
        let (signals, client) = (Arc::clone(&core.outbox_signals), Arc::clone(&client));
        let work = Arc::clone(&core.background_work);
        let (state, settings) = (Arc::clone(&state), settings.clone());
        let dispatcher = Dispatcher::new(db, clock, signals, work, client, state, settings);
        if AssertUnwindSafe(dispatcher.run(stop.clone())).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!("delivering callbacks panicked, and starts again in a second");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
