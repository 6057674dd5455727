//! What every call passes before its method runs: request id, room, credentials, rate, deadline; and
//! after it: one line in the log.
//!
//! The gate works on HTTP requests, before the message is read, and by the method's own entry in the
//! descriptors ([`Methods`]): no method can forget to ask.

use std::{
    any::Any,
    convert::Infallible,
    future::Future,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt as _;
use http::{Extensions, HeaderMap, HeaderValue, Request, Response};
use tokio::{sync::Semaphore, time::Instant};
use tonic::{
    Code, Status,
    body::Body,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::methods::{Access, Method, Methods};
use crate::{
    domain::{App, Error, Invalid, Outage, Secret},
    ops::{Call, Core, access},
};

/// How many calls that need no token may be under way at once, and how long each may take: a login is
/// one look at the database.
const STRANGERS: usize = 128;
const STRANGERS_TIME: Duration = Duration::from_secs(5);

/// The bounds that the gate keeps.
#[derive(Clone, Copy, Debug)]
pub struct GateSettings {
    /// The longest that a call may take, whatever the caller's deadline.
    pub max_duration: Duration,
    /// How many calls may be under way at once.
    pub max_in_flight: usize,
}

/// The gate, as a layer around the routes.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    methods: Methods,
    room: Semaphore,
    strangers: Semaphore,
    max_duration: Duration,
}

impl Gate {
    /// A gate for calls on `core`.
    #[must_use]
    pub fn new(core: Arc<Core>, settings: GateSettings) -> Self {
        Self(Arc::new(Shared {
            core,
            methods: Methods::read(),
            room: Semaphore::new(settings.max_in_flight),
            strangers: Semaphore::new(settings.max_in_flight.min(STRANGERS)),
            max_duration: settings.max_duration,
        }))
    }
}

impl<S> Layer<S> for Gate {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, shared: Arc::clone(&self.0) }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    shared: Arc<Shared>,
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
        let Some(method) = self.shared.methods.get(request.uri().path()) else {
            // Health, reflection, and what nobody knows.
            return Box::pin(self.inner.call(request));
        };
        // The clone takes the place of the one that was polled ready, as tower asks.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let shared = Arc::clone(&self.shared);
        let id = request_id(request.headers());
        let span = tracing::info_span!("request", request_id = %id.to_str().unwrap_or_default());
        let work = async move {
            let mut log = RequestLog::open(method.operation);
            let answer = pass(&shared, method, inner, request, &mut log).await;
            let mut response = match answer {
                Ok(response) => with_details(response),
                Err(error) => Status::from(error).into_http(),
            };
            response.headers_mut().insert("x-request-id", id);
            log.close(code_of(&response));
            Ok(response)
        };
        Box::pin(work.instrument(span))
    }
}

/// Checks the caller and runs the method, all before the deadline.
async fn pass<S>(
    shared: &Shared,
    method: Method,
    mut inner: S,
    mut request: Request<Body>,
    log: &mut RequestLog,
) -> Result<Response<Body>, Error>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    // Strangers get little time and have room of their own: a caller who shows nothing and sends
    // nothing must not keep out those who do.
    let (room, longest) = match method.access {
        Access::Anybody => (&shared.strangers, shared.max_duration.min(STRANGERS_TIME)),
        Access::App | Access::Operator => (&shared.room, shared.max_duration),
    };
    let deadline = Instant::now() + time_allowed(request.headers(), longest)?;
    let late = |_| Error::DeadlineExceeded;
    let (bearer, from) = (bearer(request.headers()), peer(request.extensions()));
    let admitted = admit(&shared.core, method, bearer.as_ref(), from);
    let admitted = tokio::time::timeout_at(deadline, admitted).await.map_err(late)??;
    let Ok(_room) = room.try_acquire() else {
        return Err(Error::Unavailable(Outage::Overloaded));
    };
    if let Some(app) = admitted {
        log.app = Some(Arc::clone(&app));
        shared.core.rates.check(&app, method.operation)?;
        let core = Arc::clone(&shared.core);
        request.extensions_mut().insert(Call { core, app, deadline });
    }
    request.extensions_mut().insert(Deadline(deadline));
    let answer = AssertUnwindSafe(inner.call(request)).catch_unwind();
    match tokio::time::timeout_at(deadline, answer).await.map_err(late)? {
        Ok(Ok(response)) => Ok(response),
        Err(panic) => Err(Error::Internal(format!("panic: {}", panic_text(panic.as_ref())))),
    }
}

async fn admit(
    core: &Core,
    method: Method,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
) -> Result<Option<Arc<App>>, Error> {
    match method.access {
        Access::Anybody => Ok(None),
        Access::App => access::app(core, bearer).await.map(Some),
        Access::Operator => {
            access::operator(core, bearer, from).await?;
            Ok(None)
        }
    }
}

/// The token of "authorization: Bearer <token>".
pub(super) fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::presented(token))
}

/// The address at the other end of the connection.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let tcp = extensions.get::<TcpConnectInfo>().or_else(|| {
        extensions.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref)
    });
    Some(tcp?.remote_addr()?.ip())
}

#[derive(Clone, Copy)]
struct Deadline(Instant);

/// Until when the caller of a method waits.
pub(super) fn deadline_of<T>(request: &tonic::Request<T>) -> Instant {
    request.extensions().get::<Deadline>().map_or_else(Instant::now, |deadline| deadline.0)
}

/// The caller's id for the request, if it can stand in a log, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get("x-request-id").filter(|id| {
        (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).expect("a uuid is visible ASCII")
    })
}

/// How long the call may take: what the caller's `grpc-timeout` leaves, at most `max`.
///
/// A little less than the caller's own time, so that our answer, with its details, is there before
/// the caller and the transport give up by themselves.
fn time_allowed(headers: &HeaderMap, max: Duration) -> Result<Duration, Invalid> {
    let Some(timeout) = headers.get("grpc-timeout") else {
        return Ok(max);
    };
    let timeout =
        timeout.to_str().ok().and_then(parse_timeout).ok_or_else(|| {
            Invalid::argument("grpc-timeout", "must be 1-8 digits and one of HMSmun")
        })?;
    let margin = (timeout / 20).clamp(Duration::from_millis(2), Duration::from_millis(10));
    Ok(timeout.saturating_sub(margin).min(max))
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

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// The one line a request, written also when the caller goes away before the answer.
struct RequestLog {
    operation: &'static str,
    app: Option<Arc<App>>,
    started: Instant,
    code: Option<Code>,
}

impl RequestLog {
    fn open(operation: &'static str) -> Self {
        Self { operation, app: None, started: Instant::now(), code: None }
    }

    fn close(mut self, code: Code) {
        self.code = Some(code);
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let duration_ms = self.started.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(
            operation = self.operation,
            app = self.app.as_ref().map(|app| app.key.as_str()),
            code = ?self.code.unwrap_or(Code::Cancelled),
            duration_ms = (duration_ms * 1000.0).round() / 1000.0,
            "request",
        );
    }
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
