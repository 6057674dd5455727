//! The gate as a layer around all methods, so that no method can forget it. It works before the
//! request's message is read, by the method's entry in the descriptors ([`Methods`]).

use std::{
    borrow::Cow,
    convert::Infallible,
    future::{Future, ready},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::TryFutureExt as _;
use http::{Extensions, HeaderMap, Request, Response, Version};
use opentelemetry::KeyValue;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::{
    methods::{Access, Method, Methods},
    protocol, status,
};
use crate::{
    domain::{Error, Invalid, Secret},
    gate::{
        self, Admitted, Caller, Connection, Gate, InFlight, NoCall, REQUEST_ID, RequestLog, Surface,
    },
    ops::{
        Core, OperatorCall,
        access::authenticate::{self, Identity},
    },
    trace::CallTrace,
};

/// The gate, as a layer around the routes.
#[derive(Clone, Debug)]
pub struct GateLayer {
    gate: Gate,
    methods: Arc<Methods>,
}

impl GateLayer {
    /// A layer that sends the calls of befriend's own methods through `gate`.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate, methods: Arc::new(Methods::read()) }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, layer: self.clone() }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    layer: GateLayer,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

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
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        if request.version() < Version::HTTP_2 && protocol::is_grpc(request.headers()) {
            return Box::pin(self.answer(request).map_ok(protocol::ends_connection));
        }
        self.answer(request)
    }
}

impl<S> Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    fn answer(&mut self, request: Request<Body>) -> ResponseFuture {
        if let Some((what, mut refusal)) = protocol::refuse(&request) {
            let id = gate::request_id(request.headers());
            what.count(Surface::of_call(request.extensions()), request.uri().path(), &id);
            refusal.headers_mut().insert(REQUEST_ID, id);
            return Box::pin(ready(Ok(refusal)));
        }
        let Some(method) = self.layer.methods.get(request.uri().path()) else {
            if protocol::is_grpc(request.headers()) {
                return self.answer_without_gate(request);
            }
            // The HTTP APIs pass the gate by themselves.
            return Box::pin(self.inner.call(request));
        };
        // tower requires that the service that was polled ready is the one that is called.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let gate = self.layer.gate.clone();
        let id = gate::request_id(request.headers());
        let surface = Surface::of_call(request.extensions());
        let described = || described(surface, request.uri().path());
        let trace = CallTrace::begin(request.headers(), described);
        let (log_span, span) = (gate::span(&id, &trace), trace.span.clone());
        let connection = Connection::of(request.extensions());
        let in_flight = connection.map(|connection| connection.calls.begin());
        let work = async move {
            let _in_flight = in_flight;
            let mut log = RequestLog::open(method.operation(surface), trace.span);
            let result = pass(&gate, method, surface, inner, request, &mut log).await;
            let mut response = match result {
                Ok(response) => with_details(response),
                Err(error) => Status::from(error).into_http(),
            };
            response.headers_mut().insert(REQUEST_ID, id);
            let code = code_of(&response);
            let reason = if code == Code::Ok { "" } else { status::reason(response.headers()) };
            log.close(format!("{code:?}"), reason);
            Ok(response)
        };
        Box::pin(span.cover(work.instrument(log_span)))
    }

    /// Answers a call of health or reflection, or of a method that there is not.
    fn answer_without_gate(&mut self, request: Request<Body>) -> ResponseFuture {
        let id = gate::request_id(request.headers());
        let path = request.uri().path().to_owned();
        let surface = Surface::of_call(request.extensions());
        Box::pin(self.inner.call(request).map_ok(move |mut response| {
            if code_of(&response) == Code::Unimplemented {
                NoCall::Unimplemented.count(surface, &path, &id);
            }
            response.headers_mut().insert(REQUEST_ID, id);
            response
        }))
    }
}

/// Runs a method behind the gate.
async fn pass<S>(
    gate: &Gate,
    method: Method,
    surface: Surface,
    mut inner: S,
    mut request: Request<Body>,
    log: &mut RequestLog,
) -> Result<Response<Body>, Error>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let timeout = client_timeout(surface, request.headers())?;
    let (bearer, address) = (gate::bearer(request.headers()), address(request.extensions()));
    let caller = match method.access {
        Access::Public => Caller::Anonymous(address),
        Access::App | Access::Operator(_) | Access::AppOrOperator(_) => {
            Caller::Authenticated(address)
        }
    };
    let identify = identify(gate.core(), method, bearer.as_ref(), address);
    let in_flight = InFlight::of(request.extensions()).cloned();
    let call = in_flight.as_deref();
    let passed = gate.pass(log, caller, timeout, identify, |admitted| {
        call.inspect(|call| admitted.count_arriving(call));
        request.extensions_mut().insert(admitted);
        let response = inner.call(request);
        async { response.await.map_err(|never| match never {}) }
    });
    let (response, place) = passed.await?;
    // A stream lasts for long, and has a place among the watchers instead.
    if let Some(in_flight) = in_flight
        && !method.streams
    {
        in_flight.keep(place);
    }
    Ok(response)
}

