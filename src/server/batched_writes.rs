//! Responses that become ready at about the same time are sent in one write.
//!
//! The runtime runs a connection's task as soon as one response is ready. Each response would then be a
//! system call and a packet of its own, although the responses to calls that ran together follow within a
//! few microseconds. So while the connection has calls in flight, its writes wait until the worker has run
//! all tasks that are ready. They wait once: then everything that is ready is written.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
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
    net::TcpStream,
    task::yield_now,
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::gate::Connection;

/// A connection whose writes are gathered, and what its requests learn about it.
pub(super) struct Gathering<S> {
    stream: S,
    connection: Arc<Connection>,
    writing: Writing,
    round: Arc<Round>,
}

/// Whether writes wait.
#[derive(Clone, Copy, PartialEq)]
enum Writing {
    /// There was nothing to write since the last read.
    Not,
    /// A response is ready, and waits for those of other calls.
    Waits,
    /// The wait is over, and everything is written without another one until the next read. By then the
    /// connection's task has written all that was ready.
    Goes,
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

impl Gathering<TcpStream> {
    pub(super) fn plain(stream: TcpStream) -> Self {
        let address = stream.peer_addr().ok();
        Self::new(stream, address, false)
    }
}

impl Gathering<TlsStream<TcpStream>> {
    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        let address = stream.get_ref().0.peer_addr().ok();
        Self::new(stream, address, true)
    }
}

impl<S> Gathering<S> {
    fn new(stream: S, address: Option<SocketAddr>, tls: bool) -> Self {
        let address = address.map(|address| address.ip());
        let connection = Connection { address, tls, ..Connection::default() };
        Self {
            stream,
            connection: Arc::new(connection),
            writing: Writing::Not,
            round: Arc::default(),
        }
    }

    /// The stream to write to, once the wait is over.
    fn poll_company(&mut self, cx: &mut Context<'_>) -> Poll<&mut S> {
        if self.writing == Writing::Not && self.connection.calls.any() {
            self.writing = Writing::Waits;
            self.round.over.store(false, Ordering::Release);
            // The first poll of `yield_now` has the runtime wake `end` at the end of the round; the
            // future is not needed any more. Responses that become ready meanwhile wake the connection's
            // task as well, but do not end the round.
            let end = Waker::from(Arc::clone(&self.round));
            let _ = pin!(yield_now()).poll(&mut Context::from_waker(&end));
        }
        if self.writing == Writing::Waits {
            self.round.task.register(cx.waker());
            if !self.round.over.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        self.writing = Writing::Goes;
        Poll::Ready(&mut self.stream)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_company(cx))).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_company(cx))).poll_write_vectored(cx, slices)
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

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.writing == Writing::Goes {
            self.writing = Writing::Not;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S> Connected for Gathering<S> {
    type ConnectInfo = Arc<Connection>;

    fn connect_info(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}
