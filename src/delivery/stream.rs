//! One stream: an owner's events for one rule, tried one after the other.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Postman,
    schedule::{RuleEffect, Schedule, Verdict, judge},
    send,
};
use crate::{
    clock::Clock,
    domain::{CallbackRule, EventId, OwnerKey},
    store::outbox::{PendingEvent, part_of},
};

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    pub(super) owner: OwnerKey,
    pub(super) rule_id: Uuid,
}

impl StreamKey {
    pub(super) fn part(self) -> i16 {
        part_of(self.owner)
    }
}

/// What a stream tells the relay. In order: an end comes after all tries of the stream.
#[derive(Debug)]
pub(super) enum Report {
    Tried(Tried),
    Ended(StreamKey),
}

/// One try.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) id: EventId,
    pub(super) verdict: Verdict,
    pub(super) effect: RuleEffect,
    pub(super) attempts: i32,
    pub(super) attempt_log: String,
    pub(super) at: OffsetDateTime,
}

/// What all streams share.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) postman: Arc<Postman>,
    pub(super) clock: Clock,
    pub(super) schedule: Arc<Schedule>,
    pub(super) reports: mpsc::Sender<Report>,
    /// Until when our leases hold.
    pub(super) lease: watch::Receiver<Instant>,
    pub(super) stop: CancellationToken,
}

/// Tries the events in order until one is not delivered, the lease runs out or the relay stops.
pub(super) async fn run(
    means: Means,
    rule: Arc<(CallbackRule, String)>,
    key: StreamKey,
    events: Vec<PendingEvent>,
) {
    for pending in events {
        if means.stop.is_cancelled() || Instant::now() >= *means.lease.borrow() {
            break;
        }
        let tried = attempt(&means, &rule.0, &rule.1, pending).await;
        let delivered = tried.verdict == Verdict::Delivered;
        // The next one goes on without waiting for this one to be settled; but not past a failure
        // that is tried again.
        let goes_on = delivered || tried.verdict == Verdict::Failed;
        let works = tried.effect == RuleEffect::Works || tried.effect == RuleEffect::Unchanged;
        if means.reports.send(Report::Tried(tried)).await.is_err() || !goes_on || !works {
            break;
        }
    }
    // The relay is gone at the end of the process only.
    let _ = means.reports.send(Report::Ended(key)).await;
}

async fn attempt(
    means: &Means,
    rule: &CallbackRule,
    app_key: &str,
    pending: PendingEvent,
) -> Tried {
    let at = means.clock.now();
    let answer = send(&means.postman, rule, app_key, &pending.event, at).await;
    let attempts = pending.event.attempts + 1;
    let jitter = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    let (verdict, effect) = judge(&answer, attempts, &means.schedule, jitter);
    let attempt = answer.attempt(at);
    count(verdict, &answer);
    if let Some(error) = &attempt.error {
        tracing::debug!(rule_id = %rule.id, attempts, %error, "callback not delivered");
    }
    let line = serde_json::to_string(&attempt).unwrap_or_default();
    let mut attempt_log = pending.attempt_log;
    if !attempt_log.is_empty() {
        attempt_log.push('\n');
    }
    attempt_log.push_str(&line);
    Tried { id: pending.event.id, verdict, effect, attempts, attempt_log, at: means.clock.now() }
}

fn count(verdict: Verdict, answer: &super::Answer) {
    let outcome = match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "retried",
        Verdict::Failed => "failed",
    };
    metrics::counter!("befriend_callback_attempts_total", "outcome" => outcome).increment(1);
    metrics::histogram!("befriend_callback_attempt_seconds").record(answer.took.as_secs_f64());
}
