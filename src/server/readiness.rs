//! Whether the service is ready for calls, and why it is not: what the operator's listener tells. It is told by
//! the one who tells the health service of gRPC, so the two agree.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

/// The parts of the service, each with whether it does its work.
pub(super) type Parts<'a> = &'a [(&'static str, bool)];

/// Whether the service is ready. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Why the service is not ready.
    trouble: Option<String>,
    parts: Vec<(&'static str, bool)>,
    ending: bool,
}

/// Whether the service is ready, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether calls succeed.
    pub(super) ready: bool,
    /// Why they do not.
    pub(super) reasons: Vec<String>,
    /// What fails while calls succeed.
    pub(super) warnings: Vec<String>,
    /// The parts by the names that the health service has for them.
    pub(super) parts: Map<String, Value>,
}

impl Default for Readiness {
    fn default() -> Self {
        let trouble = Some("the service is starting".to_owned());
        Self(Arc::new(Mutex::new(State { trouble, parts: Vec::new(), ending: false })))
    }
}

impl Readiness {
    /// Takes note of why the service is not ready, if it is not, and of how its parts are.
    pub(super) fn tell(&self, trouble: Option<String>, parts: Parts<'_>) {
        let mut state = self.state();
        if !state.ending {
            state.trouble = trouble;
            parts.clone_into(&mut state.parts);
        }
    }

    /// The service takes no further calls, for good.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ending = true;
        state.trouble = Some("the service is shutting down".to_owned());
    }

    pub(super) fn report(&self) -> Report {
        let state = self.state();
        let ready = state.trouble.is_none();
        let failing = state.parts.iter().filter(|(_, works)| ready && !works);
        Report {
            ready,
            reasons: state.trouble.iter().cloned().collect(),
            warnings: failing.map(|(part, _)| format!("{part}: fails again and again")).collect(),
            parts: state
                .parts
                .iter()
                .map(|(part, works)| ((*part).into(), (*works).into()))
                .collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_ends_is_not_ready_whatever_the_database_does() {
        let readiness = Readiness::default();
        assert_eq!(readiness.report().reasons, ["the service is starting"]);
        readiness.tell(None, &[("database", true), ("callbacks", false)]);
        let report = readiness.report();
        assert!(report.ready && report.reasons.is_empty());
        assert_eq!(report.warnings, ["callbacks: fails again and again"]);
        readiness.end();
        readiness.tell(None, &[]);
        assert_eq!(readiness.report().reasons, ["the service is shutting down"]);
    }
}
