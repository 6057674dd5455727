//! A connection as the listener watches over it: its calls, what waits to be read by the caller, and whether
//! it is to end. Everything here is atomic, because every call passes it.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    task::Context,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::gate::Connection;

/// The time as the watch over the connections knows it: exact to a round of it, and free to read.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    /// Milliseconds since the listener started; never 0, which stands for "not at all".
    now: AtomicU64,
    /// The quarter of the time that an answer may wait, counted on.
    quarter: AtomicUsize,
}

impl Ticks {
    /// Sets the time.
    pub(super) fn set(&self, now: u64, quarter: usize) {
        self.now.store(now.max(1), Relaxed);
        self.quarter.store(quarter, Relaxed);
    }

    /// Milliseconds since the listener started.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed).max(1)
    }
}

/// Connections that are counted together: all, or those from one address.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) all: AtomicUsize,
    /// Those that have not sent a whole first request yet.
    pub(super) opening: AtomicUsize,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Told {
    /// To serve calls.
    Serve,
    /// To finish the calls that it has.
    Leave,
    /// To end.
    End,
}

/// How many quarters are told apart, so that answers of different age are counted apart.
const QUARTERS: usize = 8;

/// What a message costs beside its bytes: the buffer that it was written into has room to spare.
const SPARE: usize = 8 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: Arc<Connection>,
    /// The connections from the same address, and all: in these an opening one is counted.
    shares: [Arc<Share>; 2],
    ticks: Arc<Ticks>,
    opening: AtomicBool,
    /// The calls that began, in the upper half, and those that have not ended, in the lower half.
    calls: AtomicU64,
    /// The bytes of answers that were not sent yet, by the quarter in which they were ready.
    unsent: [AtomicUsize; QUARTERS],
    /// Above so many such bytes the next call waits.
    room_for: usize,
    /// The calls that wait for room.
    waiting: AtomicUsize,
    room: Notify,
    /// When the head of a request began that is not whole yet; 0: there is none.
    head_since: AtomicU64,
    /// The bytes of that head.
    head: AtomicUsize,
    /// Since when the socket takes no bytes; 0: it takes them.
    stuck_since: AtomicU64,
    told: AtomicU8,
    waker: AtomicWaker,
}

impl Peer {
    /// A connection that was just accepted; its next call waits while more than `room_for` bytes do.
    pub(super) fn new(
        connection: Connection,
        shares: [Arc<Share>; 2],
        ticks: Arc<Ticks>,
        room_for: usize,
    ) -> Self {
        for share in &shares {
            share.opening.fetch_add(1, Relaxed);
        }
        Self {
            connection: Arc::new(connection),
            shares,
            head_since: AtomicU64::new(ticks.now()),
            ticks,
            opening: AtomicBool::new(true),
            calls: AtomicU64::new(0),
            unsent: Default::default(),
            room_for,
            waiting: AtomicUsize::new(0),
            room: Notify::new(),
            head: AtomicUsize::new(0),
            stuck_since: AtomicU64::new(0),
            told: AtomicU8::new(Told::Serve as u8),
            waker: AtomicWaker::new(),
        }
    }

    /// The connections from its address, and all.
    pub(super) fn shares(&self) -> &[Arc<Share>; 2] {
        &self.shares
    }

    /// Whether the connection is one of these.
    pub(super) fn is_counted_in(&self, share: &Arc<Share>) -> bool {
        self.shares.iter().any(|own| Arc::ptr_eq(own, share))
    }

    /// Whether no call is under way, and no answer on its way out.
    pub(super) fn is_unused(&self) -> bool {
        self.open_calls() == 0 && self.unsent() == 0
    }

