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
        atomic::{AtomicBool, Ordering},
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
    running: Places,
}

impl Pool {
    fn new(running: usize, arriving: usize) -> Arc<Self> {
        Arc::new(Self { arriving: Places::new(arriving), running: Places::new(running) })
    }
}

impl CallPlaces {
    /// Places for so many running calls.
    pub(super) fn new(max_in_flight: usize) -> Self {
        let arriving = max_in_flight.saturating_mul(ARRIVING);
        Self {
            authenticated: Pool::new(max_in_flight, arriving),
            // Many addresses can each begin a login that they never send: those cost hardly anything.
            anonymous: Pool::new(max_in_flight.min(MAX_ANONYMOUS), arriving),
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
}

impl Place {
    fn take(pool: &Arc<Pool>, calls: Arc<HeldCalls>) -> Result<Self, Error> {
        if !pool.arriving.take(&calls.arriving) {
            Limit::Arriving.refused();
            return Err(Error::Unavailable(Outage::Overloaded));
        }
        Ok(Self { pool: Arc::clone(pool), calls, running: AtomicBool::new(false) })
    }

    /// Exchanges the place for one among the running calls. A second call changes nothing.
    pub(super) fn run(&self) -> Result<(), Error> {
        if self.running.load(Ordering::Acquire) {
            return Ok(());
        }
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
        if *self.running.get_mut() {
            self.pool.running.give_back(&self.calls.running);
        } else {
            self.pool.arriving.give_back(&self.calls.arriving);
        }
    }
}
