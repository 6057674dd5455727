//! The time limit of a start, which all waits of the start share.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The time between two checks: short beside a start of 50 ms, and long enough to leave the CPU idle.
const PAUSE: Duration = Duration::from_millis(3);

#[derive(Clone, Copy)]
pub(super) struct Deadline {
    begun: Instant,
    limit: Duration,
    /// The time limit of the whole start, for messages.
    pub(super) allowed: Duration,
}

impl Deadline {
    pub(super) fn after(allowed: Duration) -> Self {
        Self { begun: Instant::now(), limit: allowed, allowed }
    }

    /// A deadline at half of the time that is left, for a wait that leaves time for another attempt.
    pub(super) fn half(self) -> Self {
        let passed = self.begun.elapsed();
        Self { limit: passed + self.limit.saturating_sub(passed) / 2, ..self }
    }

    /// Sleeps a moment. Returns `false` when the time is up.
    pub(super) fn pause(self) -> bool {
        if self.begun.elapsed() >= self.limit {
            return false;
        }
        thread::sleep(PAUSE);
        true
    }

    /// Polls until `done` returns true. Returns `false` if the time is up first.
    pub(super) fn wait_until(self, mut done: impl FnMut() -> bool) -> bool {
        loop {
            if done() {
                return true;
            }
            if !self.pause() {
                return false;
            }
        }
    }
}
