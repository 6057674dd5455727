//! What every call passes before its operation runs, whatever surface it came by: room, credentials,
//! rate, deadline; and after it: one line in the log.

use std::{
    any::Any,
    borrow::Cow,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    domain::{App, Error, Outage, Secret},
    ops::{Batchers, Call, Context, Core},
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

/// The gate. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    batchers: Arc<Batchers>,
    room: Semaphore,
    strangers: Semaphore,
    max_duration: Duration,
}

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody with credentials.
    Known,
    /// Somebody who shows none, or shows them to the operation itself. Strangers get little time and
    /// have room of their own: a caller who shows nothing and sends nothing must not keep out those
    /// who do.
    Stranger,
}

/// A call that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// The app whose credentials the caller showed.
    pub app: Option<Arc<App>>,
    /// Until when the caller waits.
    pub deadline: Instant,
}

impl Gate {
    /// A gate for calls on `core`.
    #[must_use]
    pub fn new(core: Arc<Core>, settings: GateSettings) -> Self {
        Self(Arc::new(Shared {
            core,
            batchers: Arc::default(),
            room: Semaphore::new(settings.max_in_flight),
            strangers: Semaphore::new(settings.max_in_flight.min(STRANGERS)),
            max_duration: settings.max_duration,
        }))
    }

    /// What the operations share.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// The call of an app that was let in.
    #[must_use]
    pub fn call(&self, app: Arc<App>, deadline: Instant) -> Call {
        let (core, batchers) = (Arc::clone(&self.0.core), Arc::clone(&self.0.batchers));
        Call { context: Context { core, app, deadline }, batchers }
    }

    /// Checks the caller by `admit`, counts the call, and does `work`, all before the deadline: what
    /// `patience` leaves, if the caller said how long they wait.
    ///
    /// # Errors
    /// What `admit` and `work` refuse; `RateLimited`; `Unavailable` without room;
    /// `DeadlineExceeded`; `Internal` for a panic.
    pub async fn pass<T, E, W>(
        &self,
        log: &mut RequestLog,
        caller: Caller,
        patience: Option<Duration>,
        admit: impl Future<Output = Result<Option<Arc<App>>, E>>,
        work: impl FnOnce(Admitted) -> W,
    ) -> Result<T, E>
    where
        E: From<Error>,
        W: Future<Output = Result<T, E>>,
    {
        let shared = &*self.0;
        let (room, longest) = match caller {
            Caller::Stranger => (&shared.strangers, shared.max_duration.min(STRANGERS_TIME)),
            Caller::Known => (&shared.room, shared.max_duration),
        };
        let deadline = Instant::now() + patience.map_or(longest, |patience| patience.min(longest));
        let late = |_| Error::DeadlineExceeded;
        let app = tokio::time::timeout_at(deadline, admit).await.map_err(late)??;
        let Ok(_room) = room.try_acquire() else {
            return Err(Error::Unavailable(Outage::Overloaded).into());
        };
        if let Some(app) = &app {
            log.app = Some(Arc::clone(app));
            shared.core.rate_limits.check(app, log.operation)?;
        }
        let answer = AssertUnwindSafe(work(Admitted { app, deadline })).catch_unwind();
        match tokio::time::timeout_at(deadline, answer).await.map_err(late)? {
            Ok(answer) => answer,
            Err(panic) => {
                Err(Error::Internal(format!("panic: {}", panic_text(panic.as_ref()))).into())
            }
        }
    }
}

/// What every surface tells of something unforeseen; the rest is in the log.
pub const INTERNAL: &str = "an internal error happened; the service's log tells more";

/// The connection that a request came by. The listener puts it into the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The address at the other end, where it has one.
    pub address: Option<IpAddr>,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Its calls.
    pub calls: Calls,
}

/// The gRPC calls of one connection that are under way, counted: each until its answer begins.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// Counts a call until what this returns is dropped.
    #[must_use]
    pub fn begin(&self) -> impl Drop + Send + use<> {
        struct Underway(Arc<AtomicUsize>);
        impl Drop for Underway {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Underway(Arc::clone(&self.0))
    }

    /// Whether any call is under way.
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

/// The name of the header that carries a request's id, there and back.
pub const REQUEST_ID: &str = "x-request-id";

/// The caller's id for the request, if it can stand in a log, or a new one.
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

/// The one line a request, written also when the caller goes away before the answer.
#[derive(Debug)]
pub struct RequestLog {
    operation: &'static str,
    app: Option<Arc<App>>,
    started: Instant,
    code: Cow<'static, str>,
}

impl RequestLog {
    /// Begins with a request of `operation`, as "FriendService/AddFriend".
    #[must_use]
    pub fn open(operation: &'static str) -> Self {
        Self { operation, app: None, started: Instant::now(), code: Cow::Borrowed("Cancelled") }
    }

    /// The app whose credentials the caller showed, once they are checked and there is room for the call.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        self.app.as_deref()
    }

    /// Writes the line: the request was answered with the surface's `code`.
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
