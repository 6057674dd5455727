//! Responses that become ready at about the same time are sent in one write.
//!
//! The runtime runs a connection's task as soon as one response is ready. Each response would then be a
//! system call and a packet of its own, although the responses to calls that ran together follow within a
//! few microseconds. So while the connection has calls in flight, its writes wait until the worker has run
//! all tasks that are ready. They wait once: then everything that is ready is written.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::yield_now,
};

use crate::gate::Calls;

/// A connection whose writes wait for each other.
pub(super) struct BatchedWrites<S> {
    stream: S,
    calls: Calls,
    writing: Writing,
    round: Arc<Round>,
}

/// Whether writes wait.
#[derive(Clone, Copy, PartialEq)]
enum Writing {
    /// There was nothing to write since the last read.
    Idle,
    /// A response is ready, and waits for those of other calls.
    Waiting,
    /// The wait is over, and everything is written without another one until the next read. By then the
    /// connection's task has written all that was ready.
    Passing,
}

/// One round of the worker through the tasks that are ready.
#[derive(Default)]
struct Round {
    over: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Round {
    fn wake(self: Arc<Self>) {
        self.over.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<S> BatchedWrites<S> {
    /// A connection with these calls in flight.
    pub(super) fn new(stream: S, calls: Calls) -> Self {
        Self { stream, calls, writing: Writing::Idle, round: Arc::default() }
    }

    /// The stream to write to, once the wait is over.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<&mut S> {
        if self.writing == Writing::Idle && self.calls.any() {
            self.writing = Writing::Waiting;
            self.round.over.store(false, Ordering::Release);
            // The first poll of `yield_now` has the runtime wake `end` at the end of the round; the
            // future is not needed any more. Responses that become ready meanwhile wake the connection's
            // task as well, but do not end the round.
            let end = Waker::from(Arc::clone(&self.round));
            let _ = pin!(yield_now()).poll(&mut Context::from_waker(&end));
        }
        if self.writing == Writing::Waiting {
            self.round.task.register(cx.waker());
            if !self.round.over.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        self.writing = Writing::Passing;
        Poll::Ready(&mut self.stream)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BatchedWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_wait(cx))).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_wait(cx))).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BatchedWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.writing == Writing::Passing {
            self.writing = Writing::Idle;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    fn connection() -> (BatchedWrites<DuplexStream>, DuplexStream) {
        let (ours, peers) = duplex(1024);
        (BatchedWrites::new(ours, Calls::default()), peers)
    }

    #[tokio::test]
    async fn without_calls_in_flight_a_write_does_not_wait() {
        let (mut connection, _peer) = connection();
        assert!(poll!(pin!(connection.write_all(b"answer"))).is_ready());
    }

    #[tokio::test]
    async fn with_calls_in_flight_a_write_waits_for_the_tasks_that_are_ready_and_only_once() {
        let (mut connection, mut peer) = connection();
        let _in_flight = connection.calls.begin();
        let other = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&other);
        tokio::spawn(async move { done.store(true, Ordering::Relaxed) });
        assert!(poll!(pin!(connection.write_all(b"one"))).is_pending(), "the write did not wait");
        connection.write_all(b"one").await.unwrap();
        assert!(other.load(Ordering::Relaxed), "a task that was ready ran after the write");
        assert!(poll!(pin!(connection.write_all(b"two"))).is_ready(), "a second write waited");

        peer.write_all(b"next").await.unwrap();
        connection.read_exact(&mut [0; 4]).await.unwrap();
        assert!(poll!(pin!(connection.write_all(b"three"))).is_pending(), "after a read");
    }
}
