//! All connections: how many there may be, and which of them has to end.
//!
//! A round of the watch ([`Peers::watch`]) looks at every connection, so that none needs a timer of its own.
//! Where a bound is reached, the connection goes that is missed the least: the oldest that has not sent a
//! whole first request, or else the one that has been without a call for longest. A caller who opens
//! connections and leaves them so pushes out its own.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::peer::{Peer, Share, Ticks, Told};
use crate::{gate::Connection, measure::Limit, ops::access::network_of};

/// The time between two rounds of the watch; less where a limit is shorter.
const ROUND: Duration = Duration::from_millis(250);

/// How many connections in all may be without a whole first request.
const MAX_OPENING: usize = 1024;

/// The same for an address.
const MAX_OPENING_PER_ADDRESS: usize = 256;

/// How many connections that have to go may have sockets beside those that stay.
const MAX_ENDING: usize = 8;

/// For how long a connection that could be pushed out must have been without a call.
const UNUSED: u64 = 1_000;

/// For how long a connection without calls may stay after it was told to leave, in milliseconds: its last
/// answer is still on its way out.
const GRACE: u64 = 1_000;

/// A connection may keep this part of all bytes waiting before its next call waits.
const PART_OF_UNSENT: usize = 16;

/// What connections may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerLimits {
    /// How many there may be.
    pub(super) all: usize,
    /// How many there may be from one address.
    pub(super) per_address: usize,
    /// How long a first byte, a TLS handshake and the head of a request may take together.
    pub(super) head: Duration,
    /// How long a connection may be without calls.
    pub(super) idle: Duration,
    /// How long bytes of an answer may wait to be taken.
    pub(super) send: Duration,
    /// How many bytes of answers may wait, over all connections.
    pub(super) unsent: usize,
}

/// The connections.
#[derive(Debug)]
pub(super) struct Peers {
    limits: PeerLimits,
    started: Instant,
    ticks: Arc<Ticks>,
    all: Arc<Share>,
    state: Mutex<State>,
    /// Notified when the last connection is no longer counted.
    empty: Notify,
    /// The bytes that the process kept for all of them at the last round.
    kept: AtomicUsize,
    /// The sockets that are open: those of connections that were told to end are so for a moment.
    sockets: AtomicUsize,
    /// Notified when a socket was closed.
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<u64, Entry>,
    /// Those addresses from which there are connections.
    addresses: HashMap<IpAddr, Arc<Share>>,
    next: u64,
    leaving: bool,
    /// Whether the last new connection was refused.
    refusing: bool,
}

#[derive(Debug)]
struct Entry {
    peer: Arc<Peer>,
    /// The calls that had begun at the last round.
    begun: u64,
    /// Since when there was no call.
    unused_since: u64,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) max: usize,
    pub(super) all: usize,
    /// Those without a whole first request.
    pub(super) opening: usize,
    /// The bytes of answers and of requests' heads that are kept for them.
    pub(super) unsent: usize,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    peers: Arc<Peers>,
    id: u64,
    pub(super) peer: Arc<Peer>,
}

