//! `outbox`: events that are still to be delivered. What the dispatcher reads and writes of it is in
//! `outbox_dispatch`.

use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{column, statements, stored_event::StoredEvent};
use crate::domain::{Error, EventId, NewEvent, OwnerKey};

statements! {
    ADD = "\
-- outbox.add
insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                    friend_name, detail, trace_context, next_attempt_at, created_at)
select e.owner_key, r.rule_id, e.seq, e.partition, r.app_id, e.message_id, e.type, e.owner_name,
       e.friend_name, e.detail, e.trace_context, $9, $9
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::bigint[], $6::text[],
            $7::text[], $8::text[], $10::text[], $11::text[])
    as e (app_id, owner_key, seq, partition, message_id, type, owner_name, friend_name, detail,
          trace_context)
join callback_rules r
    on r.app_id = e.app_id and r.enabled and e.type = any(r.event_types)";
    GET = "\
-- outbox.get
select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail,
       'pending' as state, attempts, earlier_attempts, attempt_log, next_attempt_at as at, created_at,
       trace_context
from outbox
where owner_key = $1
  and rule_id = $2
  and seq = $3
  and app_id = $4";
    MAKE_DUE = "\
-- outbox.make_due
update outbox
set next_attempt_at = $5
where owner_key = $1
  and rule_id = $2
  and (seq <= $3 or attempts = earlier_attempts)
  and app_id = $4
  and next_attempt_at > $5";
    DELETED_RULES = "\
-- outbox.deleted_rules
with recursive rule as (
    (
        select rule_id
        from outbox
        order by rule_id
        limit 1
    )
    union all
    select (
        select rule_id
        from outbox
        where rule_id > rule.rule_id
        order by rule_id
        limit 1
    )
    from rule
    where rule.rule_id is not null
)
select rule.rule_id
from rule
where rule.rule_id is not null
  and not exists (
      select
      from callback_rules
      where rule_id = rule.rule_id
  )";
    REMOVE = "\
-- outbox.remove
delete from outbox
where (owner_key, rule_id, seq) in (
    select owner_key, rule_id, seq
    from outbox
    where rule_id = $1
    limit $2
)";
}

/// An event that is about to be written.
pub(crate) struct RecordedEvent<'a> {
    pub(crate) app_id: Uuid,
    pub(crate) event: NewEvent<'a>,
    pub(crate) message_id: i64,
    /// The place of the call in a trace that is exported, as [`crate::trace::Trace::stored`] gives it.
    pub(crate) trace_context: Option<String>,
}

/// Writes events: a row for each enabled rule of that app that wants
/// the event's type.
pub(crate) async fn add(
    db: &mut PgConnection,
    events: &[RecordedEvent<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    query(ADD)
        .bind(column(events, |e| e.app_id))
        .bind(column(events, |e| e.event.owner.key.as_uuid()))
        .bind(column(events, |e| e.event.version))
        .bind(column(events, |e| partition_of(e.event.owner.key)))
        .bind(column(events, |e| e.message_id))
        .bind(column(events, |e| e.event.event_type.as_str()))
        .bind(column(events, |e| e.event.owner.name.as_str()))
        .bind(column(events, |e| e.event.friend.as_str()))
        .bind(now)
        .bind(column(events, |e| e.event.detail))
        .bind(column(events, |e| e.trace_context.as_deref()))
        .execute(db)
        .await?;
    Ok(())
}

/// A pending event of an app.
pub(crate) async fn get(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
) -> Result<Option<StoredEvent>, Error> {
    Ok(query_as(GET)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .fetch_optional(db)
        .await?)
}

/// Makes a pending event due, together with the events before it, which go first, and the events after it
/// that were not sent yet, or not since they were retried, and wait only for their turn.
pub(crate) async fn make_due(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    query(MAKE_DUE)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// The deleted rules that still have events.
pub(crate) async fn deleted_rules(db: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    Ok(query_scalar(DELETED_RULES).fetch_all(db).await?)
}

/// Removes up to `limit` events of a rule that was deleted. Returns how many.
pub(crate) async fn remove(db: &mut PgConnection, rule_id: Uuid, limit: i64) -> Result<u64, Error> {
    Ok(query(REMOVE).bind(rule_id).bind(limit).execute(db).await?.rows_affected())
}

/// The partition of an owner's events, 0-255: the first byte of the owner's key, which is a hash.
pub(crate) fn partition_of(owner: OwnerKey) -> i16 {
    i16::from(owner.as_uuid().as_bytes()[0])
}
