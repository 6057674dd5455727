//! Events, pending and finished: listing them, reading one with its attempts, and sending them again.
//! `changes::record_events` records them.

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Call, audits};
use crate::{
    domain::{
        Attempt, Audited, Error, Event, EventFilter, EventId, EventPosition, Page, PageSize, facts,
        time_fact,
    },
    store::{Db, callback_rules, event_history, outbox},
};

/// How many failed events one call retries at the most.
const MAX_RETRIED: i64 = 10_000;

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
        // Rows of deleted rules may still be there: only the events of existing rules are listed.
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

/// An event with all its attempts.
///
/// # Errors
/// `EventNotFound`.
pub async fn get(call: &Call, id: EventId) -> Result<(Event, Vec<Attempt>), Error> {
    let app_id = call.app.id;
    let found = call.core.db.read(async |db| {
        if callback_rules::get(db, app_id, id.rule_id).await?.is_none() {
            return Ok(None);
        }
        // The dispatcher may move the event to the history between two reads, and a retry may move it
        // back.
        if let Some(pending) = outbox::get(db, app_id, id).await? {
            return Ok(Some(pending));
        }
        if let Some(finished) = event_history::get(db, app_id, id).await? {
            return Ok(Some(finished));
        }
        outbox::get(db, app_id, id).await
    });
    let found = found.await?.ok_or_else(|| not_found(id))?;
    Ok((found.event, read_log(&found.attempt_log)))
}

/// Sends an event again: a finished event with its whole schedule before it, a pending one at once.
///
/// # Errors
/// `EventNotFound`.
pub async fn retry(call: &Call, id: EventId) -> Result<Event, Error> {
    let (core, app_id) = (&call.core, call.app.id);
    let event = core.db.retrying(|| async {
        let mut tx = core.db.begin(call.deadline).await?;
        let now = core.clock.now();
        if callback_rules::get(&mut tx, app_id, id.rule_id).await?.is_none() {
            return Err(not_found(id));
        }
        outbox::make_due(&mut tx, app_id, id, now).await?;
        event_history::revive(&mut tx, app_id, id, now).await?;
        let pending = outbox::get(&mut tx, app_id, id).await?.ok_or_else(|| not_found(id))?;
        let change = Audited::new("EventService/RetryEvent").in_app(&call.app).of(id.render());
        audits::commit(core, tx, &call.author(), change).await?;
        Ok(pending.event)
    });
    let event = event.await?;
    core.outbox_signals.events_added.notify_one();
    Ok(event)
}

/// Sends the failed events of a rule again that happened within `range`, the oldest first, up to 10000.
/// Returns how many.
///
/// # Errors
/// `CallbackRuleNotFound`.
pub async fn retry_failed(
    call: &Call,
    rule_id: Uuid,
    range: (Option<OffsetDateTime>, Option<OffsetDateTime>),
) -> Result<u64, Error> {
    let (core, app_id) = (&call.core, call.app.id);
    let retried = core.db.retrying(|| async {
        let mut tx = core.db.begin(call.deadline).await?;
        if callback_rules::get(&mut tx, app_id, rule_id).await?.is_none() {
            return Err(Error::CallbackRuleNotFound(rule_id.to_string()));
        }
        let now = core.clock.now();
        let retried =
            event_history::revive_failed(&mut tx, app_id, rule_id, range, MAX_RETRIED, now).await?;
        let asked = facts(json!({
            "retried": retried,
            "start_time": range.0.map(time_fact),
            "end_time": range.1.map(time_fact),
        }));
        let change = Audited::new("EventService/RetryFailedEvents").in_app(&call.app).of(rule_id);
        audits::commit(core, tx, &call.author(), change.after(asked)).await?;
        Ok(retried)
    });
    let retried = retried.await?;
    core.outbox_signals.events_added.notify_one();
    Ok(retried)
}

fn not_found(id: EventId) -> Error {
    Error::EventNotFound(id.render())
}

/// The attempts of a log, one JSON object a line. A line that can't be read is left out.
fn read_log(log: &str) -> Vec<Attempt> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
