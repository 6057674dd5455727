//! The gRPC health service: SERVING while the database takes writes. Beside the services it has the names of
//! parts of the server, so that a look at them tells what is wrong.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::readiness::Readiness;
use crate::{background_work::PARTS, grpc, ops::Core, store::Unusable};

/// How often the database is probed while all is well.
const INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two probes while something is wrong, or a call has met an error.
const SHORT_INTERVAL: Duration = Duration::from_millis(250);

/// The parts that the state of the database decides: whether it answers, and whether it takes writes.
const DATABASE: &str = "database";
const WRITES: &str = "database.writes";

/// The names of all parts, in the order in which `befriend health` asks for them.
pub fn parts() -> impl Iterator<Item = &'static str> {
    [DATABASE, WRITES].into_iter().chain(PARTS.iter().map(|(part, _)| *part))
}

/// Sets the status to that of the database, and that of each part to its own, until `stop`.
pub(super) async fn follow_database(
    reporter: HealthReporter,
    readiness: Readiness,
    core: Arc<Core>,
    stop: CancellationToken,
) {
    let mut told = Told::default();
    while !stop.is_cancelled() {
        let probe = core.db.probe().await;
        told.tell(&reporter, &core, &probe).await;
        let trouble = told.trouble.as_ref();
        let trouble = trouble.map(|why| format!("the database can't be used: {why}"));
        // The first is the whole.
        readiness.tell(trouble, told.states.get(1..).unwrap_or_default());
        tokio::time::sleep(SHORT_INTERVAL).await;
        if probe.is_ok() {
            // A call that meets an error has the database probed at once.
            let _ = tokio::time::timeout(INTERVAL - SHORT_INTERVAL, core.db.suspected()).await;
        }
    }
}

/// What was told last: the status of the whole and of each part.
#[derive(Default)]
struct Told {
    trouble: Option<String>,
    states: Vec<(&'static str, bool)>,
}

impl Told {
    async fn tell(&mut self, reporter: &HealthReporter, core: &Core, probe: &Result<(), Unusable>) {
        // A restart of less than a second fails no call, and is no trouble.
        let answers = match probe {
            Ok(()) | Err(Unusable::DiskFull) => true,
            Err(Unusable::Unreachable(_)) => {
                !core.db.is_away() && self.states.contains(&(DATABASE, true))
            }
        };
        let writes = answers && !matches!(probe, Err(Unusable::DiskFull));
        let mut states = vec![("", writes), (DATABASE, answers), (WRITES, writes)];
        let works = |works| !core.background_work.any_fails(works);
        states.extend(PARTS.iter().map(|(part, all)| (*part, works(all))));
        self.log(writes, probe);
        for (name, serving) in &states {
            if self.states.contains(&(*name, *serving)) {
                continue;
            }
            let status = status(*serving);
            if name.is_empty() {
                set(reporter, status).await;
            } else {
                reporter.set_service_status(*name, status).await;
            }
        }
        self.states = states;
    }

    /// Logs when the server begins to serve, stops, or has another reason why it does not serve.
    fn log(&mut self, writes: bool, probe: &Result<(), Unusable>) {
        match probe {
            _ if writes => {
                if self.trouble.take().is_some() || self.states.is_empty() {
                    tracing::info!("serving");
                }
            }
            Ok(()) => {}
            Err(error) => {
                let trouble = error.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(error = trouble, "not serving: the database can't be used");
                    self.trouble = Some(trouble);
                }
            }
        }
    }
}

fn status(serving: bool) -> ServingStatus {
    if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
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
    for name in grpc::SERVICES.into_iter().chain(parts()) {
        reporter.clear_service_status(name).await;
    }
}
