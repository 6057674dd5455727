//! Answers that are there at once leave in one write.
//!
//! The runtime runs a connection's task as soon as one answer is there for it, so each answer would be
//! a system call and a packet of its own, though those of others whose calls shared a turn are a few
//! microseconds away. So while the connection has other calls under way, a write waits until the worker
//! has run all tasks that are ready.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

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
    waited: bool,
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
        Self { stream, connection, waited: false }
    }

    /// The stream, once a write has waited for its company.
    fn poll_company(&mut self, cx: &mut Context<'_>) -> Poll<&mut S> {
        if !self.waited && self.connection.calls.any() {
            self.waited = true;
            // A first poll has the runtime wake the task, and that is all there is to this future.
            ready!(pin!(yield_now()).poll(cx));
        }
        Poll::Ready(&mut self.stream)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(ready!(self.poll_company(cx))).poll_write(cx, bytes);
        self.waited = written.is_pending();
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(ready!(self.poll_company(cx))).poll_write_vectored(cx, slices);
        self.waited = written.is_pending();
        written
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
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S> Connected for Gathering<S> {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        self.connection.clone()
    }
}
