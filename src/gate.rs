//! What every call passes before its operation runs, over gRPC and HTTP alike: credentials, the app's
//! rate, a place among the calls in flight, all within a deadline; and afterwards one line in the log.

mod no_call;
mod operation;
mod operators;
mod place;
mod request_log;

use std::{
    any::Any,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock, Weak,
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

pub use self::{
    no_call::NoCall,
    operation::{Operation, Surface},
    place::Place,
    request_log::RequestLog,
};
use self::{operation::AppCounts, place::CallPlaces};
use crate::{
    domain::{App, Author, Error, Secret},
    ops::{
        Batchers, Call, Context, Core,
        access::authenticate::{Identity, Operator},
    },
    trace::{CallTrace, Trace},
};

/// The longest that an anonymous call may take: a login is one statement.
const ANONYMOUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits that the gate enforces.
#[derive(Clone, Copy, Debug)]
pub struct GateSettings {
    /// The longest that a call may take, whatever the client's own timeout.
    pub max_duration: Duration,
    /// How many calls may be in flight at once.
    pub max_in_flight: usize,
    /// Of how many apps the calls are counted, each by itself; `None`: calls are not counted by app.
    pub counted_apps: Option<usize>,
    /// How many bytes may be there of requests of which the rest is still coming.
    pub max_arriving: usize,
}

/// The gate. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    batchers: Arc<Batchers>,
    places: CallPlaces,
    app_counts: AppCounts,
    max_duration: Duration,
}

/// Whether the gate authenticates the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// By the credentials that came with the call, from this address.
    Authenticated(Option<IpAddr>),
    /// No: the call needs no credentials, or the operation checks them, as a login does. Anonymous calls
    /// have places of their own, shared by the address that they come from, and less time.
    Anonymous(Option<IpAddr>),
}

/// A call that passed the gate's checks. Its request may still be coming.
#[derive(Clone, Debug)]
pub struct Admitted {
    gate: Gate,
    /// The authenticated app; `None` for anonymous callers and operators.
    app: Option<Arc<App>>,
    /// The authenticated operator.
    operator: Option<Operator>,
    /// The address at the other end of the connection.
    from: Option<IpAddr>,
    deadline: Instant,
    place: Arc<Place>,
}

impl Admitted {
    /// Counts bytes of the request, of which more are coming.
    ///
    /// # Errors
    /// `Unavailable` when the caller has its share of the bytes of requests that are coming.
    pub fn receive(&self, bytes: usize) -> Result<(), Error> {
        self.place.receive(bytes)
    }

    /// Has the listener count the bytes of the call's request while they come.
    pub fn count_arriving(&self, call: &InFlight) {
        // A call passes the gate once.
        let _ = call.arriving.set(Arc::downgrade(&self.place));
    }

    /// Takes a place among the calls in flight, once the request has come as a whole. Returns when the
    /// call must be over.
    ///
    /// # Errors
    /// `Unavailable` when the caller has too many calls in flight, or all have.
    pub fn start(&self) -> Result<Instant, Error> {
        self.place.run()?;
        Ok(self.deadline)
    }

    /// Like [`Self::start`], for a call on behalf of an app.
    ///
    /// # Errors
    /// As [`Self::start`]; `Unauthenticated` when the gate has authenticated no app.
    pub fn start_call(self) -> Result<Call, Error> {
        let app = self.app.clone().ok_or(Error::Unauthenticated)?;
        let deadline = self.start()?;
        Ok(self.call(app, deadline, None))
    }

    /// A call in an app, which `author` makes; `None` for the app itself.
    fn call(&self, app: Arc<App>, deadline: Instant, author: Option<Arc<Author>>) -> Call {
        let Shared { core, batchers, .. } = &*self.gate.0;
        let (core, batchers) = (Arc::clone(core), Arc::clone(batchers));
        let context = Context { core, app, deadline, trace: Trace::current() };
        Call { context, batchers, author, from: self.from }
    }
}

impl Gate {
    /// A gate for calls on `core`.
    #[must_use]
    pub fn new(core: Arc<Core>, settings: GateSettings) -> Self {
        Self(Arc::new(Shared {
            core,
            batchers: Arc::default(),
            places: CallPlaces::new(settings.max_in_flight, settings.max_arriving),
            app_counts: AppCounts::new(settings.counted_apps),
            max_duration: settings.max_duration,
        }))
    }

