//! One connection, from its first byte to its end: TLS, the protocol, and its calls.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tonic::body::Body;
use tower::Service;

use super::{
    batched_writes::BatchedWrites,
    calls::CallService,
    certificates::Certificates,
    peer::{Peer, Told},
    peer_stream::PeerStream,
    peers::Admission,
};
use crate::{config::ListenerArgs, gate::MAX_METADATA};

/// The largest header list of an HTTP/2 request, in bytes. What is above it HTTP/2 itself answers with 431,
/// so it lies far above the bound of metadata, which the gate answers in gRPC's words.
const MAX_HEADER_LIST: u32 = 16 * MAX_METADATA;

/// From how many bytes on the head of an HTTP/1 request is refused if it is not whole by then: a gRPC call may have
/// as much metadata. Two thousand callers who send heads of 60 KB without an end would cost others more time.
const MAX_HTTP1_HEAD: usize = MAX_METADATA as usize;

/// How much of the body of an HTTP/1 request is read ahead, in bytes.
const MAX_HTTP1_BUFFER: usize = 64 * 1024;

/// How connections are served. Cheap enough to clone for each.
#[derive(Clone)]
pub(super) struct Protocols<S> {
    routes: S,
    tls: Option<Arc<Certificates>>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

/// What answers the calls.
pub(super) trait Routes:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + Unpin>
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
}

impl<S> Routes for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + Unpin>
        + Clone
        + Send
        + Sync
        + Unpin
        + 'static
{
}

impl<S: Routes> Protocols<S> {
    pub(super) fn new(routes: S, tls: Option<Arc<Certificates>>, args: &ListenerArgs) -> Self {
        let mut http1 = http1::Builder::new();
        // The watch over the connections bounds the time for a head.
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_header_size(MAX_HTTP1_HEAD)
            .max_buf_size(MAX_HTTP1_BUFFER);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(args.max_streams.get())
            .keep_alive_interval(args.keepalive)
            .keep_alive_timeout(args.keepalive)
            .max_header_list_size(MAX_HEADER_LIST);
        Self { routes, tls, http1, http2 }
    }

    /// Whether connections are encrypted.
    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves a connection until its end.
    pub(super) async fn serve(self, tcp: TcpStream, admission: Admission) {
        let peer = &*admission.peer;
        // Small answers must not wait for the acknowledgement of those before.
        let _ = tcp.set_nodelay(true);
        match &self.tls {
            None => self.speak(tcp, &admission).await,
            Some(tls) => {
                // Boxed, because most of the time a connection is past its handshake.
                let handshake = while_told(peer, Told::Serve, Box::pin(tls.acceptor().accept(tcp)));
                if let Some(Ok(stream)) = handshake.await {
                    self.speak(stream, &admission).await;
                }
            }
        }
    }

    async fn speak<T>(&self, stream: T, admission: &Admission)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = &admission.peer;
        let opening = Box::pin(PeerStream::open(stream, peer.clone()));
        let Some(Ok(stream)) = while_told(peer, Told::Serve, opening).await else { return };
        let is_http2 = stream.is_http2();
        let io = TokioIo::new(BatchedWrites::new(stream, peer.connection.calls.clone()));
        let calls = CallService::new(self.routes.clone(), peer.clone());
        if is_http2 {
            let connection = self.http2.serve_connection(io, calls);
            until_end(peer, connection, |connection| connection.graceful_shutdown()).await;
        } else {
            let connection = self.http1.serve_connection(io, calls);
            until_end(peer, connection, |connection| connection.graceful_shutdown()).await;
        }
    }
}

/// Runs `work` while the connection is told no more than `most`.
async fn while_told<F: Future + Unpin>(peer: &Peer, most: Told, mut work: F) -> Option<F::Output> {
    poll_fn(|cx: &mut Context<'_>| {
        if peer.poll_told(cx) > most {
            return Poll::Ready(None);
        }
        Pin::new(&mut work).poll(cx).map(Some)
    })
    .await
}

/// Runs a connection to its end, or until it is told to end. `leave` has it finish its calls.
async fn until_end<C: Future>(peer: &Peer, connection: C, leave: impl Fn(Pin<&mut C>)) {
    let mut connection = pin!(connection);
    let mut leaves = false;
    poll_fn(|cx: &mut Context<'_>| {
        let told = peer.poll_told(cx);
        if told == Told::End {
            return Poll::Ready(());
        }
        if told == Told::Leave && !leaves {
            leaves = true;
            leave(connection.as_mut());
        }
        // Why a connection broke off is its caller's affair.
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}
