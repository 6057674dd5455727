//! The services that answer without a token, health and reflection, in small bounds of their own: they are
//! no way to take memory or places from those who may call.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tokio::sync::Semaphore;
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

use crate::{gate::InFlight, measure::Limit};

/// The largest message to them, in bytes: a name is all that they need.
pub(super) const MAX_MESSAGE: usize = 4 * 1024;

/// A service with at most so many calls at once.
#[derive(Clone, Debug)]
pub(super) struct Bounded<S> {
    service: S,
    places: Arc<Semaphore>,
}

impl<S> Bounded<S> {
    /// The service, with at most `places` calls at once.
    pub(super) fn new(service: S, places: Arc<Semaphore>) -> Self {
        Self { service, places }
    }
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = InFlight::of(request.extensions());
        if !call.is_some_and(|call| call.keep_open_place(&self.places)) {
            Limit::WithoutToken.refused();
            let busy = Status::unavailable("too many calls without a token are under way");
            return Either::Right(ready(Ok(busy.into_http())));
        }
        Either::Left(self.service.call(request))
    }
}
