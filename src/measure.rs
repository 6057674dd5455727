//! What all layers measure with. While nobody reads what is measured, it asks no clock and costs nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use metrics::Histogram;

/// Whether stopwatches run. The recorder of the crate `metrics` is one for the process as well.
static RUN: AtomicBool = AtomicBool::new(false);

/// Has stopwatches run from now on.
pub fn start() {
    RUN.store(true, Ordering::Relaxed);
}

/// A time that began, if stopwatches run.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Option<Instant>);

impl Stopwatch {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(RUN.load(Ordering::Relaxed).then(Instant::now))
    }

    /// Records the seconds since the start.
    pub fn record(self, histogram: &Histogram) {
        if let Some(started) = self.0 {
            histogram.record(started.elapsed().as_secs_f64());
        }
    }
}

/// A limit that refuses who comes when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// An app's calls a second.
    Rate,
    /// Failed logins.
    Logins,
    /// Calls that run.
    Running,
    /// Calls whose request is still coming.
    Arriving,
    /// Look-ups of unknown callers.
    LookUps,
    /// Calls that need no token and do not pass the gate.
    WithoutToken,
    /// Watchers.
    Watchers,
    /// Connections.
    Connections,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Rate,
        Self::Logins,
        Self::Running,
        Self::Arriving,
        Self::LookUps,
        Self::WithoutToken,
        Self::Watchers,
        Self::Connections,
    ];

    /// The limit as a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Logins => "logins",
            Self::Running => "running calls",
            Self::Arriving => "arriving calls",
            Self::LookUps => "look-ups",
            Self::WithoutToken => "calls without a token",
            Self::Watchers => "watchers",
            Self::Connections => "connections",
        }
    }

    /// Counts a refusal.
    pub fn refused(self) {
        metrics::counter!("befriend_refusals_total", "limit" => self.name()).increment(1);
    }
}
