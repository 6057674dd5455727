//! What is known about the database while it is not well: which connections are not to be used again,
//! and whether it is known to be away.
//!
//! One prober ([`super::Db::probe`]) finds out; calls only look, and tell it when something fails.

use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::Metrics;
use futures_util::{FutureExt as _, future::try_join};
use tokio::sync::Notify;

use super::role::Role;
use crate::domain::{Error, Outage};

/// The database is away when it could not be reached for so long. A shorter restart fails no call: calls
/// wait for it.
const AWAY_AFTER: Duration = Duration::from_secs(1);

/// The outages of one [`super::Db`].
pub(super) struct Outages {
    start: Instant,
    /// Connections that were opened up to then are not used again. Microseconds after `start`.
    opened_until: AtomicU64,
    /// Connections that were last used up to then are not used again.
    used_until: AtomicU64,
    /// Calls fail at once.
    away: AtomicBool,
    /// Since when the prober has found no server.
    failing_since: Mutex<Option<Instant>>,
    /// When a write last found the disk full.
    full_since: Mutex<Option<Instant>>,
    /// What the prober last found.
    role: Mutex<Option<Role>>,
    /// Ends the work that is under way on lost connections.
    interrupt: Notify,
    /// Wakes the prober.
    suspicion: Notify,
}

impl Outages {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            opened_until: AtomicU64::new(0),
            used_until: AtomicU64::new(0),
            away: AtomicBool::new(false),
            failing_since: Mutex::new(None),
            full_since: Mutex::new(None),
            role: Mutex::new(None),
            interrupt: Notify::new(),
            suspicion: Notify::new(),
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        let micros = at.saturating_duration_since(self.start).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// Whether a connection is not to be used again.
    pub(super) fn condemned(&self, metrics: &Metrics) -> bool {
        let used = metrics.recycled.unwrap_or(metrics.created);
        self.micros(metrics.created) < self.opened_until.load(Ordering::Relaxed)
            || self.micros(used) < self.used_until.load(Ordering::Relaxed)
    }

    /// No connection that is open now is used again: the server ended one of them, or takes no writes.
    pub(super) fn condemn(&self) {
        self.opened_until.fetch_max(self.micros(Instant::now()), Ordering::Relaxed);
        self.suspect();
    }

    /// No connection is used again that was idle for as long as this one, which is lost: a firewall forgets
    /// all that were idle for too long.
    pub(super) fn condemn_unused_since(&self, metrics: &Metrics) {
        let used = metrics.recycled.unwrap_or(metrics.created);
        self.used_until.fetch_max(self.micros(used) + 1, Ordering::Relaxed);
        self.suspect();
    }

    /// Has the prober look at once.
    pub(super) fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// Returns when somebody suspects something.
    pub(super) async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    /// Runs `work`, and ends it when its connection is lost without a word: when the database is found to
    /// be away, or on another server. Learns from the errors of `work`.
    ///
    /// Neither an async function nor `select!`, each of which would keep room for `work` twice.
    pub(super) fn guard<'a, T: 'a>(
        &'a self,
        work: impl Future<Output = Result<T, Error>> + 'a,
    ) -> impl Future<Output = Result<T, Error>> + 'a {
        let work = work.map(Err::<Infallible, _>);
        let interrupted = self.interrupt.notified();
        let interrupted =
            interrupted.map(|()| Err::<Infallible, _>(Err(Error::Unavailable(Outage::Database))));
        // Looks at `work` first, and ends with the first that ends.
        try_join(work, interrupted).map(|first| {
            let Err(done) = first;
            if let Err(Error::Unavailable(outage)) = &done {
                self.learn(*outage);
            }
            done
        })
    }

    /// Runs `commit`, and ends it as [`Outages::guard`] does. A guard around it looks at `commit` first, so
    /// that what it returns is never that nothing has happened.
    pub(super) async fn guard_commit(
        &self,
        commit: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        tokio::select! {
            biased;
            done = commit => done,
            () = self.interrupt.notified() => Err(Error::Unavailable(Outage::DuringCommit)),
        }
    }

    fn learn(&self, outage: Outage) {
        match outage {
            Outage::Database | Outage::ReadOnly | Outage::DuringCommit => self.condemn(),
            Outage::DiskFull => {
                *lock(&self.full_since) = Some(Instant::now());
                self.suspect();
            }
            Outage::Away | Outage::Busy | Outage::Overloaded | Outage::ShuttingDown => {}
        }
    }

    /// Whether calls fail at once.
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// The prober has found no server by a probe that began at `began`. After a second of such probes the
    /// database counts as away, and everything that waits for it ends.
    pub(super) fn unreachable(&self, began: Instant) {
        let since = *lock(&self.failing_since).get_or_insert(began);
        if since.elapsed() >= AWAY_AFTER && !self.away.swap(true, Ordering::Relaxed) {
            self.condemn();
            self.interrupt();
        }
    }

    /// The prober has found a server.
    pub(super) fn reachable(&self) {
        *lock(&self.failing_since) = None;
        self.away.store(false, Ordering::Relaxed);
    }

    /// What the prober has found: a server, or none.
    pub(super) fn set_role(&self, role: Option<Role>) {
        *lock(&self.role) = role;
    }

    /// What the prober last found.
    pub(super) fn role(&self) -> Option<Role> {
        *lock(&self.role)
    }

    /// Ends the work that waits for an answer on any connection.
    pub(super) fn interrupt(&self) {
        self.interrupt.notify_waiters();
    }

    /// When a write last found the disk full, unless one has succeeded since.
    pub(super) fn full_since(&self) -> Option<Instant> {
        *lock(&self.full_since)
    }

    /// A write has found room.
    pub(super) fn has_room(&self) {
        *lock(&self.full_since) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
