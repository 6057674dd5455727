//! `outbox`: events that are still to be delivered.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{statements, users::uuids};
use crate::domain::{Error, Event, EventId, EventState, EventType, NewEvent, OwnerKey, Username};

statements! {
    ADD = "\
-- outbox.add
insert into outbox (owner_key, rule_id, seq, part, app_id, message_id, type, owner_name,
                    friend_name, detail, next_attempt_at, created_at)
select e.owner_key, r.rule_id, e.seq, e.part, r.app_id, e.message_id, e.type, e.owner_name,
       e.friend_name, e.detail, $9, $9
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::bigint[], $6::text[],
            $7::text[], $8::text[], $10::text[])
    as e (app_id, owner_key, seq, part, message_id, type, owner_name, friend_name, detail)
join callback_rules r
    on r.app_id = e.app_id and r.enabled and e.type = any(r.event_types)";
    ACTIVE = "\
-- outbox.active
select rule_id
from unnest($1::uuid[]) as wanted (rule_id)
where exists (
    select
    from outbox
    where rule_id = wanted.rule_id
      and next_attempt_at <= $2
)";
    DUE = "\
-- outbox.due
with due as (
    select distinct o.owner_key
    from (
        select owner_key
        from outbox
        where rule_id = $1
          and next_attempt_at <= $2
          and part = any($3)
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
    using unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::integer[], $6::text[])
        as done (owner_key, rule_id, seq, state, attempts, attempt_log)
    where o.owner_key = done.owner_key
      and o.rule_id = done.rule_id
      and o.seq = done.seq
    returning o.owner_key, o.rule_id, o.seq, o.app_id, o.message_id, o.type, o.owner_name,
              o.friend_name, o.detail, done.state, done.attempts, done.attempt_log, o.created_at
)
insert into event_history (owner_key, rule_id, seq, app_id, message_id, type, owner_name,
                           friend_name, detail, state, attempts, attempt_log, created_at,
                           finished_at)
select owner_key, rule_id, seq, app_id, message_id, type, owner_name, friend_name, detail, state,
       attempts, attempt_log, created_at, $7
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
    HURRY = "\
-- outbox.hurry
update outbox
set next_attempt_at = $5
where owner_key = $1
  and rule_id = $2
  and (seq <= $3 or attempts = 0)
  and app_id = $4
  and next_attempt_at > $5";
    RULELESS = "\
-- outbox.ruleless
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

/// A pending event and the log of its tries, one JSON object a line.
#[derive(Clone, Debug)]
pub(crate) struct PendingEvent {
    pub(crate) event: Event,
    pub(crate) next_attempt_at: OffsetDateTime,
    pub(crate) attempt_log: String,
}

impl From<OutboxRow> for PendingEvent {
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
            next_attempt_at: row.next_attempt_at,
            attempt_log: row.attempt_log,
        }
    }
}

/// An event that was delivered or given up.
pub(crate) struct Finished {
    pub(crate) id: EventId,
    pub(crate) state: &'static str,
    pub(crate) attempts: i32,
    pub(crate) attempt_log: String,
}

/// An event that is to be tried again.
pub(crate) struct Postponed {
    pub(crate) id: EventId,
    pub(crate) next_attempt_at: OffsetDateTime,
    pub(crate) attempts: i32,
    pub(crate) attempt_log: String,
}

