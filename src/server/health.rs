//! The gRPC health service: SERVING while the database answers.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{grpc, ops::Core};

/// How often the database is probed.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a probe may take before the database counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Sets the status to that of the database, until `stop`.
pub(super) async fn follow_database(
    reporter: HealthReporter,
    core: Arc<Core>,
    stop: CancellationToken,
) {
    let mut last = None;
    while !stop.is_cancelled() {
        let probe = tokio::time::timeout(TIMEOUT, core.db.probe());
        let reachable = matches!(probe.await, Ok(Ok(())));
        core.db.set_reachable(reachable);
        if last != Some(reachable) {
            let status = if reachable {
                tracing::info!("serving");
                ServingStatus::Serving
            } else {
                tracing::warn!("not serving: the database does not answer");
                ServingStatus::NotServing
            };
            set(&reporter, status).await;
            last = Some(reachable);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Sets the status of the server as a whole, which has the name "", and of each service.
pub(super) async fn set(reporter: &HealthReporter, status: ServingStatus) {
    reporter.set_service_status("", status).await;
    for service in grpc::SERVICES {
        reporter.set_service_status(service, status).await;
    }
}

/// Ends the streams of clients that watch the health: they would hold up the shutdown as calls in
/// flight.
pub(super) async fn end_watches(mut reporter: HealthReporter) {
    reporter.clear_service_status("").await;
    for service in grpc::SERVICES {
        reporter.clear_service_status(service).await;
    }
}
