//! The one source of the time of day. Everything that needs it takes it from here, so that a test
//! can set it; SQL gets it as a parameter.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Tells the time: the system's, or one that a test sets.
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

    /// The time, in whole microseconds: what Postgres keeps, so that a time read back is equal to
    /// the one written.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let now = match &self.0 {
            None => system_time(),
            Some(set) => *set.lock().unwrap_or_else(PoisonError::into_inner),
        };
        now.replace_nanosecond(now.nanosecond() / 1000 * 1000)
            .expect("rounding down keeps it in range")
    }

    /// Moves a stopped clock on; the system's clock can't be moved.
    pub fn advance(&self, by: Duration) {
        if let Some(set) = &self.0 {
            *set.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
fn system_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