    /// What the operations share.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// Authenticates the caller, counts the call, and does `work`, all within `client_timeout` if
    /// the client gave one, and within the gate's own limit. `work` has the request read, and starts the
    /// call by [`Admitted::start`] then. The call's place comes with what `work` made: it is kept until
    /// the answer is sent ([`InFlight::keep`]).
    ///
    /// # Errors
    /// Those of `authenticate` and `work`; `Unavailable` when too many requests are coming; `RateLimited`;
    /// `DeadlineExceeded`; `Internal` when `work` panics.
    pub async fn pass<T, E, W>(
        &self,
        log: &mut RequestLog,
        caller: Caller,
        client_timeout: Option<Duration>,
        authenticate: impl Future<Output = Result<Identity, E>>,
        work: impl FnOnce(Admitted) -> W,
    ) -> Result<(T, Arc<Place>), E>
    where
        E: From<Error>,
        W: Future<Output = Result<T, E>>,
    {
        let shared = &*self.0;
        let longest = match caller {
            Caller::Authenticated(_) => shared.max_duration,
            Caller::Anonymous(_) => shared.max_duration.min(ANONYMOUS_TIMEOUT),
        };
        let deadline = Instant::now() + client_timeout.unwrap_or(longest).min(longest);
        let late = |_| Error::DeadlineExceeded;
        let identity = tokio::time::timeout_at(deadline, authenticate).await.map_err(late)??;
        let (from, place) = match caller {
            Caller::Authenticated(from) => (from, shared.places.authenticated(&identity)?),
            Caller::Anonymous(from) => (from, shared.places.anonymous(from)?),
        };
        let place = Arc::new(place);
        let (app, operator) = match identity {
            Identity::Anonymous => (None, None),
            Identity::App(calling) => (Some(calling.app), None),
            Identity::Operator(operator) => (None, Some(operator)),
        };
        if let Some(app) = &app {
            log.of_app(app, shared.app_counts.of(app));
            shared.core.rate_limits.check(app, log.operation())?;
        }
        let (gate, held) = (self.clone(), Arc::clone(&place));
        let admitted = Admitted { gate, app, operator, from, deadline, place: held };
        let answer = AssertUnwindSafe(work(admitted)).catch_unwind();
        match tokio::time::timeout_at(deadline, answer).await.map_err(late)? {
            Ok(answer) => answer.map(|answer| (answer, place)),
            Err(panic) => {
                Err(Error::Internal(format!("panic: {}", panic_text(panic.as_ref()))).into())
            }
        }
    }
}

/// The largest metadata of a gRPC call, in bytes, counted as HTTP/2 counts a header list: clients need far
/// less.
pub const MAX_METADATA: u32 = 16 * 1024;

/// The text of every internal error in responses; its details are for the log only.
pub const INTERNAL: &str = "an internal error happened; the service's log tells more";

/// A call from its arrival until its answer is sent, or dropped. The listener puts it into the request's
/// extensions, and holds it for as long as bytes of the answer wait.
#[derive(Debug)]
pub struct InFlight {
    connection: Arc<Connection>,
    /// The call's place while its request is coming.
    arriving: OnceLock<Weak<Place>>,
    place: OnceLock<Arc<Place>>,
    open_place: OnceLock<[OwnedSemaphorePermit; 2]>,
}

impl InFlight {
    /// A call on `connection`.
    #[must_use]
    pub fn on(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            arriving: OnceLock::new(),
            place: OnceLock::new(),
            open_place: OnceLock::new(),
        }
    }

    /// The call to which a request's extensions belong.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    /// Counts bytes of the call's request, of which more are coming.
    ///
    /// # Errors
    /// As [`Admitted::receive`].
    pub fn receive(&self, bytes: usize) -> Result<(), Error> {
        let place = self.arriving.get().and_then(Weak::upgrade);
        place.map_or(Ok(()), |place| place.receive(bytes))
    }

    /// Keeps the call's place until the answer is sent. A caller who asks and reads no answer so has no
    /// more answers in memory than calls may be in flight.
    pub fn keep(&self, place: Arc<Place>) {
        // A call passes the gate once.
        let _ = self.place.set(place);
    }

    /// Takes a place for a call that needs no token and does not pass the gate: one of these, and one of
    /// its connection's. They are kept until the answer is sent. False if there is none.
    #[must_use]
    pub fn keep_open_place(&self, of_all: &Arc<Semaphore>) -> bool {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let Some(of_all) = take(of_all) else { return false };
        let Some(own) = take(&self.connection.without_token) else { return false };
        self.open_place.set([of_all, own]).is_ok()
    }
}

/// How many calls that need no token and do not pass the gate a connection may have in flight.
const MAX_WITHOUT_TOKEN: usize = 4;

/// The connection of a request.
#[derive(Debug)]
pub struct Connection {
    /// The address at the other end, where it has one.
    pub address: Option<IpAddr>,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Its calls in flight.
    pub calls: Calls,
    without_token: Arc<Semaphore>,
}

impl Connection {
    /// A new connection.
    #[must_use]
    pub fn new(address: Option<IpAddr>, tls: bool) -> Self {
        let without_token = Arc::new(Semaphore::new(MAX_WITHOUT_TOKEN));
        Self { address, tls, calls: Calls::default(), without_token }
    }

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

/// The span around a request's log lines. It tells the log only, not the traces that are exported.
#[must_use]
pub fn span(id: &HeaderValue, trace: &CallTrace) -> tracing::Span {
    tracing::info_span!(
        "request",
        request_id = %id.to_str().unwrap_or_default(),
        trace_id = trace.id.map(tracing::field::display),
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
