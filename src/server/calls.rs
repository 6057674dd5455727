//! The calls of one connection: each is counted, and waits while too much of earlier answers is unread.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tower::{Service, ServiceExt as _, util::Oneshot};

use super::{
    answer::Answer,
    arriving::Arriving,
    peer::{OpenCall, Peer},
};
use crate::gate::InFlight;

/// The routes as hyper calls them for one connection.
#[derive(Debug)]
pub(super) struct CallService<S> {
    routes: S,
    peer: Arc<Peer>,
}

impl<S> CallService<S> {
    /// The routes for the calls of `peer`.
    pub(super) fn new(routes: S, peer: Arc<Peer>) -> Self {
        Self { routes, peer }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Unpin
        + 'static,
    S::Future: Send + Unpin,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering<S>;

    fn call(&self, request: Request<Incoming>) -> Answering<S> {
        let open = self.peer.begin();
        let call = Arc::new(InFlight::on(Arc::clone(&self.peer.connection)));
        let mut request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(&call))));
        request.extensions_mut().insert(Arc::clone(&call));
        let routes = self.routes.clone();
        let stage = if self.peer.has_room() {
            Stage::Runs(routes.oneshot(request))
        } else {
            let room = Arc::clone(&self.peer).until_room().boxed();
            Stage::Waits { room, rest: Some((routes, request)) }
        };
        Answering { stage, call: Some((call, open)) }
    }
}

/// A call under way.
pub(super) struct Answering<S: Service<Request<Body>>> {
    stage: Stage<S>,
    call: Option<(Arc<InFlight>, OpenCall)>,
}

enum Stage<S: Service<Request<Body>>> {
    /// For the caller to read answers.
    Waits {
        room: BoxFuture<'static, ()>,
        rest: Option<(S, Request<Body>)>,
    },
    Runs(Oneshot<S, Request<Body>>),
}

impl<S> Future for Answering<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Unpin,
    S::Future: Unpin,
{
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.stage {
                Stage::Waits { room, rest } => {
                    ready!(room.poll_unpin(cx));
                    let (routes, request) = rest.take().expect("it waits once");
                    self.stage = Stage::Runs(routes.oneshot(request));
                }
                Stage::Runs(answer) => {
                    let Ok(response) = ready!(answer.poll_unpin(cx));
                    let (call, open) = self.call.take().expect("it is not polled after its end");
                    return Poll::Ready(Ok(response.map(|body| Answer::new(body, call, open))));
                }
            }
        }
    }
}
