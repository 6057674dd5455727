//! One stream: the pending events of one owner for one rule, posted one after the other in a task of their
//! own. It reports each attempt to the dispatcher and writes nothing itself.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use opentelemetry::KeyValue;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    partition_leases::HeldPartitions,
    schedule::{RuleEffect, Schedule, judge},
    webhook::{PostResult, WebhookClient},
};
use crate::{
    clock::Clock,
    domain::{CallbackRule, EventState, EventType, OwnerKey, random_fraction},
    store::{callback_rules::EnabledRule, outbox::partition_of, stored_event::StoredEvent},
    trace::Trace,
};

/// Identifies a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    pub(super) rule_id: Uuid,
    pub(super) owner: OwnerKey,
}

impl StreamKey {
    pub(super) fn partition(self) -> i16 {
        partition_of(self.owner)
    }
}

/// A stream that is about to start, with its first events in order.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: StreamKey,
    /// The fencing token of the partition's lease when the events were read.
    pub(super) fencing_token: i64,
    pub(super) rule: Arc<EnabledRule>,
    /// Cancelled when the rule was changed or switched off, or when its receiver can't keep up.
    pub(super) halt: CancellationToken,
    pub(super) events: Vec<StoredEvent>,
}

/// What all streams of a dispatcher share.
#[derive(Clone, Debug)]
pub(super) struct StreamContext {
    pub(super) webhook_client: Arc<WebhookClient>,
    pub(super) clock: Clock,
    pub(super) schedule: Arc<Schedule>,
    pub(super) reports: mpsc::Sender<Report>,
    /// The partitions that the dispatcher holds now.
    pub(super) held: watch::Receiver<HeldPartitions>,
    /// Cancelled when the dispatcher stops.
    pub(super) stop: CancellationToken,
}

/// What a stream reports to the dispatcher: each attempt, and at last its end.
#[derive(Debug)]
pub(super) enum Report {
    // Boxed, because it is much larger than the other report.
    Attempted(Box<AttemptedEvent>),
    Ended(StreamKey),
}

/// An event after an attempt to deliver it, and what the dispatcher needs to settle the attempt.
#[derive(Debug)]
pub(super) struct AttemptedEvent {
    /// The event with its new state, one more attempt, and one more line in its attempt log.
    pub(super) stored: StoredEvent,
    pub(super) rule_effect: RuleEffect,
    pub(super) ended_at: OffsetDateTime,
    /// The fencing token under which the event was read.
    pub(super) fencing_token: i64,
    /// The version of the rule by which the event was sent.
    pub(super) rule_modified_at: OffsetDateTime,
}

impl AttemptedEvent {
    /// Whether the stream goes on with its next event. It does not wait for this one to be settled.
    fn lets_the_next_go(&self) -> bool {
        let is_pending = matches!(self.stored.event.state, EventState::Pending { .. });
        let rule_goes_on = matches!(self.rule_effect, RuleEffect::Works | RuleEffect::Unchanged);
        !is_pending && rule_goes_on
    }
}

/// How many lines an event's attempt log keeps, the last ones. A whole schedule has at most 51 attempts.
const LOGGED_ATTEMPTS: usize = 100;

/// Runs a stream, and reports its end even after a panic: the dispatcher starts no other stream with the
/// same key before.
pub(super) async fn run(context: StreamContext, stream: Stream) {
    let (key, reports) = (stream.key, context.reports.clone());
    if AssertUnwindSafe(deliver(context, stream)).catch_unwind().await.is_err() {
        tracing::error!(rule_id = %key.rule_id, "delivering callbacks panicked; they are sent again");
    }
    // The dispatcher receives reports until the process ends.
    let _ = reports.send(Report::Ended(key)).await;
}

/// Posts the events in order. Stops at the first event that has to be sent again, and when the lease is
/// lost, the rule is halted or the dispatcher stops.
async fn deliver(context: StreamContext, mut stream: Stream) {
    for stored in std::mem::take(&mut stream.events) {
        let held = context.held.borrow().holds(stream.key.partition(), stream.fencing_token);
        if !held || stream.halt.is_cancelled() || context.stop.is_cancelled() {
            break;
        }
        let attempted = attempt(&context, &stream, stored).await;
        let goes_on = attempted.lets_the_next_go();
        if context.reports.send(Report::Attempted(Box::new(attempted))).await.is_err() || !goes_on {
            break;
        }
    }
}

/// Posts one event once.
async fn attempt(
    context: &StreamContext,
    stream: &Stream,
    mut stored: StoredEvent,
) -> AttemptedEvent {
    let EnabledRule { rule, app_key, .. } = &*stream.rule;
    let client = &context.webhook_client;
    let started_at = context.clock.now();
    let span = Trace::delivery(stored.trace_context.as_deref(), || described(&stored, rule));
    let send = client.send(rule, app_key, &stored.event, started_at, Duration::MAX);
    let result = span.cover(send).await;
    let ended_at = context.clock.now();
    stored.event.attempts += 1;
    let attempts = stored.scheduled_attempts();
    let (state, rule_effect) =
        judge(&result, attempts, &context.schedule, random_fraction(), ended_at);
    stored.event.state = state;
    count(state, &result);
    let attempt = result.attempt(started_at);
    if let Some(error) = &attempt.error {
        tracing::debug!(rule_id = %rule.id, attempts, %error, "callback not delivered");
    }
    span.end(attempt.error.as_deref(), || {
        let status = attempt.http_status.map(i64::from);
        status
            .map(|status| KeyValue::new("http.response.status_code", status))
            .into_iter()
            .collect()
    });
    let line = serde_json::to_string(&attempt).unwrap_or_default();
    stored.attempt_log = with_line(&stored.attempt_log, &line);
    AttemptedEvent {
        stored,
        rule_effect,
        ended_at,
        fencing_token: stream.fencing_token,
        rule_modified_at: rule.modified_at,
    }
}

/// What is said of a delivery in its span. The receiver's host stands for its URL, which may hold a secret.
fn described(stored: &StoredEvent, rule: &CallbackRule) -> Vec<KeyValue> {
    let host = rule.url.uri().host().unwrap_or_default().to_owned();
    let event_type = stored.event.event_type.map_or("", EventType::as_str);
    vec![
        KeyValue::new("http.request.method", "POST"),
        KeyValue::new("server.address", host),
        KeyValue::new("befriend.callback.rule", rule.id.to_string()),
        KeyValue::new("befriend.callback.event_type", event_type),
        KeyValue::new("http.request.resend_count", i64::from(stored.event.attempts)),
    ]
}

/// The log with one line more, cut to its last [`LOGGED_ATTEMPTS`] lines.
fn with_line(log: &str, line: &str) -> String {
    let mut lines: Vec<&str> = log.lines().chain([line]).collect();
    lines.drain(..lines.len().saturating_sub(LOGGED_ATTEMPTS));
    lines.join("\n")
}

fn count(state: EventState, result: &PostResult) {
    let outcome = match state {
        EventState::Delivered { .. } => "delivered",
        EventState::Pending { .. } => "retried",
        EventState::Failed { .. } => "failed",
    };
    metrics::counter!("befriend_callback_attempts_total", "outcome" => outcome).increment(1);
    metrics::histogram!("befriend_callback_attempt_seconds").record(result.took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_the_last_hundred_attempts() {
        let log = (0..120).fold(String::new(), |log, n| with_line(&log, &n.to_string()));
        assert_eq!(log.lines().count(), 100);
        assert_eq!((log.lines().next(), log.lines().last()), (Some("20"), Some("119")));
    }
}
