//! What is written and counted of each request: a line in the log, and the metrics of its operation.

use std::{borrow::Cow, sync::Arc};

use opentelemetry::KeyValue;
use tokio::time::Instant;

use super::operation::{Operation, Outcomes, Surface};
use crate::{domain::App, trace::Trace};

/// Writes one log line for a request and counts it, also when the client disconnects before the response.
#[derive(Debug)]
pub struct RequestLog {
    operation: &'static Operation,
    span: Trace,
    app: Option<Arc<App>>,
    app_counts: Option<Arc<Outcomes>>,
    started: Instant,
    code: Cow<'static, str>,
    reason: &'static str,
}

impl RequestLog {
    /// Starts the clock for a request of `operation`. Ends the `span` with the request.
    #[must_use]
    pub fn open(operation: &'static Operation, span: Trace) -> Self {
        operation.begins();
        Self {
            operation,
            span,
            app: None,
            app_counts: None,
            started: Instant::now(),
            code: Cow::Borrowed("Cancelled"),
            reason: "",
        }
    }

    /// The app of the call, once it is authenticated and counted.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        self.app.as_deref()
    }

    /// The name of the operation, as "FriendService/AddFriend".
    pub(super) fn operation(&self) -> &'static str {
        self.operation.name
    }

    /// Notes the app that calls, and where its calls are counted.
    pub(super) fn of_app(&mut self, app: &Arc<App>, counts: Option<Arc<Outcomes>>) {
        self.app = Some(Arc::clone(app));
        self.app_counts = counts;
    }

    /// Writes the line with the code of the response, "Ok" over gRPC, "200" over HTTP, and the reason of an
    /// error, in the words of the surface; empty if there is none. NetEase's code is that in the body.
    pub fn close(mut self, code: impl Into<Cow<'static, str>>, reason: &'static str) {
        self.code = code.into();
        self.reason = reason;
    }
}

impl RequestLog {
    /// Ends the span, with the attributes that OpenTelemetry's conventions give the codes.
    fn end_span(&self) {
        let Self { operation, code, reason, .. } = self;
        let surface = operation.surface;
        let error = surface.is_at_fault(code).then_some(*reason);
        self.span.end(error, || {
            let mut attributes = vec![KeyValue::new("befriend.operation", operation.name)];
            attributes.extend(surface.code_attribute(code));
            let app = self.app.as_ref().map(|app| app.key.as_str().to_owned());
            attributes.extend(app.map(|app| KeyValue::new("befriend.app", app)));
            let failed = &**code != surface.success();
            let kind = if reason.is_empty() { code.to_string() } else { (*reason).to_owned() };
            attributes.extend(failed.then(|| KeyValue::new("error.type", kind)));
            attributes
        });
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        self.end_span();
        let Self { operation, code, reason, .. } = self;
        let took = self.started.elapsed();
        operation.ends(took, code, reason);
        if let Some(counts) = &self.app_counts {
            counts.count(*code == operation.surface.success());
        }
        let duration_ms = took.as_secs_f64() * 1000.0;
        let of = |surface| (operation.surface == surface).then_some(&**code);
        let number = |code: &str| code.parse::<u16>().ok();
        tracing::info!(
            operation = operation.name,
            surface = operation.surface.name(),
            app = self.app.as_ref().map(|app| app.key.as_str()),
            grpc_code = operation.surface.has_grpc_codes().then_some(&**code),
            http_code = of(Surface::Easemob).and_then(number),
            netease_code = of(Surface::NetEase).and_then(number),
            reason = (!reason.is_empty()).then_some(*reason),
            duration_ms = (duration_ms * 1000.0).round() / 1000.0,
            "request",
        );
    }
}
