//! The HTTP APIs: Easemob's and NetEase's, so that clients written for them move over by changing
//! an address. They run the same operations as gRPC, and decide nothing themselves.
//!
//! Each API is a table of routes. A request passes the [`Gate`] as a gRPC call does; errors are
//! returned in the vendor's own form.

mod easemob;
mod handler;
mod json;
mod netease;
mod openapi;
mod read;
mod reference;
mod schema;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    http::{Request, Response},
};
use serde_json::Value;
use tower::ServiceExt as _;

pub use self::netease::NetEaseSettings;
use self::{
    easemob::Easemob,
    handler::{Endpoint, Received},
    netease::NetEase,
    openapi::Description,
    read::trimmed,
};
use crate::{
    clock::Clock,
    early_answer::Rest,
    gate::{self, Gate, NoCall, REQUEST_ID, Surface},
};

/// The HTTP APIs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http(Router);

impl Http {
    /// The APIs behind `gate`; `max_body` bounds a request's body, in bytes. `own_api` describes befriend's own API
    /// for `/openapi.json`.
    #[must_use]
    pub fn new(
        gate: Gate,
        max_body: usize,
        netease: NetEaseSettings,
        own_api: fn() -> Value,
    ) -> Self {
        let clock = gate.core().clock.clone();
        let core = Arc::clone(gate.core());
        let describe = move || {
            let mut vendors = Description::default();
            easemob::describe(&core.bounds, &mut vendors);
            netease::describe(&mut vendors);
            (vendors, own_api())
        };
        let easemob = Endpoint { api: Easemob, gate: gate.clone(), max_body };
        let netease = Endpoint { api: NetEase::new(netease), gate, max_body };
        let router = Router::new()
            .merge(openapi::router(describe))
            .merge(easemob::router(&Arc::new(easemob)))
            .merge(netease::router(&Arc::new(netease)));
        let clocks = (clock.clone(), clock);
        Self(
            router
                .fallback(async move |request: Request<Body>| not_found(&request, &clocks.0))
                .method_not_allowed_fallback(async move |request: Request<Body>| {
                    method_not_allowed(&request, &clocks.1)
                }),
        )
    }

    /// Answers a request that is not gRPC. Its extensions hold the [`crate::gate::InFlight`].
    pub async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        // NetEase's paths hold no usernames.
        let anywhere = netease::has_path(request.uri().path());
        if let Some(uri) = trimmed(request.method(), request.uri(), anywhere) {
            *request.uri_mut() = uri;
        }
        let rest = Rest::of(&mut request, Body::new);
        let mut response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if let Some(rest) = rest {
            rest.finish(&mut response).await;
        }
        response
    }
}

/// The response for a path that no route has, in the form of the API that the path looks like.
fn not_found(request: &Request<Body>, clock: &Clock) -> Response<Body> {
    let response = if netease::has_path(request.uri().path()) {
        netease::not_found()
    } else {
        easemob::not_found(Received::now(clock))
    };
    no_call(NoCall::Path, request, response)
}

/// The response for a method that no route of the path has, in the form of the path's API.
fn method_not_allowed(request: &Request<Body>, clock: &Clock) -> Response<Body> {
    let response = if netease::has_path(request.uri().path()) {
        netease::method_not_allowed()
    } else {
        easemob::method_not_allowed(Received::now(clock))
    };
    no_call(NoCall::Method, request, response)
}

/// Counts a request that is no call, and gives the response its id.
fn no_call(what: NoCall, request: &Request<Body>, mut response: Response<Body>) -> Response<Body> {
    let path = request.uri().path();
    let surface = if netease::has_path(path) { Surface::NetEase } else { Surface::Easemob };
    let id = gate::request_id(request.headers());
    // The path is without what the table is below; the pattern has it.
    let matched = request.extensions().get::<MatchedPath>();
    what.count(surface, matched.map_or(path, MatchedPath::as_str), &id);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}
