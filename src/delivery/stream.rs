//! One stream: an owner's events for one rule, tried one after the other.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Postman,
    leases::Held,
    schedule::{RuleEffect, Schedule, Verdict, judge},
    send,
};
use crate::{
    clock::Clock,
    domain::{CallbackRule, EventId, OwnerKey, random_fraction},
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

/// One try, and under which lease and by which version of the rule it was made.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) id: EventId,
    pub(super) token: i64,
    pub(super) rule_modified_at: OffsetDateTime,
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
    /// What we hold.
    pub(super) held: watch::Receiver<Held>,
    pub(super) stop: CancellationToken,
}

/// What one stream is to do.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) key: StreamKey,
    /// The lease of the stream's part when the events were read.
    pub(super) token: i64,
    pub(super) rule: Arc<(CallbackRule, String)>,
    /// The rule was changed or switched off, or its receiver can't keep up.
    pub(super) halt: CancellationToken,
    pub(super) events: Vec<PendingEvent>,
}

/// How many tries an event's log keeps, the last ones. A whole schedule has at most 51.
const LOGGED_TRIES: usize = 100;

/// Does the work, and reports its end whatever became of it: a stream that never ended would never
/// be begun again.
pub(super) async fn run(means: Means, work: Work) {
    let (key, reports) = (work.key, means.reports.clone());
    if AssertUnwindSafe(deliver(means, work)).catch_unwind().await.is_err() {
        tracing::error!(rule_id = %key.rule_id, "delivering callbacks panicked; they are tried again");
    }
    // The relay is gone at the end of the process only.
    let _ = reports.send(Report::Ended(key)).await;
}

/// Tries the events in order until one is not delivered, the lease is lost, the rule is not to be
/// followed any more, or the relay stops.
async fn deliver(means: Means, Work { key, token, rule, halt, events }: Work) {
    for pending in events {
        let held = means.held.borrow().holds(key.part(), token);
        if !held || halt.is_cancelled() || means.stop.is_cancelled() {
            break;
        }
        let tried = attempt(&means, &rule, token, pending).await;
        // The next one goes on without waiting for this one to be settled; but not past a failure
        // that is tried again.
        let goes_on = matches!(tried.verdict, Verdict::Delivered | Verdict::Failed)
            && matches!(tried.effect, RuleEffect::Works | RuleEffect::Unchanged);
        if means.reports.send(Report::Tried(tried)).await.is_err() || !goes_on {
            break;
        }
    }
}

async fn attempt(
    means: &Means,
    (rule, app_key): &(CallbackRule, String),
    token: i64,
    pending: PendingEvent,
) -> Tried {
    let at = means.clock.now();
    let answer = send(&means.postman, rule, app_key, &pending.event, at, Duration::MAX).await;
    let attempts = pending.event.attempts + 1;
    let (verdict, effect) = judge(&answer, attempts, &means.schedule, random_fraction());
    let attempt = answer.attempt(at);
    count(verdict, &answer);
    if let Some(error) = &attempt.error {
        tracing::debug!(rule_id = %rule.id, attempts, %error, "callback not delivered");
    }
    let line = serde_json::to_string(&attempt).unwrap_or_default();
    Tried {
        id: pending.event.id,
        token,
        rule_modified_at: rule.modified_at,
        verdict,
        effect,
        attempts,
        attempt_log: logged(&pending.attempt_log, &line),
        at: means.clock.now(),
    }
}

/// The log with one line more, and only its last lines.
fn logged(log: &str, line: &str) -> String {
    let mut lines: Vec<&str> = log.lines().chain([line]).collect();
    lines.drain(..lines.len().saturating_sub(LOGGED_TRIES));
    lines.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_the_last_hundred_tries() {
        let log = (0..120).fold(String::new(), |log, n| logged(&log, &n.to_string()));
        assert_eq!(log.lines().count(), 100);
        assert_eq!((log.lines().next(), log.lines().last()), (Some("20"), Some("119")));
    }
}
