//! What every call passes before its operation runs, over gRPC and HTTP alike: credentials, a place
//! among the calls in flight, the app's rate, all within a deadline; and afterwards one line in the
//! log.

use std::{
    any::Any,
    borrow::Cow,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use http::{Extensions, HeaderMap, HeaderValue};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{
    domain::{App, Error, Outage, Secret},
    ops::{Batchers, Call, Context, Core},
};

/// How many anonymous calls may be in flight at once.
const MAX_ANONYMOUS: usize = 128;

/// The longest that an anonymous call may take: a login is one statement.
const ANONYMOUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits that the gate enforces.
#[derive(Clone, Copy, Debug)]
pub struct GateSettings {
    /// The longest that a call may take, whatever the client's own timeout.
    pub max_duration: Duration,
    /// How many calls may be in flight at once.
    pub max_in_flight: usize,
}

/// The gate. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    batchers: Arc<Batchers>,
    in_flight: Arc<Semaphore>,
    anonymous_in_flight: Arc<Semaphore>,
    max_duration: Duration,
}

/// Whether the gate authenticates the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// By the credentials that came with the call.
    Authenticated,
    /// No: the call needs no credentials, or the operation checks them, as a login does. Anonymous calls
    /// are counted apart and have less time, so that connections without credentials, even if they send
    /// their requests very slowly, can't use up the places of authenticated callers.
    Anonymous,
}

/// A call that passed the gate's checks.
#[derive(Debug)]
pub struct Admitted {
    /// The authenticated app; `None` for anonymous callers and the operator.
    pub app: Option<Arc<App>>,
    /// When the call must be over.
    pub deadline: Instant,
}

impl Gate {
    /// A gate for calls on `core`.
    #[must_use]
    pub fn new(core: Arc<Core>, settings: GateSettings) -> Self {
        Self(Arc::new(Shared {
            core,
            batchers: Arc::default(),
            in_flight: Arc::new(Semaphore::new(settings.max_in_flight)),
            anonymous_in_flight: Arc::new(Semaphore::new(
                settings.max_in_flight.min(MAX_ANONYMOUS),
            )),
            max_duration: settings.max_duration,
        }))
    }

    /// What the operations share.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// A call of an authenticated app.
    #[must_use]
    pub fn call(&self, app: Arc<App>, deadline: Instant) -> Call {
        let (core, batchers) = (Arc::clone(&self.0.core), Arc::clone(&self.0.batchers));
        Call { context: Context { core, app, deadline }, batchers }
    }

    /// Authenticates the caller, counts the call, and does `work`, all within `client_timeout` if
    /// the client gave one, and within the gate's own limit. The call's place comes with what `work`
    /// made: it is kept until the answer is sent ([`InFlight::keep`]).
    ///
    /// # Errors
    /// Those of `authenticate` and `work`; `Unavailable` when too many calls are in flight;
    /// `RateLimited`;
    /// `DeadlineExceeded`; `Internal` when `work` panics.
    pub async fn pass<T, E, W>(
        &self,
        log: &mut RequestLog,
        caller: Caller,
        client_timeout: Option<Duration>,
        authenticate: impl Future<Output = Result<Option<Arc<App>>, E>>,
        work: impl FnOnce(Admitted) -> W,
    ) -> Result<(T, Place), E>
    where
        E: From<Error>,
        W: Future<Output = Result<T, E>>,
    {
        let shared = &*self.0;
        let (in_flight, longest) = match caller {
            Caller::Authenticated => (&shared.in_flight, shared.max_duration),
            Caller::Anonymous => {
                (&shared.anonymous_in_flight, shared.max_duration.min(ANONYMOUS_TIMEOUT))
            }
        };
        let deadline = Instant::now() + client_timeout.unwrap_or(longest).min(longest);
        let late = |_| Error::DeadlineExceeded;
        let app = tokio::time::timeout_at(deadline, authenticate).await.map_err(late)??;
        let Ok(permit) = Arc::clone(in_flight).try_acquire_owned() else {
            return Err(Error::Unavailable(Outage::Overloaded).into());
        };
        if let Some(app) = &app {
            log.app = Some(Arc::clone(app));
            shared.core.rate_limits.check(app, log.operation)?;
        }
        let answer = AssertUnwindSafe(work(Admitted { app, deadline })).catch_unwind();
        match tokio::time::timeout_at(deadline, answer).await.map_err(late)? {
            Ok(answer) => answer.map(|answer| (answer, Place { _permit: permit })),
            Err(panic) => {
                Err(Error::Internal(format!("panic: {}", panic_text(panic.as_ref()))).into())
            }
        }
    }
}

