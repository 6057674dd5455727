//! The spans that are exported as traces: of calls, batches, statements and deliveries, and the places of
//! calls in the traces of their callers, as W3C's headers carry them. While no traces are exported, there
//! are no spans, and only a caller's trace id is read, for the log.
//!
//! A span is current while the future that it covers is polled. What is made meanwhile is its child.

pub mod statements;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use futures_util::future::Either;
use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator as _,
    trace::{
        FutureExt as _, Link, SpanContext, SpanKind, Status, TraceContextExt as _, TraceId,
        Tracer as _, WithContext,
    },
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracer};

/// Makes the spans. The process has one, as it has one log.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The longest tracestate that is kept with an event, in bytes: W3C asks for no more.
const MAX_TRACESTATE: usize = 512;

/// Has spans made by `tracer` from now on. A second call changes nothing.
pub fn start(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// A span that is recorded, or none: because nothing is exported, or because the trace is not among those
/// that are sampled. Clones are one span, which ends when the last one is dropped, or by [`Self::end`].
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Context>);

impl Trace {
    /// No span.
    pub const NONE: Self = Self(None);

    /// The span of what runs now.
    #[must_use]
    pub fn current() -> Self {
        if TRACER.get().is_none() {
            return Self::NONE;
        }
        Self(Context::map_current(|current| {
            current.span().span_context().is_sampled().then(|| current.clone())
        }))
    }

    /// Begins the span of a batch with these members. It is part of the trace of the first member that
    /// is sampled, and linked to all of them, as they are to it.
    #[must_use]
    pub fn batch<'a>(kind: &'static str, members: impl ExactSizeIterator<Item = &'a Self>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self::NONE };
        let size = count(members.len());
        let sampled: Vec<&Context> = members.filter_map(|member| member.0.as_ref()).collect();
        let Some(first) = sampled.first() else { return Self::NONE };
        let links = sampled.iter().map(|member| link(member.span().span_context())).collect();
        let attributes = vec![
            KeyValue::new("befriend.batch.kind", kind),
            KeyValue::new("befriend.batch.members", size),
        ];
        let span = tracer
            .span_builder(format!("batch {kind}"))
            .with_kind(SpanKind::Internal)
            .with_links(links)
            .with_attributes(attributes);
        let batch = first.with_span(tracer.build_with_context(span, first));
        for member in &sampled[1..] {
            member.span().add_link(batch.span().span_context().clone(), Vec::new());
        }
        Self(Some(batch))
    }

    /// Begins the span of a callback's delivery, for the call whose place in a trace was stored as
    /// [`Self::stored`] says.
    #[must_use]
    pub fn delivery(stored: Option<&str>, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        let (Some(tracer), Some(stored)) = (TRACER.get(), stored) else { return Self::NONE };
        let (parent, state) = stored.split_once(' ').unwrap_or((stored, ""));
        let headers = HashMap::from([
            (TRACEPARENT.to_owned(), parent.to_owned()),
            (TRACESTATE.to_owned(), state.to_owned()),
        ]);
        let cause = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        let cause_context = cause.span().span_context().clone();
        if !cause_context.is_sampled() {
            return Self::NONE;
        }
        let span = tracer
            .span_builder("POST")
            .with_kind(SpanKind::Client)
            .with_links(vec![link(&cause_context)])
            .with_attributes(attributes());
        Self(Some(cause.with_span(tracer.build_with_context(span, &cause))))
    }

    /// Runs `work` inside the span.
    pub fn cover<F: Future>(&self, work: F) -> Either<F, WithContext<F>> {
        match &self.0 {
            None => Either::Left(work),
            Some(context) => Either::Right(work.with_context(context.clone())),
        }
    }

    /// The place of this span in its trace, as a text without line breaks: the traceparent, and after a
    /// space the tracestate, if there is one of up to 512 bytes. `None` when there is no span.
    #[must_use]
    pub fn stored(&self) -> Option<String> {
        let mut headers = self.headers()?;
        let parent = headers.remove(TRACEPARENT)?;
        let state = headers.remove(TRACESTATE).filter(|state| state.len() <= MAX_TRACESTATE);
        Some(state.map_or_else(|| parent.clone(), |state| format!("{parent} {state}")))
    }

    /// The headers by which a request carries this span to whom it is sent. `None` when there is no span.
    #[must_use]
    pub fn headers(&self) -> Option<HashMap<String, String>> {
        let mut headers = HashMap::new();
        TraceContextPropagator::new().inject_context(self.0.as_ref()?, &mut headers);
        headers.retain(|_, value| !value.is_empty());
        Some(headers)
    }

    /// Ends the span with further attributes, and with an error if it ends with one.
    pub fn end(&self, error: Option<&str>, attributes: impl FnOnce() -> Vec<KeyValue>) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        span.set_attributes(attributes());
        if let Some(error) = error {
            span.set_status(Status::error(error.to_owned()));
        }
        span.end();
    }
}

/// The place of a call in a trace.
#[derive(Debug)]
pub struct CallTrace {
    /// The call's span.
    pub span: Trace,
    /// The trace of which the call is a part, sampled or not; `None` when the caller has named none.
    pub id: Option<TraceId>,
}

impl CallTrace {
    /// The place of a call that came with these headers. Begins its span, if the trace is sampled: then
    /// `described` gives its name and its attributes.
    #[must_use]
    pub fn begin(
        headers: &HeaderMap,
        described: impl FnOnce() -> (Cow<'static, str>, Vec<KeyValue>),
    ) -> Self {
        let parent = headers.contains_key(TRACEPARENT).then(|| {
            let extractor = HeaderExtractor(headers);
            TraceContextPropagator::new().extract_with_context(&Context::new(), &extractor)
        });
        let given = parent.as_ref().map(|parent| parent.span().span_context().trace_id());
        let given = given.filter(|id| *id != TraceId::INVALID);
        let Some(tracer) = TRACER.get() else { return Self { span: Trace::NONE, id: given } };
        let parent = parent.unwrap_or_default();
        let span =
            tracer.build_with_context(tracer.span_builder("").with_kind(SpanKind::Server), &parent);
        let context = parent.with_span(span);
        if !context.span().is_recording() {
            return Self { span: Trace::NONE, id: given };
        }
        let (name, attributes) = described();
        context.span().update_name(name);
        context.span().set_attributes(attributes);
        let id = context.span().span_context().trace_id();
        Self { span: Trace(Some(context)), id: Some(id) }
    }
}

fn link(to: &SpanContext) -> Link {
    Link::with_context(to.clone())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes down a span that has ended now and took so long, as a child of the current one.
fn ended_now(name: String, took: Duration, attributes: Vec<KeyValue>) {
    let Some(tracer) = TRACER.get() else { return };
    #[expect(
        clippy::disallowed_methods,
        reason = "spans are timed by the machine's clock, all of them"
    )]
    let end = SystemTime::now();
    let span = tracer
        .span_builder(name)
        .with_kind(SpanKind::Client)
        .with_start_time(end.checked_sub(took).unwrap_or(end))
        .with_attributes(attributes);
    let mut span = Context::map_current(|current| tracer.build_with_context(span, current));
    opentelemetry::trace::Span::end_with_timestamp(&mut span, end);
}