    /// The address at the other end.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.connection.address
    }

    /// Whether the connection has not sent a whole first request yet.
    pub(super) fn is_opening(&self) -> bool {
        self.opening.load(Relaxed)
    }

    /// The connection is known for what it is: one of HTTP/2, or a request of HTTP/1 is whole.
    pub(super) fn opened(&self) {
        if self.opening.load(Relaxed) && self.opening.swap(false, Relaxed) {
            for share in &self.shares {
                share.opening.fetch_sub(1, Relaxed);
            }
        }
        self.head_since.store(0, Relaxed);
        self.head.store(0, Relaxed);
    }

    /// Bytes came. Outside of a call they are a part of a request's head.
    pub(super) fn received(&self, bytes: usize) {
        if self.open_calls() == 0 {
            self.head.fetch_add(bytes, Relaxed);
            if self.head_since.load(Relaxed) == 0 {
                self.head_since.store(self.ticks.now(), Relaxed);
            }
        }
    }

    /// Notes whether the socket took the bytes that were last written to it.
    pub(super) fn takes(&self, taken: bool) {
        let since = self.stuck_since.load(Relaxed);
        if taken && since != 0 {
            self.stuck_since.store(0, Relaxed);
        } else if !taken && since == 0 {
            self.stuck_since.store(self.ticks.now(), Relaxed);
        }
    }

    /// Since when the socket takes no bytes.
    pub(super) fn stuck_since(&self) -> Option<u64> {
        Some(self.stuck_since.load(Relaxed)).filter(|since| *since != 0)
    }

    /// Since when the head of a request is not whole.
    pub(super) fn head_since(&self) -> Option<u64> {
        Some(self.head_since.load(Relaxed)).filter(|since| *since != 0)
    }

    /// Begins a call; it lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> OpenCall {
        self.calls.fetch_add((1 << 32) | 1, Relaxed);
        if self.head_since.load(Relaxed) != 0 {
            self.opened();
        }
        OpenCall(Arc::clone(self))
    }

    /// How many calls have begun, counted on in 32 bits.
    pub(super) fn begun_calls(&self) -> u64 {
        self.calls.load(Relaxed) >> 32
    }

    /// How many calls have not ended.
    pub(super) fn open_calls(&self) -> u64 {
        self.calls.load(Relaxed) & u64::from(u32::MAX)
    }

    /// Counts bytes of an answer that are ready, until the guard is dropped: they were sent, or never will be.
    pub(super) fn wait(self: &Arc<Self>, bytes: usize) -> Unsent {
        let quarter = self.ticks.quarter.load(Relaxed) % QUARTERS;
        let bytes = bytes + SPARE;
        self.unsent[quarter].fetch_add(bytes, Relaxed);
        Unsent { peer: Arc::clone(self), quarter, bytes }
    }

    /// Bytes of answers that wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.iter().map(|bytes| bytes.load(SeqCst)).sum()
    }

    /// Bytes that the process keeps for the connection.
    pub(super) fn kept(&self) -> usize {
        self.unsent() + self.head.load(Relaxed)
    }

    /// Whether bytes wait since before the last four quarters.
    pub(super) fn waits_for_too_long(&self) -> bool {
        let now = self.ticks.quarter.load(Relaxed);
        (5..QUARTERS).any(|age| self.unsent[now.wrapping_sub(age) % QUARTERS].load(Relaxed) > 0)
    }

    /// Whether the next call may begin.
    pub(super) fn has_room(&self) -> bool {
        self.unsent() <= self.room_for
    }

    /// Waits until the next call may begin.
    pub(super) async fn until_room(self: Arc<Self>) {
        struct Queued<'a>(&'a AtomicUsize);
        impl Drop for Queued<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Relaxed);
            }
        }
        self.waiting.fetch_add(1, SeqCst);
        let _queued = Queued(&self.waiting);
        loop {
            let notified = self.room.notified();
            if self.has_room() {
                return;
            }
            notified.await;
        }
    }

    /// Tells the connection what to do. What it was told before and is more than this holds on.
    pub(super) fn tell(&self, what: Told) {
        if self.told.fetch_max(what as u8, Release) < what as u8 {
            self.waker.wake();
        }
    }

    /// What the connection was told; `cx` is woken when it is told more.
    pub(super) fn poll_told(&self, cx: &Context<'_>) -> Told {
        self.waker.register(cx.waker());
        self.told()
    }

    /// What the connection was told.
    pub(super) fn told(&self) -> Told {
        match self.told.load(Acquire) {
            0 => Told::Serve,
            1 => Told::Leave,
            _ => Told::End,
        }
    }
}

/// A call that has not ended.
#[derive(Debug)]
pub(super) struct OpenCall(Arc<Peer>);

impl OpenCall {
    /// The connection of the call.
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.0
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
    }
}

/// Bytes of an answer that wait to be sent.
#[derive(Debug)]
pub(super) struct Unsent {
    peer: Arc<Peer>,
    quarter: usize,
    bytes: usize,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.peer.unsent[self.quarter].fetch_sub(self.bytes, SeqCst);
        if self.peer.waiting.load(SeqCst) > 0 && self.peer.has_room() {
            self.peer.room.notify_waiters();
        }
    }
}