impl Peers {
    /// No connections yet.
    pub(super) fn new(limits: PeerLimits) -> Self {
        Self {
            limits,
            started: Instant::now(),
            ticks: Arc::default(),
            all: Arc::default(),
            state: Mutex::default(),
            empty: Notify::new(),
            kept: AtomicUsize::new(0),
            sockets: AtomicUsize::new(0),
            closed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes back when another socket may be opened: connections that have to go are closed first.
    pub(super) async fn until_room(&self) {
        loop {
            let closed = self.closed.notified();
            if self.sockets.load(SeqCst) < self.limits.all + MAX_ENDING {
                return;
            }
            closed.await;
        }
    }

    /// Counts a new connection; `None` if there is no room for it.
    pub(super) fn admit(self: &Arc<Self>, connection: Connection) -> Option<Admission> {
        let network = connection.address.map(network_of);
        let mut state = self.state();
        let share = match network {
            Some(network) => Arc::clone(state.addresses.entry(network).or_default()),
            None => Arc::default(),
        };
        let room = !state.leaving
            && self.make_room(&mut state, &share, self.limits.per_address, MAX_OPENING_PER_ADDRESS)
            && self.make_room(&mut state, &self.all, self.limits.all, MAX_OPENING);
        if room == state.refusing && !state.leaving {
            state.refusing = !room;
            if room {
                tracing::info!("new connections are taken again");
            } else {
                tracing::warn!(
                    connections = state.entries.len(),
                    "new connections are refused: there are too many (--max-connections, \
                     --max-connections-per-address)"
                );
            }
        }
        if !room {
            Limit::Connections.refused();
            forget(&mut state, network, &share);
            return None;
        }
        share.all.fetch_add(1, Relaxed);
        self.all.all.fetch_add(1, Relaxed);
        let shares = [share, Arc::clone(&self.all)];
        let room_for = self.limits.unsent / PART_OF_UNSENT;
        let peer = Arc::new(Peer::new(connection, shares, Arc::clone(&self.ticks), room_for));
        let id = state.next;
        state.next += 1;
        let unused_since = self.ticks.now();
        self.sockets.fetch_add(1, SeqCst);
        metrics::counter!("befriend_connections_accepted_total").increment(1);
        state.entries.insert(id, Entry { peer: Arc::clone(&peer), begun: 0, unused_since });
        Some(Admission { peers: Arc::clone(self), id, peer })
    }

    /// Ends a connection of `share` if it is full. False if none of them can be spared.
    fn make_room(&self, state: &mut State, share: &Arc<Share>, max: usize, opening: usize) -> bool {
        let full = share.all.load(Relaxed) >= max;
        if !full && share.opening.load(Relaxed) < opening {
            return true;
        }
        let now = self.ticks.now();
        let missed_the_least = state
            .entries
            .iter()
            .filter(|(_, entry)| entry.peer.is_counted_in(share) && entry.peer.told() != Told::End)
            .filter_map(|(id, entry)| {
                let peer = &entry.peer;
                if peer.is_opening() {
                    return Some(((0, *id), *id));
                }
                let unused = full && peer.is_unused() && now >= entry.unused_since + UNUSED;
                let ever_used = u64::from(peer.begun_calls() > 0);
                unused.then_some(((1 + ever_used, entry.unused_since), *id))
            })
            .min();
        let Some((_, id)) = missed_the_least else { return !full };
        if let Some(entry) = state.entries.remove(&id) {
            end(&entry.peer, "there are too many connections");
            self.discount(state, &entry.peer);
        }
        true
    }

    /// Takes a connection out of the counts.
    fn discount(&self, state: &mut State, peer: &Peer) {
        peer.opened();
        let [share, all] = peer.shares();
        share.all.fetch_sub(1, Relaxed);
        all.all.fetch_sub(1, Relaxed);
        forget(state, peer.address().map(network_of), share);
        if state.entries.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// How many calls have not ended.
    pub(super) fn open_calls(&self) -> u64 {
        self.state().entries.values().map(|entry| entry.peer.open_calls()).sum()
    }

    /// How many there are.
    pub(super) fn counts(&self) -> Counts {
        let (all, opening) = (self.all.all.load(Relaxed), self.all.opening.load(Relaxed));
        Counts { max: self.limits.all, all, opening, unsent: self.kept.load(Relaxed) }
    }

    /// Has every connection finish its calls, and takes no new ones.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.leaving = true;
        for entry in state.entries.values() {
            entry.peer.tell(Told::Leave);
        }
        if state.entries.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// Ends every connection.
    pub(super) fn end(&self) {
        for entry in self.state().entries.values() {
            entry.peer.tell(Told::End);
        }
    }

    /// Comes back when the connections were told to leave, and have.
    pub(super) async fn left(&self) {
        loop {
            let empty = self.empty.notified();
            if self.have_left() {
                return;
            }
            empty.await;
        }
    }

    fn have_left(&self) -> bool {
        let state = self.state();
        state.leaving && state.entries.is_empty()
    }

    /// Looks at all connections again and again.
    pub(super) async fn watch(&self) {
        let limits = &self.limits;
        let shortest = limits.head.min(limits.idle).min(limits.send);
        let round = ROUND.min(shortest / 4).max(Duration::from_millis(5));
        let quarter = millis(limits.send / 4).max(1);
        loop {
            let now = millis(self.started.elapsed()).max(1);
            let quarters = usize::try_from(now / quarter).unwrap_or(usize::MAX);
            self.ticks.set(now, quarters);
            self.look(now);
            tokio::time::sleep(round).await;
        }
    }

    fn look(&self, now: u64) {
        let mut state = self.state();
        let mut kept = 0;
        for entry in state.entries.values_mut() {
            let begun = entry.peer.begun_calls();
            if begun != entry.begun || !entry.peer.is_unused() {
                (entry.begun, entry.unused_since) = (begun, now);
            }
            if let Some(why) = self.reason_to_end(entry, now) {
                end(&entry.peer, why);
            } else {
                kept += entry.peer.kept();
            }
        }
        self.kept.store(kept, Relaxed);
        while kept > self.limits.unsent {
            let going_on = state.entries.values().map(|entry| &entry.peer);
            let going_on = going_on.filter(|peer| peer.told() != Told::End);
            let Some(largest) = going_on.max_by_key(|peer| peer.kept()) else { break };
            kept = kept.saturating_sub(largest.kept().max(1));
            end(largest, "too many bytes of answers wait to be taken, most of them its own");
        }
    }

    fn reason_to_end(&self, entry: &Entry, now: u64) -> Option<&'static str> {
        let (peer, limits) = (&entry.peer, &self.limits);
        let passed = |since: u64, limit: u64| now.saturating_sub(since) > limit;
        let unused = peer.is_unused();
        if peer.told() == Told::Leave && unused && passed(entry.unused_since, GRACE) {
            return Some("it was told to leave, and has no calls");
        }
        if peer.head_since().is_some_and(|since| passed(since, millis(limits.head))) {
            return Some("no whole request came");
        }
        let stuck = peer.stuck_since().is_some_and(|since| passed(since, millis(limits.send)));
        if stuck || peer.waits_for_too_long() {
            return Some("it does not take its answers");
        }
        if unused && passed(entry.unused_since, millis(limits.idle)) {
            peer.tell(Told::Leave);
        }
        None
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.peers.state();
        if let Some(entry) = state.entries.remove(&self.id) {
            self.peers.discount(&mut state, &entry.peer);
        }
        drop(state);
        self.peers.sockets.fetch_sub(1, SeqCst);
        self.peers.closed.notify_waiters();
    }
}

/// Forgets an address without connections.
fn forget(state: &mut State, network: Option<IpAddr>, share: &Share) {
    if let Some(network) = network
        && share.all.load(Relaxed) == 0
    {
        state.addresses.remove(&network);
    }
}

fn end(peer: &Peer, why: &'static str) {
    if peer.told() != Told::End {
        let address = peer.address().map(tracing::field::display);
        tracing::debug!(address, why, "a connection was closed");
        metrics::counter!("befriend_connections_closed_total", "reason" => why).increment(1);
        peer.tell(Told::End);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
