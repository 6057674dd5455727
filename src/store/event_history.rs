//! `event_history`: events that were delivered or have failed, in partitions by day; and the list of all
//! events, pending ones included.

use sqlx::{AssertSqlSafe, PgConnection, query, query_as, query_scalar};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::{statements, stored_event::StoredEvent};
use crate::domain::{
    Error, Event, EventFilter, EventId, EventPosition, EventType, OwnerKey, PageSize,
};

statements! {
    PAGE = "\
-- event_history.page
select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, state, attempts,
       earlier_attempts, attempt_log, at, created_at, trace_context
from (
    (
        select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail,
               'pending' as state, attempts, earlier_attempts, attempt_log, next_attempt_at as at,
               created_at, trace_context
        from outbox
        where app_id = $1
          and rule_id = any($2)
          and ($3::uuid is null or owner_key = $3)
          and ($4::text is null or type = $4)
          and coalesce($5::text, 'pending') = 'pending'
          and created_at >= $6
          and created_at < $7
          and (created_at, owner_key, seq, rule_id) < ($8, $9, $10, $11)
        order by created_at desc, owner_key desc, seq desc, rule_id desc
        limit $12
    )
    union all
    (
        select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, state,
               attempts, attempts as earlier_attempts, attempt_log, finished_at as at, created_at,
               null::text as trace_context
        from event_history
        where app_id = $1
          and rule_id = any($2)
          and ($3::uuid is null or owner_key = $3)
          and ($4::text is null or type = $4)
          and ($5::text is null or state = $5)
          and created_at >= $6
          and created_at < $7
          and (created_at, owner_key, seq, rule_id) < ($8, $9, $10, $11)
        order by created_at desc, owner_key desc, seq desc, rule_id desc
        limit $12
    )
) e
order by created_at desc, owner_key desc, seq desc, rule_id desc
limit $12";
    GET = "\
-- event_history.get
select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, state,
       attempts, attempts as earlier_attempts, attempt_log, finished_at as at, created_at,
       null::text as trace_context
from event_history
where owner_key = $1
  and rule_id = $2
  and seq = $3
  and app_id = $4
order by finished_at desc
limit 1";
    REVIVE = "\
-- event_history.revive
with again as (
    delete from event_history
    where owner_key = $1
      and rule_id = $2
      and seq = $3
      and app_id = $4
    returning owner_key, rule_id, seq, app_id, message_id, type, owner_name, friend_name, detail,
              attempts, attempt_log, created_at
)
insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                    friend_name, detail, attempts, earlier_attempts, attempt_log, next_attempt_at,
                    created_at)
select owner_key, rule_id, seq, get_byte(uuid_send(owner_key), 0)::smallint, app_id, message_id,
       type, owner_name, friend_name, detail, attempts, attempts, attempt_log, $5, created_at
from again
on conflict (owner_key, rule_id, seq) do nothing";
    REVIVE_FAILED = "\
-- event_history.revive_failed
with again as (
    delete from event_history
    where (owner_key, rule_id, seq, finished_at) in (
        select owner_key, rule_id, seq, finished_at
        from event_history
        where rule_id = $1
          and state = 'failed'
          and app_id = $2
          and created_at >= $3
          and created_at < $4
        order by created_at
        limit $5
    )
    returning owner_key, rule_id, seq, app_id, message_id, type, owner_name, friend_name, detail,
              attempts, attempt_log, created_at
)
insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                    friend_name, detail, attempts, earlier_attempts, attempt_log, next_attempt_at,
                    created_at)
select owner_key, rule_id, seq, get_byte(uuid_send(owner_key), 0)::smallint, app_id, message_id,
       type, owner_name, friend_name, detail, attempts, attempts, attempt_log, $6, created_at
from again
on conflict (owner_key, rule_id, seq) do nothing";
    MAY_LACK_PARTITION = "\
-- event_history.may_lack_partition
select to_regclass($1) is null
   and pg_has_role(c.relowner, 'usage')
   and has_schema_privilege(c.relnamespace, 'create')
from pg_class c
where c.oid = 'event_history'::regclass";
    REST_HAS = "\
-- event_history.rest_has
select exists (
    select
    from event_history_rest
    where finished_at >= $1
      and finished_at < $2
)";
    DROPPABLE = "\
-- event_history.droppable
select c.relname
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'event_history'::regclass
  and pg_has_role(c.relowner, 'usage')
order by c.relname";
    REMOVE_BEFORE = "\
-- event_history.remove_before
delete from event_history
where finished_at < $1
  and (owner_key, rule_id, seq, finished_at) in (
      select owner_key, rule_id, seq, finished_at
      from event_history
      where finished_at < $1
      limit $2
  )";
}

