//! One time limit for a whole start, shared by every wait in it.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Short enough not to be felt in a start of 50 ms, long enough not to burn a core.
const PAUSE: Duration = Duration::from_millis(3);

#[derive(Clone, Copy)]
pub(super) struct Deadline {
    begun: Instant,
    limit: Duration,
    /// What the caller of the whole start allowed; for messages.
    pub(super) allowed: Duration,
}

impl Deadline {
    pub(super) fn after(allowed: Duration) -> Self {
        Self { begun: Instant::now(), limit: allowed, allowed }
    }

    /// Half of what is left: for a wait after which something harder can still be tried.
    pub(super) fn half(self) -> Self {
        let passed = self.begun.elapsed();
        Self { limit: passed + self.limit.saturating_sub(passed) / 2, ..self }
    }

    /// Sleeps a moment; `false` when the time is up.
    pub(super) fn pause(self) -> bool {
        if self.begun.elapsed() >= self.limit {
            return false;
        }
        thread::sleep(PAUSE);
        true
    }

    /// Polls until `done` holds; `false` when the time was up first.
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
