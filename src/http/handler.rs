//! The way of every HTTP request, whichever vendor's API it belongs to: request id, caller, gate,
//! body, operation, response, log line.
//!
//! What differs between the vendors is a [`VendorApi`] and its table of [`Route`]s.

use std::{borrow::Cow, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{MatchedPath, RawPathParams, rejection::RawPathParamsRejection},
    http::{Extensions, Method, Request, Response, request::Parts},
    routing::{MethodFilter, MethodRouter, on},
};
use futures_util::future::BoxFuture;
use opentelemetry::KeyValue;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    openapi::Doc,
    read::{self, ReadError},
};
use crate::{
    clock::Clock,
    domain::{App, Error, unix_millis},
    gate::{self, Caller, Connection, Gate, InFlight, Operation, REQUEST_ID, RequestLog, Surface},
    ops::{
        Call, Core,
        access::{authenticate::Identity, caller_cache::CallingApp},
    },
    trace::CallTrace,
};

/// A vendor's HTTP API: how it reads a request, authenticates the caller and writes a response.
pub(super) trait VendorApi: Send + Sync + Sized + 'static {
    /// What the caller shows to be authenticated.
    type Credentials: Send;
    /// What the operation needs of a request, without its body.
    type Head: Send;
    /// A request as the functions of the routes take it.
    type Request: Send;
    /// An error in the vendor's form.
    type Error: From<Error> + From<ReadError> + Send;

    /// Reads the path, the query and the headers.
    fn read_head(head: RequestHead) -> Result<(Self::Credentials, Self::Head), Self::Error>;

    /// The app to which the credentials belong.
    fn authenticate(
        &self,
        core: &Core,
        credentials: Self::Credentials,
    ) -> impl Future<Output = Result<CallingApp, Self::Error>> + Send;

    /// Reads the body.
    fn read_body(head: Self::Head, body: Bytes) -> Result<Self::Request, Self::Error>;

    /// Called with the error that a request of `app` got.
    fn failed(&self, _core: &Core, _app: &App, _error: &Self::Error) {}

    /// Where the requests come from.
    const SURFACE: Surface;

    /// The response, and the code and the reason of an error under which the request is logged.
    fn respond(
        result: Result<Value, Self::Error>,
        received: Received,
    ) -> (Response<Body>, u16, &'static str);
}

/// A request without its body, before it is read.
pub(super) struct RequestHead {
    /// The values of the path's `{parameters}`, decoded.
    pub(super) params: RawPathParams,
    pub(super) parts: Parts,
    pub(super) received: Received,
}

/// When a request was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    time: OffsetDateTime,
    instant: Instant,
}

