//! `event_history`: events that were delivered or given up, in partitions by day; and the list of
//! all events, pending ones included.

use sqlx::{AssertSqlSafe, FromRow, PgConnection, query, query_as, query_scalar};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::statements;
use crate::domain::{
    Error, Event, EventFilter, EventId, EventPosition, EventState, EventType, OwnerKey, PageSize,
    Username,
};

statements! {
    PAGE = "\
-- event_history.page
select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail, state, attempts,
       attempt_log, at, created_at
from (
    (
        select owner_key, rule_id, seq, message_id, type, owner_name, friend_name, detail,
               'pending' as state, attempts, attempt_log, next_attempt_at as at, created_at
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
               attempts, attempt_log, finished_at as at, created_at
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
       attempts, attempt_log, finished_at as at, created_at
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
              attempt_log, created_at
)
insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                    friend_name, detail, attempts, attempt_log, next_attempt_at, created_at)
select owner_key, rule_id, seq, $5, app_id, message_id, type, owner_name, friend_name, detail, 0,
       attempt_log, $6, created_at
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
              attempt_log, created_at
)
insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                    friend_name, detail, attempts, attempt_log, next_attempt_at, created_at)
select owner_key, rule_id, seq, ('x' || left(owner_key::text, 2))::bit(8)::int::smallint, app_id,
       message_id, type, owner_name, friend_name, detail, 0, attempt_log, $6, created_at
from again
on conflict (owner_key, rule_id, seq) do nothing";
    HAS_PARTITION = "\
-- event_history.has_partition
select to_regclass($1) is not null";
    PARTITIONS = "\
-- event_history.partitions
select c.relname
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'event_history'::regclass
order by c.relname";
}

#[derive(FromRow)]
struct EventRow {
    owner_key: Uuid,
    rule_id: Uuid,
    seq: i64,
    message_id: i64,
    #[sqlx(rename = "type")]
    event_type: String,
    owner_name: String,
    friend_name: String,
    detail: String,
    state: String,
    attempts: i32,
    attempt_log: String,
    at: OffsetDateTime,
    created_at: OffsetDateTime,
}

impl EventRow {
    fn into_event(self) -> (Event, String) {
        let event = Event {
            id: EventId {
                owner: OwnerKey::from_store(self.owner_key),
                version: self.seq,
                rule_id: self.rule_id,
            },
            message_id: self.message_id,
            event_type: EventType::from_store(&self.event_type),
            owner: Username::from_store(self.owner_name),
            friend: Username::from_store(self.friend_name),
            detail: self.detail,
            created_at: self.created_at,
            attempts: self.attempts,
            state: match self.state.as_str() {
                "pending" => EventState::Pending { next_attempt_at: self.at },
                "delivered" => EventState::Delivered { at: self.at },
                _ => EventState::Failed { at: self.at },
            },
        };
        (event, self.attempt_log)
    }
}

/// An app's events for some of its rules, the newest first, older than `before`. Planned for its
/// conditions, inside a transaction: one plan for all of them would look at every event that there is
/// for the few of a user or the few that failed.
pub(crate) async fn page(
    db: &mut PgConnection,
    app_id: Uuid,
    rules: &[Uuid],
    filter: &EventFilter,
    before: &EventPosition,
    size: PageSize,
) -> Result<Vec<Event>, Error> {
    sqlx::raw_sql("set local plan_cache_mode = force_custom_plan").execute(&mut *db).await?;
    let rows: Vec<EventRow> = query_as(PAGE)
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
    Ok(rows.into_iter().map(|row| row.into_event().0).collect())
}

/// A finished event of an app, with the log of its tries.
pub(crate) async fn get(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
) -> Result<Option<(Event, String)>, Error> {
    let row: Option<EventRow> = query_as(GET)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(EventRow::into_event))
}

/// Moves a finished event back to the outbox, with its whole schedule before it; false when there is
/// none.
pub(crate) async fn revive(
    db: &mut PgConnection,
    app_id: Uuid,
    id: EventId,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let done = query(REVIVE)
        .bind(id.owner.as_uuid())
        .bind(id.rule_id)
        .bind(id.version)
        .bind(app_id)
        .bind(super::outbox::partition_of(id.owner))
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Moves up to `limit` failed events of a rule back to the outbox, the oldest first. Returns how
/// many.
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

/// Makes the partition of a day, if it is not there.
pub(crate) async fn make_partition(db: &mut PgConnection, day: Date) -> Result<(), Error> {
    let next = day + Duration::DAY;
    let name = partition_name(day);
    // Asked first, since "if not exists" tells the log each time that it does.
    if query_scalar::<_, bool>(HAS_PARTITION).bind(&name).fetch_one(&mut *db).await? {
        return Ok(());
    }
    // One instance at a time: two that make the same one at once are refused in spite of "if not
    // exists". Events go on to be written meanwhile.
    sqlx::raw_sql("lock table event_history in share update exclusive mode")
        .execute(&mut *db)
        .await?;
    if query_scalar::<_, bool>(HAS_PARTITION).bind(&name).fetch_one(&mut *db).await? {
        return Ok(());
    }
    // The names are made of digits of our own; DDL takes no parameters.
    let sql = format!(
        "create table if not exists {name} partition of event_history \
         for values from ('{}+00') to ('{}+00')",
        iso(day),
        iso(next),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?;
    Ok(())
}

/// Drops the partitions of days before `day`. Returns how many.
pub(crate) async fn drop_partitions_before(
    db: &mut PgConnection,
    day: Date,
) -> Result<usize, Error> {
    let names: Vec<String> = query_scalar(PARTITIONS).fetch_all(&mut *db).await?;
    // The names sort by day.
    let keep = partition_name(day);
    let old: Vec<&String> = names.iter().filter(|name| **name < keep).collect();
    for name in &old {
        sqlx::raw_sql(AssertSqlSafe(format!("drop table if exists {name}")))
            .execute(&mut *db)
            .await?;
    }
    Ok(old.len())
}

fn partition_name(day: Date) -> String {
    format!("event_history_{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
}

fn iso(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}