/// An app's events for some of its rules, the newest first, older than `before`. The connection must be in a
/// transaction: the statement is planned for each call's own conditions, because a generic plan would read
/// all events of the app to find the few of one user, or the few that failed.
pub(crate) async fn page(
    db: &mut PgConnection,
    app_id: Uuid,
    rules: &[Uuid],
    filter: &EventFilter,
    before: &EventPosition,
    size: PageSize,
) -> Result<Vec<Event>, Error> {
    sqlx::raw_sql("set local plan_cache_mode = force_custom_plan").execute(&mut *db).await?;
    let rows: Vec<StoredEvent> = query_as(PAGE)
        .bind(app_id)
        .bind(rules)
        .bind(filter.owner.map(OwnerKey::as_uuid))
        .bind(filter.event_type.map(EventType::as_str))
        .bind(filter.state.map(|state| state.as_str()))
        .bind(filter.from.unwrap_or(EventPosition::FIRST))
        .bind(filter.to.unwrap_or(EventPosition::LAST))
        .bind(before.created_at)
        .bind(before.id.owner.as_uuid())
        .bind(before.id.version)
        .bind(before.id.rule_id)
        .bind(size.rows_to_read())
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.event).collect())
}

/// A finished event of an app, with its attempt log.
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

/// Moves a finished event back to the outbox, with its whole schedule before it. Does nothing if the
/// history does not hold the event.
pub(crate) async fn revive(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    query(REVIVE)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Moves up to `limit` failed events of a rule back to the outbox, the oldest first. Returns how many.
pub(crate) async fn revive_failed(
    db: &mut PgConnection,
    app_id: Uuid,
    rule_id: Uuid,
    range: (Option<OffsetDateTime>, Option<OffsetDateTime>),
    limit: i64,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let done = query(REVIVE_FAILED)
        .bind(rule_id)
        .bind(app_id)
        .bind(range.0.unwrap_or(EventPosition::FIRST))
        .bind(range.1.unwrap_or(EventPosition::LAST))
        .bind(limit)
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Creates the partition of a day, unless it exists, or the role does not own the table. Without one the
/// day's events are in `event_history_rest`; once there are some, the day gets no partition any more.
pub(crate) async fn make_partition(db: &mut PgConnection, day: Date) -> Result<(), Error> {
    let next = day + Duration::DAY;
    let name = partition_name(day);
    // Asked first, because `if not exists` writes a notice for each partition that exists.
    if !may_lack_partition(db, &name).await? {
        return Ok(());
    }
    // One instance at a time: if two create the same partition at once, Postgres refuses one of them in
    // spite of `if not exists`. This lock does not stop inserts.
    sqlx::raw_sql("lock table event_history in share update exclusive mode")
        .execute(&mut *db)
        .await?;
    // The partition for the rest is looked at under the lock only. To make a partition locks it, and two
    // instances that had both looked before would wait for each other.
    if !may_lack_partition(db, &name).await? || rest_has(db, day).await? {
        return Ok(());
    }
    // DDL takes no parameters. The name and the bounds are made of a date, so they need no quoting.
    let sql = format!(
        "create table if not exists {name} partition of event_history \
         for values from ('{}+00') to ('{}+00')",
        iso(day),
        iso(next),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?;
    Ok(())
}

/// Whether a day's partition does not exist and the role may make it.
async fn may_lack_partition(db: &mut PgConnection, name: &str) -> Result<bool, Error> {
    Ok(query_scalar(MAY_LACK_PARTITION).bind(name).fetch_one(db).await?)
}

/// Whether finished events of a day are in the partition for the rest: the day can get none of its own.
async fn rest_has(db: &mut PgConnection, day: Date) -> Result<bool, Error> {
    let end = day + Duration::DAY;
    Ok(query_scalar(REST_HAS)
        .bind(day.midnight().assume_utc())
        .bind(end.midnight().assume_utc())
        .fetch_one(db)
        .await?)
}

/// Drops the partitions of days before `day`, except those that the role does not own.
pub(crate) async fn drop_partitions_before(db: &mut PgConnection, day: Date) -> Result<(), Error> {
    let names: Vec<String> = query_scalar(DROPPABLE).fetch_all(&mut *db).await?;
    // The names sort by date, and the name of the partition for the rest comes last.
    let keep = partition_name(day);
    for name in names.iter().filter(|name| **name < keep) {
        sqlx::raw_sql(AssertSqlSafe(format!("drop table if exists {name}")))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Removes up to `limit` events that were finished before `day`: those in partitions that could not be
/// dropped. Returns how many.
pub(crate) async fn remove_before(
    db: &mut PgConnection,
    day: Date,
    limit: i64,
) -> Result<u64, Error> {
    let midnight = day.midnight().assume_utc();
    let done = query(REMOVE_BEFORE).bind(midnight).bind(limit).execute(db).await?;
    Ok(done.rows_affected())
}

fn partition_name(day: Date) -> String {
    format!("event_history_{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
}

fn iso(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}
