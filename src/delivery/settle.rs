//! Settling: writing the results of attempts in one transaction, fenced by the leases.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{
    partition_leases::PartitionLeases, rules::Rules, schedule::RuleEffect, stream::AttemptedEvent,
};
use crate::{
    clock::Clock,
    domain::{Error, EventState},
    store::{Db, callback_rules, event_history, outbox::partition_of, outbox_dispatch},
};

/// How many events of a stream are held back at once behind one that has to be sent again. A stream
/// can have a hundred thousand. The dispatcher holds the rest back when it finds them, so that no
/// settlement takes long.
const HELD_BACK: i64 = 100;

/// The `disabled_reason` of a rule whose receiver answered 410.
const GONE: &str = "gone";

/// Writes the pauses of rules, and the new states of events: delivered and failed ones move to the
/// history, the others wait for their next attempt. Skips events of partitions whose lease was lost: the
/// new holder sends them again.
pub(super) async fn settle(
    db: &Db,
    clock: &Clock,
    leases: &PartitionLeases,
    attempted: &[AttemptedEvent],
    rules: &Rules,
) -> Result<(), Error> {
    let mut tx = db.begin(Instant::now() + leases.renewal()).await?;
    let lease = |a: &AttemptedEvent| (partition_of(a.stored.event.id.owner), a.fencing_token);
    let held = leases.fence(&mut tx, attempted.iter().map(lease).collect()).await?;

    let (mut finished, mut postponed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let mut days = BTreeSet::new();
    for a in attempted.iter().filter(|a| held.contains(&lease(a))) {
        match a.stored.event.state {
            EventState::Delivered { at } | EventState::Failed { at } => {
                days.insert(at.date());
                finished.push(&a.stored);
            }
            EventState::Pending { .. } => postponed.push(&a.stored),
        }
        if a.rule_effect == RuleEffect::SwitchOff {
            gone.push((a.stored.event.id.rule_id, a.rule_modified_at));
        }
    }
    if !finished.is_empty() {
        for day in days {
            event_history::make_partition(&mut tx, day).await?;
        }
        outbox_dispatch::finish(&mut tx, &finished).await?;
    }
    if !postponed.is_empty() {
        outbox_dispatch::postpone(&mut tx, &postponed).await?;
        let heads: Vec<_> = postponed.iter().map(|e| (e.event.id, e.event.state.at())).collect();
        outbox_dispatch::hold_back(&mut tx, &heads, HELD_BACK).await?;
    }
    // One after the other in one order, so that two instances can't deadlock.
    let mut pauses = rules.unsaved_pauses();
    pauses.sort_unstable_by_key(|(rule, _)| *rule);
    for (rule, pause) in pauses {
        callback_rules::set_pause(&mut tx, rule, pause).await?;
    }
    for rule in gone {
        callback_rules::switch_off(&mut tx, rule, GONE, clock.now()).await?;
    }
    tx.commit().await
}
