//! How long to wait before a retry. Pure, except for [`random_fraction`].

use std::time::Duration;

/// The pause after `failures` in a row: `first`, then twice, four times, … as long, at most `longest`.
#[must_use]
pub fn backoff(first: Duration, failures: u32, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    first.saturating_mul(1 << doublings).min(longest)
}

/// The pause plus the `fraction`, from 0 to 1, of it, so that callers that failed at the same time do not
/// retry at the same time.
#[must_use]
pub fn jittered(pause: Duration, fraction: f64) -> Duration {
    pause + pause.mul_f64(fraction.clamp(0.0, 1.0))
}

/// A random number from 0 to 1; 0 where the system has no random numbers.
#[must_use]
pub fn random_fraction() -> f64 {
    f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_with_every_failure_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(60));
        let pauses = [1, 2, 3, 4, 5, 6, 7].map(|failures| backoff(first, failures, longest));
        assert_eq!(
            pauses.map(|pause| pause.as_millis()),
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000]
        );
        for failures in [8, 9, 100, u32::MAX] {
            assert_eq!(backoff(first, failures, longest), longest);
        }
        assert_eq!(backoff(first, 0, longest), first);
        assert_eq!(backoff(Duration::MAX, 100, Duration::MAX), Duration::MAX);
    }

    #[test]
    fn jitter_adds_up_to_as_much_again() {
        let pause = Duration::from_millis(20);
        assert_eq!(jittered(pause, 0.0), pause);
        assert_eq!(jittered(pause, 0.5), Duration::from_millis(30));
        assert_eq!(jittered(pause, 1.0), Duration::from_millis(40));
        assert!((0.0..=1.0).contains(&random_fraction()));
    }
}
