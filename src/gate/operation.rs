//! The metrics of calls: of each operation of each surface, and of a bounded number of apps.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use http::Extensions;
use metrics::{Counter, Gauge, Histogram};
use opentelemetry::KeyValue;
use uuid::Uuid;

use crate::domain::App;

/// The way by which calls come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// gRPC.
    Grpc,
    /// The same calls by the Connect protocol.
    Connect,
    /// The same calls by gRPC-Web.
    GrpcWeb,
    /// Easemob's HTTP API.
    Easemob,
    /// NetEase's HTTP API.
    NetEase,
}

impl Surface {
    /// The surface as a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Connect => "connect",
            Self::GrpcWeb => "grpc-web",
            Self::Easemob => "easemob",
            Self::NetEase => "netease",
        }
    }

    /// The surface of the request to which the extensions belong, for a call of one of gRPC's methods.
    #[must_use]
    pub fn of_call(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self::Grpc)
    }

    /// Whether calls end with gRPC's codes.
    pub(super) const fn has_grpc_codes(self) -> bool {
        matches!(self, Self::Grpc | Self::Connect | Self::GrpcWeb)
    }

    /// Whether a call that ended with this code failed through no fault of its caller.
    pub(super) fn is_at_fault(self, code: &str) -> bool {
        match self {
            Self::Grpc | Self::Connect | Self::GrpcWeb => {
                ["Unknown", "DeadlineExceeded", "Internal", "Unavailable", "DataLoss"]
                    .contains(&code)
            }
            Self::Easemob | Self::NetEase => code.starts_with('5'),
        }
    }

    /// The code in a span: OpenTelemetry's conventions want gRPC's as "NOT_FOUND", and Connect's as
    /// "not_found". NetEase's is its own, in the body of an answer with 200.
    pub(super) fn code_attribute(self, code: &str) -> Option<KeyValue> {
        let number = || code.parse::<i64>().ok();
        match self {
            Self::Grpc | Self::GrpcWeb => {
                Some(KeyValue::new("rpc.response.status_code", upper_snake(code)))
            }
            Self::Connect => {
                let code = upper_snake(code).to_ascii_lowercase();
                Some(KeyValue::new("rpc.response.status_code", code))
            }
            Self::Easemob => Some(KeyValue::new("http.response.status_code", number()?)),
            Self::NetEase => Some(KeyValue::new("befriend.netease.code", number()?)),
        }
    }

    /// The code of a call that succeeded.
    pub(super) const fn success(self) -> &'static str {
        match self {
            Self::Grpc | Self::Connect | Self::GrpcWeb => "Ok",
            Self::Easemob | Self::NetEase => "200",
        }
    }
}

/// "NotFound" as "NOT_FOUND".
fn upper_snake(code: &str) -> String {
    let mut text = String::with_capacity(code.len() + 3);
    for (at, letter) in code.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// An operation of a surface, under which its calls are counted and logged.
#[derive(Debug)]
pub struct Operation {
    /// Where its calls come from.
    pub surface: Surface,
    /// Its name, as "FriendService/AddFriend".
    pub name: &'static str,
    /// Made by the first call, so that what is never called is not shown.
    metrics: OnceLock<OperationMetrics>,
}

/// Kept, so that no call has to look for them.
struct OperationMetrics {
    in_flight: Gauge,
    succeeded: Counter,
    seconds: Histogram,
}

impl fmt::Debug for OperationMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationMetrics").finish_non_exhaustive()
    }
}

impl Operation {
    /// An operation. It is never freed: a server makes each once, at its start.
    #[must_use]
    pub fn of(surface: Surface, name: &'static str) -> &'static Self {
        Box::leak(Box::new(Self { surface, name, metrics: OnceLock::new() }))
    }

    fn metrics(&self) -> &OperationMetrics {
        self.metrics.get_or_init(|| {
            let labels = [("surface", self.surface.name()), ("operation", self.name)];
            let result = [("code", self.surface.success()), ("reason", "")];
            let counted: Vec<_> = labels.into_iter().chain(result).collect();
            OperationMetrics {
                in_flight: metrics::gauge!("befriend_calls_in_flight", &labels),
                succeeded: metrics::counter!("befriend_calls_total", &counted),
                seconds: metrics::histogram!("befriend_call_seconds", &labels),
            }
        })
    }

    /// Counts a call that begins.
    pub(super) fn begins(&self) {
        self.metrics().in_flight.increment(1.0);
    }

    /// Counts a call that ends after so long with this code and, if it failed, this reason.
    pub(super) fn ends(&self, took: Duration, code: &str, reason: &'static str) {
        let metrics = self.metrics();
        metrics.in_flight.decrement(1.0);
        metrics.seconds.record(took.as_secs_f64());
        if code == self.surface.success() {
            metrics.succeeded.increment(1);
        } else {
            metrics::counter!(
                "befriend_calls_total",
                "surface" => self.surface.name(),
                "operation" => self.name,
                "code" => code.to_owned(),
                "reason" => reason,
            )
            .increment(1);
        }
    }
}

/// Counts the calls of a bounded number of apps, each by itself, and those of all others together.
#[derive(Debug)]
pub(super) struct AppCounts {
    max: Option<usize>,
    known: RwLock<HashMap<Uuid, Arc<Outcomes>>>,
    others: Arc<Outcomes>,
}

/// The calls of an app, by how they ended.
pub(super) struct Outcomes {
    succeeded: Counter,
    failed: Counter,
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").finish_non_exhaustive()
    }
}

impl Outcomes {
    fn of(app: &str) -> Arc<Self> {
        let counter = |outcome: &'static str| {
            let labels = [("app", app.to_owned()), ("outcome", outcome.to_owned())];
            metrics::counter!("befriend_app_calls_total", &labels)
        };
        Arc::new(Self { succeeded: counter("succeeded"), failed: counter("failed") })
    }

    /// Counts a call.
    pub(super) fn count(&self, succeeded: bool) {
        if succeeded { &self.succeeded } else { &self.failed }.increment(1);
    }
}

impl AppCounts {
    /// Counts the first `max` apps that call, each by itself; with `None` it counts nothing.
    pub(super) fn new(max: Option<usize>) -> Self {
        // No app key is without a "#".
        Self { max, known: RwLock::default(), others: Outcomes::of("others") }
    }

    /// Where the calls of an app are counted.
    pub(super) fn of(&self, app: &App) -> Option<Arc<Outcomes>> {
        let max = self.max?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcomes) = known.get(&app.id) {
            return Some(Arc::clone(outcomes));
        }
        if known.len() >= max {
            return Some(Arc::clone(&self.others));
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another call may have come first.
        if known.len() >= max && !known.contains_key(&app.id) {
            return Some(Arc::clone(&self.others));
        }
        let outcomes = known.entry(app.id).or_insert_with(|| Outcomes::of(app.key.as_str()));
        Some(Arc::clone(outcomes))
    }
}
