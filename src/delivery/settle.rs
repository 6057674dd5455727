//! Settling: what was tried is written down, in one transaction, fenced by the leases.

use tokio::time::Instant;

use super::{
    leases::Leases,
    schedule::{RuleEffect, Verdict},
    stream::Tried,
};
use crate::{
    clock::Clock,
    domain::{Error, StateName},
    store::{
        Db, callback_rules, event_history,
        outbox::{self, Finished, Postponed, part_of},
    },
};

/// How many events behind a failed one are held back at once. A stream can have a hundred thousand;
/// the rest is held back by the looks that find it, so that no settlement takes long.
const HELD_BACK: i64 = 100;

/// Why a rule is off, as its owner sees it.
const GONE: &str = "gone";

/// Writes tries down. Those of parts that are not ours any more are left out: whoever holds the part
/// tries the events again.
pub(super) async fn settle(
    db: &Db,
    clock: &Clock,
    leases: &Leases,
    tried: &[Tried],
) -> Result<(), Error> {
    let now = clock.now();
    let mut tx = db.begin(Instant::now() + leases.renewal()).await?;
    let lease = |t: &Tried| (part_of(t.id.owner), t.token);
    let ours = leases.fence(&mut tx, tried.iter().map(lease).collect()).await?;
    let tried = || tried.iter().filter(|t| ours.contains(&lease(t)));

    let finished: Vec<Finished> = tried()
        .filter_map(|t| {
            let state = match t.verdict {
                Verdict::Delivered => StateName::Delivered,
                Verdict::Failed => StateName::Failed,
                Verdict::Retry { .. } => return None,
            };
            Some(Finished {
                id: t.id,
                state: state.as_str(),
                attempts: t.attempts,
                attempt_log: t.attempt_log.clone(),
            })
        })
        .collect();
    if !finished.is_empty() {
        event_history::make_partition(&mut tx, now.date()).await?;
        outbox::finish(&mut tx, &finished, now).await?;
    }

    let postponed: Vec<Postponed> = tried()
        .filter_map(|t| match t.verdict {
            Verdict::Retry { after } => Some(Postponed {
                id: t.id,
                next_attempt_at: t.at + after,
                attempts: t.attempts,
                attempt_log: t.attempt_log.clone(),
            }),
            Verdict::Delivered | Verdict::Failed => None,
        })
        .collect();
    if !postponed.is_empty() {
        outbox::postpone(&mut tx, &postponed).await?;
        let heads = postponed.iter().map(|p| (p.id, p.next_attempt_at));
        outbox::hold_back(&mut tx, heads, HELD_BACK).await?;
    }

    for gone in tried().filter(|t| t.effect == RuleEffect::SwitchOff) {
        let rule = (gone.id.rule_id, gone.rule_modified_at);
        callback_rules::switch_off(&mut tx, rule, GONE, now).await?;
    }
    tx.commit().await
}
