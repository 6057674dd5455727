//! The metrics in Prometheus' form. Everything that is measured goes through the crate `metrics`.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalog;
use crate::{measure, server::error::ServeError, store};

/// The buckets of times, in seconds: a check takes less than a millisecond, and a call at most 15 s.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// The buckets of times that are mostly shorter than those: waits inside the process, and round trips.
const SHORT_SECONDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0,
    3.0,
];

/// The buckets of batches, in members.
const MEMBERS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The buckets of rounds of upkeep, in seconds.
const LONG_SECONDS: [f64; 8] = [0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 600.0];

/// How often the samples of the histograms are counted into their buckets, when no scrape does it.
const COUNTING: Duration = Duration::from_secs(5);

/// The histograms that have other buckets than [`SECONDS`].
const OTHERS: &[(&str, &[f64])] = &[
    ("befriend_batch_members", &MEMBERS),
    ("befriend_batch_seconds", &SHORT_SECONDS),
    ("befriend_batch_wait_seconds", &SHORT_SECONDS),
    ("befriend_db_pool_wait_seconds", &SHORT_SECONDS),
    ("befriend_db_round_trip_seconds", &SHORT_SECONDS),
    ("befriend_upkeep_round_seconds", &LONG_SECONDS),
];

/// What the crate `metrics` has recorded.
#[derive(Clone, Debug)]
pub(super) struct Exporter(PrometheusHandle);

impl Exporter {
    /// Has everything recorded that is created from now on.
    ///
    /// # Errors
    /// [`ServeError::Metrics`] when this process records already.
    pub(super) fn install() -> Result<Self, ServeError> {
        let handle = buckets(PrometheusBuilder::new())
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| ServeError::Metrics(error.to_string()))?;
        catalog::describe();
        catalog::begin();
        measure::start();
        metrics::gauge!(
            "befriend_build_info",
            "version" => env!("CARGO_PKG_VERSION"),
            "schema" => store::expected_version().to_string(),
        )
        .set(1.0);
        Ok(Self(handle))
    }

    /// All metrics, as Prometheus reads them.
    pub(super) fn render(&self) -> String {
        self.0.render()
    }

    /// Counts the samples of the histograms into their buckets again and again: they take memory until then.
    pub(super) async fn keep_small(&self) {
        loop {
            tokio::time::sleep(COUNTING).await;
            let handle = self.0.clone();
            // A hundred thousand samples would hold up calls for milliseconds. It can't panic.
            let _ = tokio::task::spawn_blocking(move || handle.run_upkeep()).await;
        }
    }
}

fn buckets(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    let others = OTHERS.iter().map(|(name, buckets)| (Matcher::Full((*name).to_owned()), *buckets));
    let times = (Matcher::Suffix("_seconds".to_owned()), &SECONDS[..]);
    others.chain([times]).try_fold(builder, |builder, (matcher, buckets)| {
        builder.set_buckets_for_metric(matcher, buckets)
    })
}
