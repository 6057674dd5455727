//! Setting gauges to numbers and to yes or no.

use metrics::Gauge;

/// Sets a gauge to a number.
#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
pub(super) fn number(gauge: Gauge, value: usize) {
    gauge.set(value as f64);
}

/// Sets a gauge to 1 or 0.
pub(super) fn flag(gauge: Gauge, is: bool) {
    gauge.set(if is { 1.0 } else { 0.0 });
}