impl Received {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { time: clock.now(), instant: Instant::now() }
    }

    /// The time, in milliseconds since the epoch.
    pub(super) fn timestamp(self) -> i64 {
        unix_millis(self.time)
    }

    /// How long the request has taken so far, in milliseconds.
    pub(super) fn duration(self) -> u64 {
        u64::try_from(self.instant.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A line of a vendor's table.
pub(super) struct Route<A: VendorApi> {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Under what a request is counted and logged: it has the operation's name in gRPC, so that an app's
    /// rate holds across all APIs.
    operation: &'static Operation,
    run: Run<A>,
    pub(super) doc: Doc,
}

/// What a route runs.
enum Run<A: VendorApi> {
    /// An operation on behalf of the app whose credentials the caller showed.
    App(RunApp<A>),
    /// A login: the operation checks the credentials itself, until the deadline.
    Login(RunLogin<A>),
}

type RunApp<A> = Box<dyn Fn(<A as VendorApi>::Request, Call) -> RunResult<A> + Send + Sync>;
type RunLogin<A> =
    Box<dyn Fn(<A as VendorApi>::Request, Arc<Core>, Instant) -> RunResult<A> + Send + Sync>;
type RunResult<A> = BoxFuture<'static, Result<Value, <A as VendorApi>::Error>>;

impl<A: VendorApi> Route<A> {
    /// A route that runs an operation on behalf of an app.
    pub(super) fn app<F>(
        method: Method,
        path: &'static str,
        operation: &'static str,
        run: impl Fn(A::Request, Call) -> F + Send + Sync + 'static,
        doc: Doc,
    ) -> Self
    where
        F: Future<Output = Result<Value, A::Error>> + Send + 'static,
    {
        let run = Run::App(Box::new(move |request, call| Box::pin(run(request, call))));
        let operation = Operation::of(A::SURFACE, operation);
        Self { method, path, operation, run, doc }
    }

    /// A route that takes credentials.
    pub(super) fn login<F>(
        method: Method,
        path: &'static str,
        operation: &'static str,
        run: impl Fn(A::Request, Arc<Core>, Instant) -> F + Send + Sync + 'static,
        doc: Doc,
    ) -> Self
    where
        F: Future<Output = Result<Value, A::Error>> + Send + 'static,
    {
        let run = Run::Login(Box::new(move |request, core, deadline| {
            Box::pin(run(request, core, deadline))
        }));
        let operation = Operation::of(A::SURFACE, operation);
        Self { method, path, operation, run, doc }
    }

    /// What OpenTelemetry's conventions say of a request in its span: the route is the whole one, with the path
    /// below which the table is.
    fn described(&self, extensions: &Extensions) -> (Cow<'static, str>, Vec<KeyValue>) {
        let matched = extensions.get::<MatchedPath>();
        let path = matched.map_or(self.path, MatchedPath::as_str).to_owned();
        let name = format!("{} {path}", self.method);
        let attributes = vec![
            KeyValue::new("http.request.method", self.method.to_string()),
            KeyValue::new("http.route", path),
        ];
        (name.into(), attributes)
    }

    /// Whether the route takes credentials, and is called without a token.
    pub(super) fn is_login(&self) -> bool {
        matches!(self.run, Run::Login(_))
    }
}

/// A vendor's API behind the gate.
pub(super) struct Endpoint<A> {
    pub(super) api: A,
    pub(super) gate: Gate,
    /// The largest request body, in bytes.
    pub(super) max_body: usize,
}

impl<A: VendorApi> Endpoint<A> {
    /// A route as axum takes it.
    pub(super) fn method_router(self: &Arc<Self>, route: Route<A>) -> MethodRouter {
        let method = route.method.clone();
        let filter = MethodFilter::try_from(method).expect("the tables name usual methods");
        let (endpoint, route) = (Arc::clone(self), Arc::new(route));
        on(filter, move |params: Result<RawPathParams, _>, request: Request<Body>| {
            let (endpoint, route) = (Arc::clone(&endpoint), Arc::clone(&route));
            let id = gate::request_id(request.headers());
            let trace =
                CallTrace::begin(request.headers(), || route.described(request.extensions()));
            let (log_span, span) = (gate::span(&id, &trace), trace.span.clone());
            let work = async move {
                let mut log = RequestLog::open(route.operation, trace.span);
                let received = Received::now(&endpoint.gate.core().clock);
                let result = endpoint.serve(&route, params, request, received, &mut log).await;
                let (mut response, code, reason) = A::respond(result, received);
                response.headers_mut().insert(REQUEST_ID, id);
                log.close(code.to_string(), reason);
                response
            };
            span.cover(work.instrument(log_span))
        })
    }

    async fn serve(
        &self,
        route: &Route<A>,
        params: Result<RawPathParams, RawPathParamsRejection>,
        request: Request<Body>,
        received: Received,
        log: &mut RequestLog,
    ) -> Result<Value, A::Error> {
        let params = params.map_err(|_| ReadError::Path)?;
        let (parts, body) = request.into_parts();
        let in_flight = InFlight::of(&parts.extensions).cloned();
        let from = Connection::of(&parts.extensions).and_then(|connection| connection.address);
        let (credentials, head) = A::read_head(RequestHead { params, parts, received })?;
        let core = self.gate.core();
        let caller = match route.run {
            Run::App(_) => Caller::Authenticated(from),
            Run::Login(_) => Caller::Anonymous(from),
        };
        // Boxed, since the future of a statement is large.
        let authenticate = Box::pin(async {
            match caller {
                Caller::Authenticated(_) => {
                    self.api.authenticate(core, credentials).await.map(Identity::App)
                }
                Caller::Anonymous(_) => Ok(Identity::Anonymous),
            }
        });
        let result = self.gate.pass(log, caller, None, authenticate, |admitted| async move {
            let body = read::body(body, self.max_body, |bytes| {
                admitted.receive(bytes).map_err(A::Error::from)
            })
            .await?;
            let request = A::read_body(head, body)?;
            match &route.run {
                Run::App(run) => run(request, admitted.start_call()?).await,
                Run::Login(run) => run(request, Arc::clone(core), admitted.start()?).await,
            }
        });
        let result = result.await.map(|(value, place)| {
            if let Some(in_flight) = in_flight {
                in_flight.keep(place);
            }
            value
        });
        if let (Err(error), Some(app)) = (&result, log.app()) {
            self.api.failed(core, app, error);
        }
        result
    }
}
