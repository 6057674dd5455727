//! `outbox`: events that are still to be delivered.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{statements, users::uuids};
use crate::domain::{Error, Event, EventId, EventState, EventType, NewEvent, OwnerKey, Username};

statements! {
    ADD = "\
-- outbox.add
insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                    friend_name, detail, next_attempt_at, created_at)
select e.owner_key, r.rule_id, e.seq, e.partition, r.app_id, e.message_id, e.type, e.owner_name,
       e.friend_name, e.detail, $9, $9
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::bigint[], $6::text[],
            $7::text[], $8::text[], $10::text[])
    as e (app_id, owner_key, seq, partition, message_id, type, owner_name, friend_name, detail)
join callback_rules r
    on r.app_id = e.app_id and r.enabled and e.type = any(r.event_types)";
    DUE_RULES = "\
-- outbox.due_rules
select rule_id
from unnest($1::uuid[]) as wanted (rule_id)
where exists (
    select
    from outbox
    where rule_id = wanted.rule_id
      and next_attempt_at <= $2
)";
    DUE_STREAMS = "\
-- outbox.due_streams
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
       o.attempts, o.attempt_log, o.next_attempt_at, o.created_at
from due
cross join lateral (
    select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, attempts,
           attempt_log, next_attempt_at, created_at
    from outbox
    where owner_key = due.owner_key
      and rule_id = $1
    order by seq
    limit $6
) o
order by o.owner_key, o.seq";
    FINISH = "\
-- outbox.finish
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
-- outbox.postpone
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
-- outbox.hold_back
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
    GET = "\
-- outbox.get
select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, attempts,
       attempt_log, next_attempt_at, created_at
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
  and (seq <= $3 or attempts = 0)
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
    BACKLOG = "\
-- outbox.backlog
select count(*), min(next_attempt_at)
from (
    select next_attempt_at
    from outbox
    limit $1
) o";
}

/// A row of the outbox.
#[derive(FromRow)]
struct OutboxRow {
    owner_key: Uuid,
    rule_id: Uuid,
    seq: i64,
    message_id: i64,
    #[sqlx(rename = "type")]
    event_type: String,
    owner_name: String,
    friend_name: String,
    detail: String,
    attempts: i32,
    attempt_log: String,
    next_attempt_at: OffsetDateTime,
    created_at: OffsetDateTime,
}

/// An event of the outbox, and the log of its tries, one JSON object a line.
#[derive(Clone, Debug)]
pub(crate) struct OutboxEvent {
    pub(crate) event: Event,
    pub(crate) attempt_log: String,
}

impl From<OutboxRow> for OutboxEvent {
    fn from(row: OutboxRow) -> Self {
        Self {
            event: Event {
                id: EventId {
                    owner: OwnerKey::from_store(row.owner_key),
                    version: row.seq,
                    rule_id: row.rule_id,
                },
                message_id: row.message_id,
                event_type: EventType::from_store(&row.event_type),
                owner: Username::from_store(row.owner_name),
                friend: Username::from_store(row.friend_name),
                detail: row.detail,
                created_at: row.created_at,
                attempts: row.attempts,
                state: EventState::Pending { next_attempt_at: row.next_attempt_at },
            },
            attempt_log: row.attempt_log,
        }
    }
}

