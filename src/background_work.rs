//! Which background work of this process fails. Whoever does the work says how each round of it ended; the
//! log has a line when that changes, and the health service and the metrics tell what fails again and again.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

/// After so many failures in a row the work counts as failing.
const FAILURES: u32 = 3;

/// A kind of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Holding partitions of the outbox.
    Leases,
    /// Finding events that are due.
    DueEvents,
    /// Writing down what became of events.
    Settling,
    /// Reading the versions of watched users.
    Versions,
    /// Making and dropping partitions of old events.
    OldEvents,
    /// Removing deleted users from lists.
    DeletedUsers,
    /// Ending overdue friend requests.
    OverdueRequests,
    /// Purging tombstones.
    Tombstones,
    /// Removing the rows of deleted apps.
    DeletedApps,
    /// Removing expired tokens.
    ExpiredTokens,
    /// Serving renewed certificates.
    Certificates,
    /// Removing old audit events.
    OldAuditEvents,
}

/// The parts of the service as the health service names them, with the work that each does.
pub const PARTS: [(&str, &[Work]); 4] = [
    ("callbacks", &[Work::Leases, Work::DueEvents, Work::Settling]),
    ("watching", &[Work::Versions]),
    ("certificates", &[Work::Certificates]),
    (
        "upkeep",
        &[
            Work::OldEvents,
            Work::DeletedUsers,
            Work::OverdueRequests,
            Work::Tombstones,
            Work::DeletedApps,
            Work::ExpiredTokens,
            Work::OldAuditEvents,
        ],
    ),
];

impl Work {
    /// What the work does, for the log and as a label: "settling events".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leases => "holding partitions of the outbox",
            Self::DueEvents => "reading the outbox",
            Self::Settling => "settling events",
            Self::Versions => "reading the versions of watched users",
            Self::OldEvents => "removing old events",
            Self::DeletedUsers => "removing deleted users from lists",
            Self::OverdueRequests => "ending overdue friend requests",
            Self::Tombstones => "purging old tombstones",
            Self::DeletedApps => "removing the rows of deleted apps",
            Self::ExpiredTokens => "removing expired tokens",
            Self::Certificates => "serving renewed certificates",
            Self::OldAuditEvents => "removing old audit events",
        }
    }
}

/// How often each kind of work has failed in a row. Work that succeeded last is not in it.
#[derive(Debug, Default)]
pub struct BackgroundWork(Mutex<HashMap<Work, u32>>);

impl BackgroundWork {
    /// Takes note of how a round of the work ended.
    pub fn ended<T, E: fmt::Display>(&self, work: Work, result: &Result<T, E>) {
        let outcome = if result.is_ok() { "succeeded" } else { "failed" };
        metrics::counter!(
            "befriend_background_rounds_total", "work" => work.name(), "outcome" => outcome
        )
        .increment(1);
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = result else {
            if failures.remove(&work).is_some_and(|count| count >= FAILURES) {
                tracing::info!(work = work.name(), "background work succeeds again");
            }
            return;
        };
        let count = failures.entry(work).or_default();
        *count = count.saturating_add(1);
        if *count == FAILURES {
            tracing::error!(work = work.name(), %error, "background work fails again and again");
        } else {
            tracing::debug!(work = work.name(), %error, "background work failed");
        }
    }

    /// Takes note of work that needs no second failure to count as failing, because nothing but a change from
    /// outside can make it succeed. The caller has logged why it failed.
    pub fn stands<T, E>(&self, work: Work, result: &Result<T, E>) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => failures.remove(&work),
            Err(_) => failures.insert(work, FAILURES),
        };
    }

    /// How often the work has failed in a row.
    #[must_use]
    pub fn failures(&self, work: Work) -> u32 {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&work).copied().unwrap_or_default()
    }

    /// Whether one of these kinds of work fails again and again.
    #[must_use]
    pub fn any_fails(&self, works: &[Work]) -> bool {
        works.iter().any(|work| self.failures(*work) >= FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_fails_from_its_third_failure_in_a_row_until_it_succeeds() {
        let (background, failed, done) =
            (BackgroundWork::default(), Err::<(), _>("no"), Ok::<_, &str>(()));
        let fails = || background.any_fails(&[Work::Settling]);
        for result in [&failed, &failed, &done, &failed, &failed] {
            background.ended(Work::Settling, result);
            assert!(!fails());
        }
        background.ended(Work::Settling, &failed);
        assert!(fails());
        assert!(!background.any_fails(&[Work::Leases]));
        background.ended(Work::Settling, &done);
        assert!(!fails());
    }
}
