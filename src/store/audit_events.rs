//! `audit_events`: who changed what. Rows are added and purged by their age; no statement changes one.

use sqlx::{FromRow, PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::statements;
use crate::domain::{
    ActorKind, AppKey, AuditEvent, AuditFilter, AuditPosition, Author, Error, PageSize,
};

statements! {
    RECORD = "\
-- audit_events.record
insert into audit_events (event_id, created_at, actor_kind, actor_name, origin, action, app_id,
                          app_key, target, before, after)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    PAGE = "\
-- audit_events.page
select event_id, created_at, actor_kind, actor_name, origin, action, app_id, app_key, target,
       before, after
from audit_events
where ($1::text is null or actor_kind = $1)
  and ($2::text is null or actor_name = $2)
  and ($3::text is null or action = $3)
  and ($4::text is null or app_key = $4)
  and created_at >= $5
  and created_at < $6
  and (created_at, event_id) < ($7, $8)
order by created_at desc, event_id desc
limit $9";
    /// Its limit is a constant, so that Postgres plans for so few rows and does not read the table.
    PURGE = "\
-- audit_events.purge
delete from audit_events
where (created_at, event_id) in (
    select created_at, event_id
    from audit_events
    where created_at < $1
    order by created_at
    limit 5000
)";
}

#[derive(FromRow)]
struct EventRow {
    event_id: Uuid,
    created_at: OffsetDateTime,
    actor_kind: String,
    actor_name: String,
    origin: String,
    action: String,
    app_id: Option<Uuid>,
    app_key: String,
    target: String,
    before: String,
    after: String,
}

impl TryFrom<EventRow> for AuditEvent {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self, Error> {
        let kind = ActorKind::of_name(&row.actor_kind).ok_or_else(|| {
            Error::Internal(format!("{} is no kind of actor that is known", row.actor_kind))
        })?;
        Ok(Self {
            id: row.event_id,
            created_at: row.created_at,
            author: Author { kind, name: row.actor_name, origin: row.origin },
            action: row.action,
            app: row.app_id.map(|app_id| (app_id, AppKey::from_store(row.app_key))),
            target: row.target,
            before: row.before,
            after: row.after,
        })
    }
}

/// Adds a row.
pub(crate) async fn record(db: &mut PgConnection, event: &AuditEvent) -> Result<(), Error> {
    query(RECORD)
        .bind(event.id)
        .bind(event.created_at)
        .bind(event.author.kind.as_str())
        .bind(&event.author.name)
        .bind(&event.author.origin)
        .bind(&event.action)
        .bind(event.app.as_ref().map(|(app_id, _)| *app_id))
        .bind(event.app.as_ref().map_or("", |(_, key)| key.as_str()))
        .bind(&event.target)
        .bind(&event.before)
        .bind(&event.after)
        .execute(db)
        .await?;
    Ok(())
}

/// The records that match a filter, the newest first, older than `before`. The connection must be in a
/// transaction: the statement is planned for each call's own conditions, because a generic plan would read
/// all records to find the few of one operator.
pub(crate) async fn page(
    db: &mut PgConnection,
    filter: &AuditFilter,
    before: &AuditPosition,
    size: PageSize,
) -> Result<Vec<AuditEvent>, Error> {
    sqlx::raw_sql("set local plan_cache_mode = force_custom_plan").execute(&mut *db).await?;
    let rows: Vec<EventRow> = query_as(PAGE)
        .bind(filter.kind.map(ActorKind::as_str))
        .bind(&filter.name)
        .bind(&filter.action)
        .bind(filter.app.as_ref().map(AppKey::as_str))
        .bind(filter.from.unwrap_or(AuditPosition::FIRST))
        .bind(filter.to.unwrap_or(AuditPosition::LAST))
        .bind(before.created_at)
        .bind(before.id)
        .bind(size.rows_to_read())
        .fetch_all(db)
        .await?;
    rows.into_iter().map(AuditEvent::try_from).collect()
}

/// Removes up to 5000 records of changes before a time, the oldest first. Returns how many.
pub(crate) async fn purge(db: &mut PgConnection, before: OffsetDateTime) -> Result<u64, Error> {
    let done = query(PURGE).bind(before).execute(db).await?;
    Ok(done.rows_affected())
}
