//! A connection's bytes: what was read to learn its protocol comes again, and the [`Peer`] learns what comes
//! and what goes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::{frames::Frames, peer::Peer};

/// What every connection of HTTP/2 begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection.
#[derive(Debug)]
pub(super) struct PeerStream<S> {
    stream: S,
    peer: Arc<Peer>,
    /// The first bytes, and how many of them were given out.
    first: ([u8; PREFACE.len()], usize, usize),
    /// `None` for HTTP/1.
    frames: Option<Frames>,
}

impl<S: AsyncRead + Unpin> PeerStream<S> {
    /// Reads as much as it takes to tell HTTP/2 from HTTP/1.
    ///
    /// # Errors
    /// When the connection ends before.
    pub(super) async fn open(mut stream: S, peer: Arc<Peer>) -> io::Result<Self> {
        let mut first = [0; PREFACE.len()];
        let mut read = 0;
        while read < first.len() && first[..read] == PREFACE[..read] {
            let more = stream.read(&mut first[read..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read += more;
        }
        let is_http2 = first == *PREFACE;
        if is_http2 {
            peer.opened();
        } else {
            peer.received(read);
        }
        let frames = is_http2.then(Frames::new);
        Ok(Self { stream, peer, first: (first, 0, read), frames })
    }

    /// Whether the connection is one of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.frames.is_some()
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        self.peer.takes(written.is_ready());
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, written) {
            frames.wrote(*bytes);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PeerStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let (first, given, read) = &mut this.first;
        if given < read {
            let part = (*read - *given).min(buffer.remaining());
            buffer.put_slice(&first[*given..*given + part]);
            *given += part;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let bytes = &buffer.filled()[before..];
        match &mut this.frames {
            Some(frames) => frames.read(bytes)?,
            None => this.peer.received(bytes.len()),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PeerStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.peer.takes(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
