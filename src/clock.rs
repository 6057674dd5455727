//! The only source of the time of day, so that a test can set it. SQL takes the time as a parameter.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// A clock: the system's, or one that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<OffsetDateTime>>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until it is moved.
    #[must_use]
    pub fn stopped_at(start: OffsetDateTime) -> Self {
        Self(Some(Arc::new(Mutex::new(start))))
    }

    /// The time in whole microseconds, as Postgres stores it: a time that is read back is equal to the one
    /// that was written.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let now = match &self.0 {
            None => system_time(),
            Some(set) => *set.lock().unwrap_or_else(PoisonError::into_inner),
        };
        now.replace_nanosecond(now.nanosecond() / 1000 * 1000)
            .expect("rounding down keeps it in range")
    }

    /// Moves a stopped clock forward. Does nothing to the system's clock.
    pub fn advance(&self, by: Duration) {
        if let Some(set) = &self.0 {
            *set.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the only place that asks the system")]
fn system_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