/// Writes events, each with its app and its message id: a row for each enabled rule of that app that wants
/// the event's type.
pub(crate) async fn add(
    db: &mut PgConnection,
    events: &[(Uuid, NewEvent<'_>, i64)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let apps: Vec<Uuid> = events.iter().map(|(app_id, ..)| *app_id).collect();
    let owners: Vec<OwnerKey> = events.iter().map(|(_, e, _)| e.owner.key).collect();
    let versions: Vec<i64> = events.iter().map(|(_, e, _)| e.version).collect();
    let partitions: Vec<i16> = owners.iter().map(|key| partition_of(*key)).collect();
    let message_ids: Vec<i64> = events.iter().map(|(.., id)| *id).collect();
    let types: Vec<&str> = events.iter().map(|(_, e, _)| e.event_type.as_str()).collect();
    let names: Vec<&str> = events.iter().map(|(_, e, _)| e.owner.name.as_str()).collect();
    let friends: Vec<&str> = events.iter().map(|(_, e, _)| e.friend.as_str()).collect();
    let details: Vec<&str> = events.iter().map(|(_, e, _)| e.detail).collect();
    query(ADD)
        .bind(apps)
        .bind(uuids(&owners))
        .bind(versions)
        .bind(partitions)
        .bind(message_ids)
        .bind(types)
        .bind(names)
        .bind(friends)
        .bind(now)
        .bind(details)
        .execute(db)
        .await?;
    Ok(())
}

/// The partition of an owner's events, 0-255: the first byte of the owner's key, which is a hash.
pub(crate) fn partition_of(owner: OwnerKey) -> i16 {
    i16::from(owner.as_uuid().as_bytes()[0])
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
) -> Result<Vec<OutboxEvent>, Error> {
    let rows: Vec<OutboxRow> = query_as(DUE_STREAMS)
        .bind(rule_id)
        .bind(now)
        .bind(partitions)
        .bind(uuids(running))
        .bind(limits.0)
        .bind(limits.1)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(OutboxEvent::from).collect())
}

/// Moves events that were delivered or have failed to the history.
pub(crate) async fn finish(db: &mut PgConnection, finished: &[&OutboxEvent]) -> Result<(), Error> {
    let (owners, rules, versions) = columns(finished.iter().map(|f| f.event.id));
    let states: Vec<&str> = finished.iter().map(|f| f.event.state.name().as_str()).collect();
    let times: Vec<OffsetDateTime> = finished.iter().map(|f| f.event.state.at()).collect();
    let attempts: Vec<i32> = finished.iter().map(|f| f.event.attempts).collect();
    let logs: Vec<&str> = finished.iter().map(|f| f.attempt_log.as_str()).collect();
    query(FINISH)
        .bind(owners)
        .bind(rules)
        .bind(versions)
        .bind(states)
        .bind(times)
        .bind(attempts)
        .bind(logs)
        .execute(db)
        .await?;
    Ok(())
}

/// Writes failed tries of events that are tried again.
pub(crate) async fn postpone(
    db: &mut PgConnection,
    postponed: &[&OutboxEvent],
) -> Result<(), Error> {
    let (owners, rules, versions) = columns(postponed.iter().map(|p| p.event.id));
    let times: Vec<OffsetDateTime> = postponed.iter().map(|p| p.event.state.at()).collect();
    let attempts: Vec<i32> = postponed.iter().map(|p| p.event.attempts).collect();
    let logs: Vec<&str> = postponed.iter().map(|p| p.attempt_log.as_str()).collect();
    query(POSTPONE)
        .bind(owners)
        .bind(rules)
        .bind(versions)
        .bind(times)
        .bind(attempts)
        .bind(logs)
        .execute(db)
        .await?;
    Ok(())
}

/// Postpones the events behind the first event of a stream to the time when that one is tried next, so
/// that they are not read before. Of each stream up to `limit` events, in order.
pub(crate) async fn hold_back(
    db: &mut PgConnection,
    first_events: &[(EventId, OffsetDateTime)],
    limit: i64,
) -> Result<(), Error> {
    let (owners, rules, versions) = columns(first_events.iter().map(|(id, _)| *id));
    let until: Vec<OffsetDateTime> = first_events.iter().map(|(_, until)| *until).collect();
    query(HOLD_BACK)
        .bind(owners)
        .bind(rules)
        .bind(versions)
        .bind(until)
        .bind(limit)
        .execute(db)
        .await?;
    Ok(())
}

/// A pending event of an app.
pub(crate) async fn get(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
) -> Result<Option<OutboxEvent>, Error> {
    let row: Option<OutboxRow> = query_as(GET)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(OutboxEvent::from))
}

/// Makes a pending event due, together with the events before it, which go first, and the events after it
/// that were never tried and wait only for their turn.
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

/// How many events are pending, counted up to `limit`, and the earliest time at which one of them is due.
pub(crate) async fn backlog(
    db: &mut PgConnection,
    limit: i64,
) -> Result<(i64, Option<OffsetDateTime>), Error> {
    Ok(query_as(BACKLOG).bind(limit).fetch_one(db).await?)
}

/// The columns of these ids: owner keys, rules and versions.
fn columns(ids: impl Iterator<Item = EventId>) -> (Vec<Uuid>, Vec<Uuid>, Vec<i64>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        columns.0.push(id.owner.as_uuid());
        columns.1.push(id.rule_id);
        columns.2.push(id.version);
    }
    columns
}
