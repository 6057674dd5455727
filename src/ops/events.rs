//! Events: what became of them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::Call;
use crate::{
    domain::{Attempt, Error, Event, EventFilter, EventId, EventPosition, Page, PageSize},
    store::{Db, callback_rules, event_history, outbox},
};

/// How many failed events one call revives at the most.
const REVIVE_LIMIT: i64 = 10_000;

/// A page of the app's events, the newest first, older than `before`.
///
/// # Errors
/// Only those of every call.
pub async fn list(
    call: &Call,
    filter: &EventFilter,
    before: &EventPosition,
    size: PageSize,
) -> Result<Page<Event, EventPosition>, Error> {
    let rows = call.core.db.retrying(|| async {
        // The events of deleted rules are gone too, though their rows go later.
        let mut rules = rules_of(&call.core.db, call.app.id).await?;
        rules.retain(|rule_id| filter.rule_id.is_none_or(|wanted| wanted == *rule_id));
        let mut tx = call.core.db.begin(call.deadline).await?;
        event_history::page(&mut tx, call.app.id, &rules, filter, before, size).await
    });
    Ok(Page::cut(rows.await?, size, |event| EventPosition {
        created_at: event.created_at,
        id: event.id,
    }))
}

async fn rules_of(db: &Db, app_id: Uuid) -> Result<Vec<Uuid>, Error> {
    let rules = db.read_once(async |db| callback_rules::of_app(db, app_id).await).await?;
    Ok(rules.into_iter().map(|rule| rule.id).collect())
}

/// An event with all tries to deliver it.
///
/// # Errors
/// `EventNotFound`.
pub async fn get(call: &Call, id: EventId) -> Result<(Event, Vec<Attempt>), Error> {
    call.core
        .db
        .read(async |db| {
            if callback_rules::get(db, call.app.id, id.rule_id).await?.is_none() {
                return Err(not_found(id));
            }
            // First the outbox: an event that moves to the history meanwhile is found there, and one
            // that moves back after that in the outbox again.
            for pending in [true, false, true] {
                let found = if pending {
                    let event = outbox::get(db, call.app.id, id).await?;
                    event.map(|pending| (pending.event, pending.attempt_log))
                } else {
                    event_history::get(db, call.app.id, id).await?
                };
                if let Some((event, log)) = found {
                    return Ok((event, read_log(&log)));
                }
            }
            Err(not_found(id))
        })
        .await
}

/// Has an event sent again, or at once.
///
/// # Errors
/// `EventNotFound`.
pub async fn retry(call: &Call, id: EventId) -> Result<Event, Error> {
    let event = call
        .core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            let now = call.core.clock.now();
            if callback_rules::get(&mut tx, call.app.id, id.rule_id).await?.is_none() {
                return Err(not_found(id));
            }
            outbox::make_due(&mut tx, call.app.id, id, now).await?;
            event_history::revive(&mut tx, call.app.id, id, now).await?;
            let pending = outbox::get(&mut tx, call.app.id, id).await?;
            let pending = pending.ok_or_else(|| not_found(id))?;
            tx.commit().await?;
            Ok(pending.event)
        })
        .await?;
    call.core.outbox_signals.events_added.notify_one();
    Ok(event)
}

/// Has the failed events of a rule that happened within `range` sent again, the oldest first, up to
/// 10000. Returns how many.
///
/// # Errors
/// `CallbackRuleNotFound`.
pub async fn retry_failed(
    call: &Call,
    rule_id: Uuid,
    range: (Option<OffsetDateTime>, Option<OffsetDateTime>),
) -> Result<u64, Error> {
    let revived = call
        .core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            if callback_rules::get(&mut tx, call.app.id, rule_id).await?.is_none() {
                return Err(Error::CallbackRuleNotFound(rule_id.to_string()));
            }
            let now = call.core.clock.now();
            let app_id = call.app.id;
            let revived =
                event_history::revive_failed(&mut tx, app_id, rule_id, range, REVIVE_LIMIT, now)
                    .await?;
            tx.commit().await?;
            Ok(revived)
        })
        .await?;
    call.core.outbox_signals.events_added.notify_one();
    Ok(revived)
}

fn not_found(id: EventId) -> Error {
    Error::EventNotFound(id.render())
}

/// The tries of a log, one JSON object a line. A line that can't be read is left out.
fn read_log(log: &str) -> Vec<Attempt> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
