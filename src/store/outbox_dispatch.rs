//! `outbox`, as the dispatcher reads and writes it: which events are due, and what became of them.

use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{column, statements, stored_event::StoredEvent, users::uuids};
use crate::domain::{Error, EventId, OwnerKey};

statements! {
    DUE_RULES = "\
-- outbox_dispatch.due_rules
select rule_id
from unnest($1::uuid[]) as wanted (rule_id)
where exists (
    select
    from outbox
    where rule_id = wanted.rule_id
      and next_attempt_at <= $2
)";
    DUE_STREAMS = "\
-- outbox_dispatch.due_streams
with due as (
    select distinct o.owner_key
    from (
        select owner_key
        from outbox
        where rule_id = $1
          and next_attempt_at <= $2
          and partition = any($3)
          and owner_key <> all($4)
        order by next_attempt_at
        limit $5
    ) o
)
select o.owner_key, o.rule_id, o.seq, o.message_id, o.type, o.owner_name, o.friend_name, o.detail,
       'pending' as state, o.attempts, o.earlier_attempts, o.attempt_log, o.next_attempt_at as at,
       o.created_at, o.trace_context
from due
cross join lateral (
    select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, attempts,
           earlier_attempts, attempt_log, next_attempt_at, created_at, trace_context
    from outbox
    where owner_key = due.owner_key
      and rule_id = $1
    order by seq
    limit $6
) o
order by o.owner_key, o.seq";
    FINISH = "\
-- outbox_dispatch.finish
with gone as (
    delete from outbox o
    using unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::integer[],
                 $7::text[])
        as done (owner_key, rule_id, seq, state, finished_at, attempts, attempt_log)
    where o.owner_key = done.owner_key
      and o.rule_id = done.rule_id
      and o.seq = done.seq
    returning o.owner_key, o.rule_id, o.seq, o.app_id, o.message_id, o.type, o.owner_name,
              o.friend_name, o.detail, done.state, done.attempts, done.attempt_log, o.created_at,
              done.finished_at
)
insert into event_history (owner_key, rule_id, seq, app_id, message_id, type, owner_name,
                           friend_name, detail, state, attempts, attempt_log, created_at,
                           finished_at)
select owner_key, rule_id, seq, app_id, message_id, type, owner_name, friend_name, detail, state,
       attempts, attempt_log, created_at, finished_at
from gone";
    POSTPONE = "\
-- outbox_dispatch.postpone
update outbox o
set attempts = failed.attempts,
    attempt_log = failed.attempt_log,
    next_attempt_at = failed.next_attempt_at
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::integer[], $6::text[])
    as failed (owner_key, rule_id, seq, next_attempt_at, attempts, attempt_log)
where o.owner_key = failed.owner_key
  and o.rule_id = failed.rule_id
  and o.seq = failed.seq";
    HOLD_BACK = "\
-- outbox_dispatch.hold_back
update outbox o
set next_attempt_at = late.until
from (
    select later.owner_key, later.rule_id, later.seq, head.next_attempt_at as until
    from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])
        as head (owner_key, rule_id, seq, next_attempt_at)
    cross join lateral (
        select owner_key, rule_id, seq
        from outbox
        where owner_key = head.owner_key
          and rule_id = head.rule_id
          and seq > head.seq
          and next_attempt_at < head.next_attempt_at
        order by seq
        limit $5
    ) later
) late
where o.owner_key = late.owner_key
  and o.rule_id = late.rule_id
  and o.seq = late.seq";
    BACKLOG = "\
-- outbox_dispatch.backlog
select count(*), min(next_attempt_at)
from (
    select next_attempt_at
    from outbox
    limit $1
) o";
}

/// The rules that have an event that is due, out of `rules`.
pub(crate) async fn due_rules(
    db: &mut PgConnection,
    rules: &[Uuid],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>, Error> {
    Ok(query_scalar(DUE_RULES).bind(rules).bind(now).fetch_all(db).await?)
}

/// Streams of a rule that have an event that is due, in some of the partitions and without the owners of
/// `running` streams. Returns the first events of each stream, in order, due or not.
///
/// `limits` are how many due events are looked at, and how many events of each stream are returned. All
/// due events that are looked at may be those of one owner. To find all streams, repeat the call with the
/// owners found so far among the `running`, until it returns nothing.
pub(crate) async fn due_streams(
    db: &mut PgConnection,
    rule_id: Uuid,
    partitions: &[i16],
    running: &[OwnerKey],
    limits: (i64, i64),
    now: OffsetDateTime,
) -> Result<Vec<StoredEvent>, Error> {
    Ok(query_as(DUE_STREAMS)
        .bind(rule_id)
        .bind(now)
        .bind(partitions)
        .bind(uuids(running))
        .bind(limits.0)
        .bind(limits.1)
        .fetch_all(db)
        .await?)
}

/// Moves events that were delivered or have failed to the history.
pub(crate) async fn finish(db: &mut PgConnection, finished: &[&StoredEvent]) -> Result<(), Error> {
    query(FINISH)
        .bind(column(finished, |f| f.event.id.owner.as_uuid()))
        .bind(column(finished, |f| f.event.id.rule_id))
        .bind(column(finished, |f| f.event.id.version))
        .bind(column(finished, |f| f.event.state.name().as_str()))
        .bind(column(finished, |f| f.event.state.at()))
        .bind(column(finished, |f| f.event.attempts))
        .bind(column(finished, |f| f.attempt_log.as_str()))
        .execute(db)
        .await?;
    Ok(())
}

/// Writes failed attempts of events that are sent again.
pub(crate) async fn postpone(
    db: &mut PgConnection,
    postponed: &[&StoredEvent],
) -> Result<(), Error> {
    query(POSTPONE)
        .bind(column(postponed, |p| p.event.id.owner.as_uuid()))
        .bind(column(postponed, |p| p.event.id.rule_id))
        .bind(column(postponed, |p| p.event.id.version))
        .bind(column(postponed, |p| p.event.state.at()))
        .bind(column(postponed, |p| p.event.attempts))
        .bind(column(postponed, |p| p.attempt_log.as_str()))
        .execute(db)
        .await?;
    Ok(())
}

/// Postpones the events behind the first event of a stream to the time when that one is sent next, so
/// that they are not read before. Of each stream up to `limit` events, in order.
pub(crate) async fn hold_back(
    db: &mut PgConnection,
    first_events: &[(EventId, OffsetDateTime)],
    limit: i64,
) -> Result<(), Error> {
    query(HOLD_BACK)
        .bind(column(first_events, |(id, _)| id.owner.as_uuid()))
        .bind(column(first_events, |(id, _)| id.rule_id))
        .bind(column(first_events, |(id, _)| id.version))
        .bind(column(first_events, |(_, until)| *until))
        .bind(limit)
        .execute(db)
        .await?;
    Ok(())
}

/// How many events are pending, counted up to `limit`, and the earliest time at which one of them is due.
pub(crate) async fn backlog(
    db: &mut PgConnection,
    limit: i64,
) -> Result<(i64, Option<OffsetDateTime>), Error> {
    Ok(query_as(BACKLOG).bind(limit).fetch_one(db).await?)
}