/// The text of every internal error in responses; its details are for the log only.
pub const INTERNAL: &str = "an internal error happened; the service's log tells more";

/// A place among the calls in flight. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// A call from its arrival until its answer is sent, or dropped. The listener puts it into the request's
/// extensions, and holds it for as long as bytes of the answer wait.
#[derive(Debug, Default)]
pub struct InFlight {
    connection: Arc<Connection>,
    place: OnceLock<Place>,
}

impl InFlight {
    /// A call on `connection`.
    #[must_use]
    pub fn on(connection: Arc<Connection>) -> Self {
        Self { connection, place: OnceLock::new() }
    }

    /// The call to which a request's extensions belong.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    /// Keeps the call's place until the answer is sent. A caller who asks and reads no answer so has no
    /// more answers in memory than calls may be in flight.
    pub fn keep(&self, place: Place) {
        // A call passes the gate once.
        let _ = self.place.set(place);
    }
}

/// The connection of a request.
#[derive(Debug, Default)]
pub struct Connection {
    /// The address at the other end, where it has one.
    pub address: Option<IpAddr>,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Its calls in flight.
    pub calls: Calls,
}

impl Connection {
    /// The connection of the request to which the extensions belong.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        InFlight::of(extensions).map(|call| &*call.connection)
    }
}

/// Counts the gRPC calls of one connection that are in flight: each until its response begins.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// Counts a call until the returned guard is dropped.
    #[must_use]
    pub fn begin(&self) -> impl Drop + Send + use<> {
        struct InFlight(Arc<AtomicUsize>);
        impl Drop for InFlight {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.0))
    }

    /// Whether any call is in flight.
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// The token of "authorization: Bearer <token>".
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::presented(token))
}

/// The header that carries a request's id, in the request and in the response.
pub const REQUEST_ID: &str = "x-request-id";

/// The client's id for the request, if it is 1-128 visible ASCII characters, which are safe in a
/// log; else a new one.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).expect("a uuid is visible ASCII")
    })
}

/// The span around a request's log lines.
#[must_use]
pub fn span(id: &HeaderValue) -> tracing::Span {
    tracing::info_span!("request", request_id = %id.to_str().unwrap_or_default())
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Writes one log line for a request, also when the client disconnects before the response.
#[derive(Debug)]
pub struct RequestLog {
    operation: &'static str,
    app: Option<Arc<App>>,
    started: Instant,
    code: Cow<'static, str>,
}

impl RequestLog {
    /// Starts the clock for a request of `operation`, as "FriendService/AddFriend".
    #[must_use]
    pub fn open(operation: &'static str) -> Self {
        Self { operation, app: None, started: Instant::now(), code: Cow::Borrowed("Cancelled") }
    }

    /// The app of the call, once it is authenticated and counted.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        self.app.as_deref()
    }

    /// Writes the line with the code of the response: "Ok" over gRPC, "200" over HTTP.
    pub fn close(mut self, code: impl Into<Cow<'static, str>>) {
        self.code = code.into();
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let duration_ms = self.started.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(
            operation = self.operation,
            app = self.app.as_ref().map(|app| app.key.as_str()),
            code = %self.code,
            duration_ms = (duration_ms * 1000.0).round() / 1000.0,
            "request",
        );
    }
}
