//! The HTTP surfaces: Easemob's and NetEase's APIs, so that clients written for them move over by
//! changing an address. They run the same operations as gRPC, and decide nothing themselves.
//!
//! Each surface is a table of routes. A route passes the [`Gate`] as a gRPC method does; what it
//! refuses is told in the surface's own form.

mod easemob;
mod netease;
mod openapi;
mod read;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, Response, Uri},
    response::IntoResponse as _,
};
use tower::ServiceExt as _;

pub use self::netease::NetEaseSettings;
use self::{netease::Doorman, read::trimmed};
use crate::gate::Gate;

/// What the routes share.
struct Surface {
    gate: Gate,
    /// The largest request body, in bytes.
    max_body: usize,
    netease: Doorman,
}

/// The HTTP surfaces. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http(Router);

impl Http {
    /// The surfaces behind `gate`; `max_body` bounds a request's body, in bytes.
    #[must_use]
    pub fn new(gate: Gate, max_body: usize, netease: NetEaseSettings) -> Self {
        let surface = Arc::new(Surface { gate, max_body, netease: Doorman::new(netease) });
        let router = Router::new()
            .merge(openapi::routes())
            .merge(easemob::routes(&surface))
            .merge(netease::routes(&surface));
        let wrong = Arc::clone(&surface);
        Self(
            router
                .fallback(async move |uri: Uri| surface.unknown(&uri))
                .method_not_allowed_fallback(async move |uri: Uri| wrong.wrong_method(&uri)),
        )
    }

    /// Answers a request that is not gRPC. Its extensions hold the [`crate::gate::Connection`].
    pub async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        // NetEase's paths hold no names.
        let anywhere = netease::is_meant(request.uri().path());
        if let Some(uri) = trimmed(request.method(), request.uri(), anywhere) {
            *request.uri_mut() = uri;
        }
        match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Surface {
    /// A path that is nobody's is answered in the form of the surface that it looks like.
    fn unknown(&self, uri: &Uri) -> Response<Body> {
        if netease::is_meant(uri.path()) {
            netease::unknown().into_response()
        } else {
            easemob::unknown(self.gate.core().clock.now())
        }
    }

    fn wrong_method(&self, uri: &Uri) -> Response<Body> {
        if netease::is_meant(uri.path()) {
            netease::wrong_method().into_response()
        } else {
            easemob::wrong_method(self.gate.core().clock.now())
        }
    }
}
