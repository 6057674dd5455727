//! Answers that are there at once leave in one write.
//!
//! The runtime runs a connection's task as soon as one answer is there for it, so each answer would be
//! a system call and a packet of its own, though those of others whose calls shared a turn are a few
//! microseconds away. So while the connection has other calls under way, its writes wait until the worker
//! has run all tasks that are ready. They wait once: what there is to write then is written whole.

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

/// A connection, and what its requests are told of it.
pub(super) struct Gathering<S> {
    stream: S,
    connection: Connection,
    writing: Writing,
    round: Arc<Round>,
}

/// How far the writes are that go out together.
#[derive(Clone, Copy, PartialEq)]
enum Writing {
    /// There was nothing to write yet.
    Not,
    /// There is, and it waits for its company.
    Waits,
    /// They go out. The next wait comes after a read: then the connection's task has written what there
    /// was, and runs anew.
    Goes,
}

/// A round of the worker through what is ready.
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
        Self { stream, connection, writing: Writing::Not, round: Arc::default() }
    }

    /// The stream, once its company is there.
    fn poll_company(&mut self, cx: &mut Context<'_>) -> Poll<&mut S> {
        if self.writing == Writing::Not && self.connection.calls.any() {
            self.writing = Writing::Waits;
            self.round.over.store(false, Ordering::Release);
            // A first poll has the runtime wake its waker at the end of the round, and that is all there
            // is to this future. Answers that come meanwhile wake the task too: that is no end.
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
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        self.connection.clone()
    }
}