/// Writes each event of an app, with its message id, once for each enabled rule of that app that wants
/// its type.
pub(crate) async fn add(
    db: &mut PgConnection,
    events: &[(Uuid, NewEvent<'_>, i64)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let apps: Vec<Uuid> = events.iter().map(|(app_id, ..)| *app_id).collect();
    let owners: Vec<OwnerKey> = events.iter().map(|(_, e, _)| e.owner.0).collect();
    let versions: Vec<i64> = events.iter().map(|(_, e, _)| e.version).collect();
    let parts: Vec<i16> = owners.iter().map(|key| part_of(*key)).collect();
    let message_ids: Vec<i64> = events.iter().map(|(.., id)| *id).collect();
    let types: Vec<&str> = events.iter().map(|(_, e, _)| e.event_type.as_str()).collect();
    let names: Vec<&str> = events.iter().map(|(_, e, _)| e.owner.1.as_str()).collect();
    let friends: Vec<&str> = events.iter().map(|(_, e, _)| e.friend.as_str()).collect();
    let details: Vec<&str> = events.iter().map(|(_, e, _)| e.detail).collect();
    query(ADD)
        .bind(apps)
        .bind(uuids(&owners))
        .bind(versions)
        .bind(parts)
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

/// In which of the 256 parts an owner's events are: the first byte of the key, a hash.
pub(crate) fn part_of(owner: OwnerKey) -> i16 {
    i16::from(owner.as_uuid().as_bytes()[0])
}

/// Those of the rules for which an event is due.
pub(crate) async fn active(
    db: &mut PgConnection,
    rules: &[Uuid],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>, Error> {
    Ok(query_scalar(ACTIVE).bind(rules).bind(now).fetch_all(db).await?)
}

/// Streams of a rule with events that are due, in some of the parts and of owners who are not
/// `busy`: of each the first events, in order, due or not.
///
/// `bounds` is how many due events are looked at, and how many are read of each stream. An owner
/// with many due events can fill that look alone; so repeat it with the owner among the busy until
/// it finds nothing.
pub(crate) async fn due(
    db: &mut PgConnection,
    rule_id: Uuid,
    parts: &[i16],
    busy: &[OwnerKey],
    bounds: (i64, i64),
    now: OffsetDateTime,
) -> Result<Vec<PendingEvent>, Error> {
    let rows: Vec<OutboxRow> = query_as(DUE)
        .bind(rule_id)
        .bind(now)
        .bind(parts)
        .bind(uuids(busy))
        .bind(bounds.0)
        .bind(bounds.1)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(PendingEvent::from).collect())
}

/// Moves events to the history.
pub(crate) async fn finish(
    db: &mut PgConnection,
    done: &[Finished],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let (owners, rules, versions) = columns(done.iter().map(|d| d.id));
    let states: Vec<&str> = done.iter().map(|d| d.state).collect();
    let attempts: Vec<i32> = done.iter().map(|d| d.attempts).collect();
    let logs: Vec<&str> = done.iter().map(|d| d.attempt_log.as_str()).collect();
    let moved = query(FINISH)
        .bind(owners)
        .bind(rules)
        .bind(versions)
        .bind(states)
        .bind(attempts)
        .bind(logs)
        .bind(now)
        .execute(db)
        .await?;
    Ok(moved.rows_affected())
}

/// Notes failed tries.
pub(crate) async fn postpone(db: &mut PgConnection, failed: &[Postponed]) -> Result<(), Error> {
    let (owners, rules, versions) = columns(failed.iter().map(|f| f.id));
    let next: Vec<OffsetDateTime> = failed.iter().map(|f| f.next_attempt_at).collect();
    let attempts: Vec<i32> = failed.iter().map(|f| f.attempts).collect();
    let logs: Vec<&str> = failed.iter().map(|f| f.attempt_log.as_str()).collect();
    query(POSTPONE)
        .bind(owners)
        .bind(rules)
        .bind(versions)
        .bind(next)
        .bind(attempts)
        .bind(logs)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Holds events of a stream that come after its head back until that time, so that they are not
/// looked at in vain before; of each stream up to `limit`, the next ones first.
pub(crate) async fn hold_back(
    db: &mut PgConnection,
    heads: impl Iterator<Item = (EventId, OffsetDateTime)> + Clone,
    limit: i64,
) -> Result<(), Error> {
    let (owners, rules, versions) = columns(heads.clone().map(|(id, _)| id));
    let until: Vec<OffsetDateTime> = heads.map(|(_, until)| until).collect();
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
) -> Result<Option<PendingEvent>, Error> {
    let row: Option<OutboxRow> = query_as(GET)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(PendingEvent::from))
}

/// Makes a pending event due, and with it those before it, which go first, and those after it that
/// wait for nothing but their turn.
pub(crate) async fn hurry(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    query(HURRY)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Rules that were deleted and whose events are still there.
pub(crate) async fn ruleless(db: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    Ok(query_scalar(RULELESS).fetch_all(db).await?)
}

/// Removes up to `limit` events of a rule that was deleted. Returns how many.
pub(crate) async fn remove(db: &mut PgConnection, rule_id: Uuid, limit: i64) -> Result<u64, Error> {
    Ok(query(REMOVE).bind(rule_id).bind(limit).execute(db).await?.rows_affected())
}

/// How many events wait, counted up to `limit`, and since when the first of them is due.
pub(crate) async fn backlog(
    db: &mut PgConnection,
    limit: i64,
) -> Result<(i64, Option<OffsetDateTime>), Error> {
    let row: (i64, Option<OffsetDateTime>) = query_as(BACKLOG).bind(limit).fetch_one(db).await?;
    Ok(row)
}

fn columns(ids: impl Iterator<Item = EventId>) -> (Vec<Uuid>, Vec<Uuid>, Vec<i64>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        columns.0.push(id.owner.as_uuid());
        columns.1.push(id.rule_id);
        columns.2.push(id.version);
    }
    columns
}
