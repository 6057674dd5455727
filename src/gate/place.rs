//! The places of calls: while a request is still coming, and while its operation runs.
//!
//! A request takes a place among the running calls only when it has come as a whole, so that callers who
//! send theirs slowly, or never, keep nobody else from running. Until then it has a place among the
//! requests that are coming, which are more, since each costs little. Both kinds are shared as
//! [`Places`] are: by app, and for callers without credentials by address.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::{
    domain::{Error, Holders, Outage, Places},
    measure::Limit,
    ops::access::{authenticate::Identity, caller_cache::HeldCalls, network_of},
};

/// How many calls of callers without credentials may run at once.
const MAX_ANONYMOUS: usize = 256;

/// How many requests may be coming, for each call that may run.
const ARRIVING: usize = 4;

/// How many bytes of a request are not counted while the rest of it is coming: nearly all requests are
/// smaller, and of these the places alone bound how many there are.
const UNCOUNTED: usize = 4 * 1024;

/// Which part of the bytes of requests that are coming is for callers without credentials, who send logins.
const ANONYMOUS_BYTES: usize = 4;

/// The places of calls with credentials, and of calls without.
#[derive(Debug)]
pub(super) struct CallPlaces {
    authenticated: Arc<Pool>,
    anonymous: Arc<Pool>,
    operators: Arc<HeldCalls>,
    addresses: Holders<Option<IpAddr>, HeldCalls>,
}

#[derive(Debug)]
struct Pool {
    arriving: Places,
    arriving_bytes: Places,
    running: Places,
}

impl Pool {
    fn new(running: usize, arriving: usize, arriving_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            arriving: Places::new(arriving),
            arriving_bytes: Places::new(arriving_bytes),
            running: Places::new(running),
        })
    }
}

impl CallPlaces {
    /// Places for so many running calls, and for so many bytes of requests that are coming.
    pub(super) fn new(max_in_flight: usize, max_arriving: usize) -> Self {
        let arriving = max_in_flight.saturating_mul(ARRIVING);
        Self {
            authenticated: Pool::new(max_in_flight, arriving, max_arriving),
            // Many addresses can each begin a login that they never send: those cost hardly anything.
            anonymous: Pool::new(
                max_in_flight.min(MAX_ANONYMOUS),
                arriving,
                max_arriving / ANONYMOUS_BYTES,
            ),
            operators: Arc::default(),
            addresses: Holders::default(),
        }
    }

    /// A place for a request of an app, or else of an operator, that is still coming.
    pub(super) fn authenticated(&self, caller: &Identity) -> Result<Place, Error> {
        let calls = match caller {
            Identity::App(app) => &app.calls,
            Identity::Operator(_) | Identity::Anonymous => &self.operators,
        };
        Place::take(&self.authenticated, Arc::clone(calls))
    }

    /// A place for a request without credentials that is still coming from this address.
    pub(super) fn anonymous(&self, from: Option<IpAddr>) -> Result<Place, Error> {
        Place::take(&self.anonymous, self.addresses.of(from.map(network_of)))
    }
}

/// The place of one call, which is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    pool: Arc<Pool>,
    calls: Arc<HeldCalls>,
    running: AtomicBool,
    /// The bytes of the request that are there, while the rest is coming.
    received: AtomicUsize,
}

impl Place {
    fn take(pool: &Arc<Pool>, calls: Arc<HeldCalls>) -> Result<Self, Error> {
        if !pool.arriving.take(&calls.arriving) {
            Limit::Arriving.refused();
            return Err(Error::Unavailable(Outage::Overloaded));
        }
        Ok(Self {
            pool: Arc::clone(pool),
            calls,
            running: AtomicBool::new(false),
            received: AtomicUsize::new(0),
        })
    }

    /// Counts bytes of the request, of which more are coming.
    ///
    /// # Errors
    /// `Unavailable` when the caller has its share of the bytes that may be there for requests that are
    /// coming.
    pub(super) fn receive(&self, bytes: usize) -> Result<(), Error> {
        let before = self.received.fetch_add(bytes, Ordering::Relaxed);
        let counted = |received: usize| received.saturating_sub(UNCOUNTED);
        let more = counted(before + bytes) - counted(before);
        if more == 0 || self.pool.arriving_bytes.take_many(&self.calls.arriving_bytes, more) {
            return Ok(());
        }
        self.received.fetch_sub(bytes, Ordering::Relaxed);
        Limit::Arriving.refused();
        Err(Error::Unavailable(Outage::Overloaded))
    }

    /// The request has come as a whole, or never will: what was kept of it is not counted any more.
    fn received(&self) {
        let counted = self.received.swap(0, Ordering::Relaxed).saturating_sub(UNCOUNTED);
        if counted > 0 {
            self.pool.arriving_bytes.give_back_many(&self.calls.arriving_bytes, counted);
        }
    }

    /// Exchanges the place for one among the running calls. A second call changes nothing.
    pub(super) fn run(&self) -> Result<(), Error> {
        if self.running.load(Ordering::Acquire) {
            return Ok(());
        }
        self.received();
        if !self.pool.running.take(&self.calls.running) {
            Limit::Running.refused();
            return Err(Error::Unavailable(Outage::Overloaded));
        }
        if self.running.swap(true, Ordering::AcqRel) {
            self.pool.running.give_back(&self.calls.running);
        } else {
            self.pool.arriving.give_back(&self.calls.arriving);
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.received();
        if *self.running.get_mut() {
            self.pool.running.give_back(&self.calls.running);
        } else {
            self.pool.arriving.give_back(&self.calls.arriving);
        }
    }
}
