//! The gate around the routes: by the method's own entry in the descriptors ([`Methods`]), before the
//! message is read. No method can forget to ask.

use std::{
    convert::Infallible,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Extensions, HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::methods::{Access, Method, Methods};
use crate::{
    domain::{App, Error, Invalid, Secret},
    gate::{self, Caller, Connection, Gate, REQUEST_ID, RequestLog},
    ops::{Core, access::authenticate},
};

/// The gate, as a layer around the routes.
#[derive(Clone, Debug)]
pub struct GateLayer {
    gate: Gate,
    methods: Arc<Methods>,
}

impl GateLayer {
    /// A layer that sends calls of our methods through `gate`.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate, methods: Arc::new(Methods::read()) }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, around: self.clone() }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    around: GateLayer,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let Some(method) = self.around.methods.get(request.uri().path()) else {
            // Health, reflection, the HTTP surfaces, which pass the gate by themselves, and what
            // nobody knows.
            return Box::pin(self.inner.call(request));
        };
        // The clone takes the place of the one that was polled ready, as tower asks.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let gate = self.around.gate.clone();
        let id = gate::request_id(request.headers());
        let span = gate::span(&id);
        let underway = request.extensions().get::<Connection>().map(|by| by.calls.begin());
        let work = async move {
            let _underway = underway;
            let mut log = RequestLog::open(method.operation);
            let answer = pass(&gate, method, inner, request, &mut log).await;
            let mut response = match answer {
                Ok(response) => with_details(response),
                Err(error) => Status::from(error).into_http(),
            };
            response.headers_mut().insert(REQUEST_ID, id);
            log.close(format!("{:?}", code_of(&response)));
            Ok(response)
        };
        Box::pin(work.instrument(span))
    }
}

/// Checks the caller and runs the method, all before the deadline.
async fn pass<S>(
    gate: &Gate,
    method: Method,
    mut inner: S,
    mut request: Request<Body>,
    log: &mut RequestLog,
) -> Result<Response<Body>, Error>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let caller = match method.access {
        Access::Anybody => Caller::Stranger,
        Access::App | Access::Operator => Caller::Known,
    };
    let patience = patience(request.headers())?;
    let (bearer, from) = (gate::bearer(request.headers()), address(request.extensions()));
    let admit = admit(gate.core(), method, bearer.as_ref(), from);
    gate.pass(log, caller, patience, admit, |admitted| {
        let deadline = admitted.deadline;
        if let Some(app) = admitted.app {
            request.extensions_mut().insert(gate.call(app, deadline));
        }
        request.extensions_mut().insert(Deadline(deadline));
        let answer = inner.call(request);
        async { answer.await.map_err(|never| match never {}) }
    })
    .await
}

async fn admit(
    core: &Core,
    method: Method,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
) -> Result<Option<Arc<App>>, Error> {
    match method.access {
        Access::Anybody => Ok(None),
        Access::App => authenticate::app(core, bearer).await.map(Some),
        Access::Operator => {
            authenticate::operator(core, bearer, from).await?;
            Ok(None)
        }
    }
}

/// The address at the other end of the connection.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Connection>()?.address
}

#[derive(Clone, Copy)]
struct Deadline(Instant);

/// Until when the caller of a method waits.
pub(super) fn deadline_of<T>(request: &tonic::Request<T>) -> Instant {
    request.extensions().get::<Deadline>().map_or_else(Instant::now, |deadline| deadline.0)
}

/// How long the caller waits, if their `grpc-timeout` says so.
///
/// A little less than the caller's own time, so that our answer, with its details, is there before
/// the caller and the transport give up by themselves.
fn patience(headers: &HeaderMap) -> Result<Option<Duration>, Invalid> {
    let Some(timeout) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    let timeout =
        timeout.to_str().ok().and_then(parse_timeout).ok_or_else(|| {
            Invalid::argument("grpc-timeout", "must be 1-8 digits and one of HMSmun")
        })?;
    let margin = (timeout / 20).clamp(Duration::from_millis(2), Duration::from_millis(10));
    Ok(Some(timeout.saturating_sub(margin)))
}

/// A timeout as gRPC writes it: "250m" is a quarter of a second.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// An error without our details comes from tonic's reading of the request: a message that is none, or
/// too large, packed or unpacked, or wrongly compressed. tonic calls some of these INTERNAL and one
/// RESOURCE_EXHAUSTED; they are the caller's, and no retry helps.
fn with_details(response: Response<Body>) -> Response<Body> {
    let ours = response.headers().contains_key("grpc-status-details-bin");
    match code_of(&response) {
        Code::Internal | Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument
            if !ours =>
        {
            let told = Status::from_header_map(response.headers());
            let why = told.map_or_else(String::new, |status| status.message().to_owned());
            Status::from(Invalid::argument("message", format!("can't be read: {why}"))).into_http()
        }
        _ => response,
    }
}

/// The code of an answer: an error stands in its headers; a success in its trailers, still to come.
fn code_of(response: &Response<Body>) -> Code {
    response.headers().get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_grpc_writes_it() {
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(parse_timeout("99999999H").map(|t| t.as_secs()), Some(99_999_999 * 3600));
        for bad in ["", "m", "5", "-5m", "+5m", "123456789m", "5 m", "5x", "5ü", "1.5S"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?} was taken");
        }
    }
}