/// What OpenTelemetry's conventions say of a call in its span; the path is "/befriend.v1.S/M".
fn described(surface: Surface, path: &str) -> (Cow<'static, str>, Vec<KeyValue>) {
    let method = path.trim_start_matches('/').to_owned();
    let system = if surface == Surface::Connect { "connectrpc" } else { "grpc" };
    let attributes =
        vec![KeyValue::new("rpc.system.name", system), KeyValue::new("rpc.method", method.clone())];
    (method.into(), attributes)
}

/// Who calls the method. An error if the caller may not call it.
async fn identify(
    core: &Core,
    method: Method,
    bearer: Option<&Secret>,
    address: Option<IpAddr>,
) -> Result<Identity, Error> {
    match method.access {
        Access::Public => Ok(Identity::Anonymous),
        Access::App => authenticate::app(core, bearer, address).await.map(Identity::App),
        Access::Operator(role) => {
            authenticate::operator(core, bearer, address, role).await.map(Identity::Operator)
        }
        Access::AppOrOperator(role) => {
            authenticate::app_or_operator(core, bearer, address, role).await
        }
    }
}

/// The address at the other end of the connection.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    Connection::of(extensions)?.address
}

/// Starts a call that no app makes, now that its message is there. Returns when the call must be over.
pub(super) fn start<T>(request: &tonic::Request<T>) -> Result<Instant, Error> {
    request.extensions().get::<Admitted>().ok_or(Error::Unauthenticated)?.start()
}

/// Starts a call that an operator makes, now that its message is there.
///
/// # Errors
/// As [`start`]; UNAUTHENTICATED when the gate has checked no operator's token, so that a method that is
/// public by mistake refuses every call.
pub(super) fn operator_call<T>(request: tonic::Request<T>) -> Result<(OperatorCall, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    let admitted = extensions.remove::<Admitted>().ok_or(Error::Unauthenticated)?;
    Ok((admitted.start_operator_call()?, message))
}

/// How long a call may take by the client's `grpc-timeout`, or over Connect its `connect-timeout-ms`, if
/// there is one.
///
/// A little less than the client's own number, so that the response, with its error details, arrives
/// before the client or the transport gives up.
pub(super) fn client_timeout(
    surface: Surface,
    headers: &HeaderMap,
) -> Result<Option<Duration>, Invalid> {
    let (name, parse, form): (_, fn(&str) -> Option<Duration>, _) = match surface {
        Surface::Connect => ("connect-timeout-ms", parse_milliseconds, "must be 1-10 digits"),
        _ => ("grpc-timeout", parse_timeout, "must be 1-8 digits and one of HMSmun"),
    };
    let Some(timeout) = headers.get(name) else { return Ok(None) };
    let timeout = timeout.to_str().ok().and_then(parse);
    let timeout = timeout.ok_or_else(|| Invalid::argument(name, form))?;
    let margin = (timeout / 20).clamp(Duration::from_millis(2), Duration::from_millis(10));
    Ok(Some(timeout.saturating_sub(margin)))
}

/// Reads a timeout in gRPC's notation: "250m" is 250 milliseconds.
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

/// Reads a timeout in Connect's notation: "250" is 250 milliseconds.
fn parse_milliseconds(text: &str) -> Option<Duration> {
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok().map(Duration::from_millis))?
}

/// Turns tonic's own errors into INVALID_ARGUMENT. An error without befriend's details comes from
/// tonic's reading of the request: the message is malformed, too large, or wrongly compressed.
/// tonic reports some of these as INTERNAL and one as RESOURCE_EXHAUSTED, though the request is at
/// fault and no retry helps.
fn with_details(response: Response<Body>) -> Response<Body> {
    let ours = response.headers().contains_key("grpc-status-details-bin");
    match code_of(&response) {
        Code::Internal | Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument
            if !ours =>
        {
            let status = Status::from_header_map(response.headers());
            let why = status.map_or_else(String::new, |status| status.message().to_owned());
            Status::from(Invalid::argument("message", format!("can't be read: {why}"))).into_http()
        }
        _ => response,
    }
}

/// The code of a response: an error is in its headers; without one the code will be in the
/// trailers, and is taken for OK.
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

    #[test]
    fn a_timeout_is_read_as_connect_writes_it() {
        assert_eq!(parse_milliseconds("250"), Some(Duration::from_millis(250)));
        assert_eq!(parse_milliseconds("9999999999").map(|t| t.as_secs()), Some(9_999_999));
        for bad in ["", "-5", "+5", "12345678901", "5 ", "5m", "1.5"] {
            assert_eq!(parse_milliseconds(bad), None, "{bad:?} was taken");
        }
    }
}
