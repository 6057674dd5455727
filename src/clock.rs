//! The only source of the time of day, so that all instances agree and a test can set it. SQL takes the time
//! as a parameter.
//!
//! The clock is the database's. A process reads it now and then ([`Clock::learn`]), and counts on from there by
//! its machine's monotonic clock: neither a machine's clock that is wrong nor one that jumps changes the time.
//! Until the first reading it is the machine's.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use time::{Duration, OffsetDateTime};

/// A clock: the database's, or one that a test sets. Clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    Running(Running),
    Stopped(Mutex<OffsetDateTime>),
}

#[derive(Debug)]
struct Running {
    started: Instant,
    /// The time of the start, in microseconds since 1970, by what was read of the database last.
    started_at: AtomicI64,
    /// By how much a test has the machine's clock go wrong.
    machine_ahead: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The clock of a process, which follows the database's.
    #[must_use]
    pub fn system() -> Self {
        Self::system_ahead_by(Duration::ZERO)
    }

    /// The same on a machine whose own clock is wrong, for tests.
    #[must_use]
    pub fn system_ahead_by(machine_ahead: Duration) -> Self {
        let now = micros(system_time() + machine_ahead);
        let (started, started_at) = (Instant::now(), AtomicI64::new(now));
        Self(Arc::new(Source::Running(Running { started, started_at, machine_ahead })))
    }

    /// A clock that stands still at `start` until it is moved.
    #[must_use]
    pub fn stopped_at(start: OffsetDateTime) -> Self {
        Self(Arc::new(Source::Stopped(Mutex::new(start))))
    }

    /// The time in whole microseconds, as Postgres stores it: a time that is read back is equal to the one
    /// that was written.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match &*self.0 {
            Source::Running(clock) => clock.now(),
            Source::Stopped(time) => {
                time.lock().unwrap_or_else(PoisonError::into_inner).truncate_to_microsecond()
            }
        }
    }

    /// Takes over the time that the database told between `asked_at`, by this clock, and now. A clock that
    /// agrees with it stays as it is: each reading is only as exact as it was quick. Does nothing to a stopped
    /// clock.
    pub fn learn(&self, asked_at: OffsetDateTime, told: OffsetDateTime) {
        if let Source::Running(clock) = &*self.0 {
            let nearest = told.clamp(asked_at, clock.now().max(asked_at));
            let correction = (told - nearest).whole_microseconds();
            let correction = i64::try_from(correction).unwrap_or_default();
            clock.started_at.fetch_add(correction, Ordering::Relaxed);
        }
    }

    /// By how much the machine's clock is ahead of the database's; `None` for a stopped clock.
    #[must_use]
    pub fn machine_ahead(&self) -> Option<Duration> {
        match &*self.0 {
            Source::Running(clock) => Some(system_time() + clock.machine_ahead - clock.now()),
            Source::Stopped(_) => None,
        }
    }

    /// Moves a stopped clock forward. Does nothing to a running one.
    pub fn advance(&self, by: Duration) {
        if let Source::Stopped(time) = &*self.0 {
            *time.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

impl Running {
    fn now(&self) -> OffsetDateTime {
        const SECOND: i64 = 1_000_000;
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let micros = self.started_at.load(Ordering::Relaxed).saturating_add(elapsed);
        let micro = u32::try_from(micros.rem_euclid(SECOND)).expect("below a million");
        OffsetDateTime::from_unix_timestamp(micros.div_euclid(SECOND))
            .and_then(|second| second.replace_microsecond(micro))
            .expect("the database's clock is in the years that it can store")
    }
}

fn micros(time: OffsetDateTime) -> i64 {
    let micros = (time - OffsetDateTime::UNIX_EPOCH).whole_microseconds();
    i64::try_from(micros).expect("a day of this age")
}

#[expect(clippy::disallowed_methods, reason = "this is the only place that asks the system")]
fn system_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Duration = Duration::seconds(30);

    #[test]
    fn a_wrong_machine_is_right_after_the_first_reading() {
        for ahead in [Duration::minutes(10), Duration::minutes(-10)] {
            let clock = Clock::system_ahead_by(ahead);
            let asked_at = clock.now();
            clock.learn(asked_at, system_time());
            assert!((clock.now() - system_time()).abs() < NEAR);
            assert!((clock.machine_ahead().unwrap() - ahead).abs() < NEAR);
        }
    }

    #[test]
    fn a_reading_that_may_be_right_moves_nothing() {
        let clock = Clock::system();
        let Source::Running(running) = &*clock.0 else { unreachable!("it runs") };
        let before = running.started_at.load(Ordering::Relaxed);
        let asked_at = clock.now();
        clock.learn(asked_at - Duration::SECOND, asked_at);
        assert_eq!(running.started_at.load(Ordering::Relaxed), before);
        clock.learn(asked_at, asked_at - Duration::MILLISECOND);
        assert_eq!(running.started_at.load(Ordering::Relaxed), before - 1000);
    }

    #[test]
    fn a_stopped_clock_learns_nothing() {
        let clock = Clock::stopped_at(OffsetDateTime::UNIX_EPOCH);
        clock.learn(OffsetDateTime::UNIX_EPOCH, system_time());
        clock.advance(Duration::SECOND);
        assert_eq!(clock.now(), OffsetDateTime::UNIX_EPOCH + Duration::SECOND);
        assert_eq!(clock.machine_ahead(), None);
    }
}
