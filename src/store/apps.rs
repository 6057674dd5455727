//! `apps`: the tenants with their limits and credentials.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::statements;
use crate::domain::{App, AppKey, AppLimits, Error, SecretHash};

statements! {
    CREATE = "\
-- apps.create
insert into apps (app_id, app_key, client_id, client_secret_hash, friend_limit, block_limit,
                  requests_per_second, created_at, modified_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
on conflict (app_key) where deleted_at is null do nothing
returning app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
          requests_per_second, created_at, modified_at";
    BY_KEY = "\
-- apps.by_key
select app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
       requests_per_second, created_at, modified_at
from apps
where app_key = $1
  and deleted_at is null";
    BY_ID = "\
-- apps.by_id
select app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
       requests_per_second, created_at, modified_at
from apps
where app_id = $1
  and deleted_at is null";
    BY_CLIENT_ID = "\
-- apps.by_client_id
select app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
       requests_per_second, created_at, modified_at, client_secret_hash
from apps
where client_id = $1
  and deleted_at is null";
    PAGE = "\
-- apps.page
select app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
       requests_per_second, created_at, modified_at
from apps
where app_key > $1
  and deleted_at is null
order by app_key
limit $2";
    SET_LIMITS = "\
-- apps.set_limits
update apps
set friend_limit = $2,
    block_limit = $3,
    requests_per_second = $4,
    modified_at = $5
where app_id = $1
  and deleted_at is null
returning app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
          requests_per_second, created_at, modified_at";
    LOCK_BY_KEY = "\
-- apps.lock_by_key
select app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
       requests_per_second, created_at, modified_at
from apps
where app_key = $1
  and deleted_at is null
for no key update";
    SET_SECRET = "\
-- apps.set_secret
update apps
set client_secret_hash = $2,
    modified_at = $3
where app_key = $1
  and deleted_at is null
returning app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
          requests_per_second, created_at, modified_at";
    BY_NETEASE_APP_KEY = "\
-- apps.by_netease_app_key
select app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
       requests_per_second, created_at, modified_at, netease_secret
from apps
where netease_app_key = $1
  and deleted_at is null";
    SET_CLIENT = "\
-- apps.set_client
update apps
set client_id = $2,
    client_secret_hash = $3,
    modified_at = $4
where app_id = $1
returning app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
          requests_per_second, created_at, modified_at";
    SET_NETEASE = "\
-- apps.set_netease
update apps
set netease_app_key = $2,
    netease_secret = $3,
    modified_at = $4
where app_id = $1
returning app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
          requests_per_second, created_at, modified_at";
    MARK_DELETED = "\
-- apps.mark_deleted
update apps
set deleted_at = $2,
    modified_at = $2
where app_key = $1
  and deleted_at is null
returning app_id, app_key, client_id, netease_app_key, friend_limit, block_limit,
          requests_per_second, created_at, modified_at";
    DELETED = "\
-- apps.deleted
select app_id
from apps
where deleted_at is not null
order by app_id
limit 10";
    PURGE = "\
-- apps.purge
delete from apps
where app_id = $1
  and deleted_at is not null";
}

/// A row of `apps`, without the secrets.
#[derive(FromRow)]
pub(super) struct AppRow {
    app_id: Uuid,
    app_key: String,
    client_id: String,
    netease_app_key: Option<String>,
    friend_limit: i32,
    block_limit: i32,
    requests_per_second: i32,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
}

#[derive(FromRow)]
struct SecretRow {
    #[sqlx(flatten)]
    app: AppRow,
    client_secret_hash: Vec<u8>,
}

#[derive(FromRow)]
struct SealedRow {
    #[sqlx(flatten)]
    app: AppRow,
    netease_secret: Vec<u8>,
}

impl From<AppRow> for App {
    fn from(row: AppRow) -> Self {
        Self {
            id: row.app_id,
            key: AppKey::from_store(row.app_key),
            client_id: row.client_id,
            netease_app_key: row.netease_app_key,
            limits: AppLimits {
                friend_limit: row.friend_limit,
                block_limit: row.block_limit,
                requests_per_second: row.requests_per_second,
            },
            created_at: row.created_at,
            modified_at: row.modified_at,
        }
    }
}

/// Creates an app; `None` when an app has that key already.
pub(crate) async fn create(
    db: &mut PgConnection,
    app: &App,
    secret: SecretHash,
) -> Result<Option<App>, Error> {
    let row: Option<AppRow> = query_as(CREATE)
        .bind(app.id)
        .bind(app.key.as_str())
        .bind(&app.client_id)
        .bind(secret.as_bytes())
        .bind(app.limits.friend_limit)
        .bind(app.limits.block_limit)
        .bind(app.limits.requests_per_second)
        .bind(app.created_at)
        .fetch_optional(db)
        .await?;
    Ok(row.map(App::from))
}

/// The app of a key.
pub(crate) async fn by_key(db: &mut PgConnection, key: &AppKey) -> Result<Option<App>, Error> {
    let row: Option<AppRow> = query_as(BY_KEY).bind(key.as_str()).fetch_optional(db).await?;
    Ok(row.map(App::from))
}

/// The app of an id.
pub(crate) async fn by_id(db: &mut PgConnection, app_id: Uuid) -> Result<Option<App>, Error> {
    let row: Option<AppRow> = query_as(BY_ID).bind(app_id).fetch_optional(db).await?;
    Ok(row.map(App::from))
}

/// The app of a key. Its row is locked until the transaction ends.
pub(crate) async fn lock_by_key(db: &mut PgConnection, key: &AppKey) -> Result<Option<App>, Error> {
    let row: Option<AppRow> = query_as(LOCK_BY_KEY).bind(key.as_str()).fetch_optional(db).await?;
    Ok(row.map(App::from))
}

/// The app of a client_id, with the hash of its client_secret.
pub(crate) async fn by_client_id(
    db: &mut PgConnection,
    client_id: &str,
) -> Result<Option<(App, Vec<u8>)>, Error> {
    let row: Option<SecretRow> = query_as(BY_CLIENT_ID).bind(client_id).fetch_optional(db).await?;
    Ok(row.map(|row| (row.app.into(), row.client_secret_hash)))
}

/// The app of a NetEase AppKey, with its sealed AppSecret.
pub(crate) async fn by_netease_app_key(
    db: &mut PgConnection,
    app_key: &str,
) -> Result<Option<(App, Vec<u8>)>, Error> {
    let row: Option<SealedRow> =
        query_as(BY_NETEASE_APP_KEY).bind(app_key).fetch_optional(db).await?;
    Ok(row.map(|row| (row.app.into(), row.netease_secret)))
}

/// Replaces a locked app's client_id and client_secret; `None` when another app has that client_id.
pub(crate) async fn set_client(
    db: &mut PgConnection,
    app_id: Uuid,
    client_id: &str,
    secret: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<App>, Error> {
    let row = query_as(SET_CLIENT)
        .bind(app_id)
        .bind(client_id)
        .bind(secret.as_bytes())
        .bind(now)
        .fetch_one(db);
    unless_taken(row.await)
}

/// Replaces or removes a locked app's NetEase AppKey and sealed AppSecret; `None` when another app has
/// that AppKey.
pub(crate) async fn set_netease(
    db: &mut PgConnection,
    app_id: Uuid,
    credentials: Option<(&str, &[u8])>,
    now: OffsetDateTime,
) -> Result<Option<App>, Error> {
    let row = query_as(SET_NETEASE)
        .bind(app_id)
        .bind(credentials.map(|(app_key, _)| app_key))
        .bind(credentials.map(|(_, sealed)| sealed))
        .bind(now)
        .fetch_one(db);
    unless_taken(row.await)
}

fn unless_taken(row: Result<AppRow, sqlx::Error>) -> Result<Option<App>, Error> {
    match row {
        Ok(row) => Ok(Some(row.into())),
        Err(sqlx::Error::Database(why)) if why.is_unique_violation() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Apps in key order, after the key `after`.
pub(crate) async fn page(db: &mut PgConnection, after: &str, rows: i64) -> Result<Vec<App>, Error> {
    let rows: Vec<AppRow> = query_as(PAGE).bind(after).bind(rows).fetch_all(db).await?;
    Ok(rows.into_iter().map(App::from).collect())
}

/// Sets an app's limits.
pub(crate) async fn set_limits(
    db: &mut PgConnection,
    app_id: Uuid,
    limits: AppLimits,
    now: OffsetDateTime,
) -> Result<App, Error> {
    let row: AppRow = query_as(SET_LIMITS)
        .bind(app_id)
        .bind(limits.friend_limit)
        .bind(limits.block_limit)
        .bind(limits.requests_per_second)
        .bind(now)
        .fetch_one(db)
        .await?;
    Ok(row.into())
}

/// Replaces an app's client_secret; `None` when there is no such app.
pub(crate) async fn set_secret(
    db: &mut PgConnection,
    key: &AppKey,
    secret: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<App>, Error> {
    let row: Option<AppRow> = query_as(SET_SECRET)
        .bind(key.as_str())
        .bind(secret.as_bytes())
        .bind(now)
        .fetch_optional(db)
        .await?;
    Ok(row.map(App::from))
}

/// Marks an app as deleted, so that no call finds it. Returns it; `None` when there is no such app.
pub(crate) async fn mark_deleted(
    db: &mut PgConnection,
    key: &AppKey,
    now: OffsetDateTime,
) -> Result<Option<App>, Error> {
    let row: Option<AppRow> =
        query_as(MARK_DELETED).bind(key.as_str()).bind(now).fetch_optional(db).await?;
    Ok(row.map(App::from))
}

/// Some deleted apps whose rows have not all been removed.
pub(crate) async fn deleted(db: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    Ok(query_scalar(DELETED).fetch_all(db).await?)
}

/// Removes the row of a deleted app, after all other rows of the app.
pub(crate) async fn purge(db: &mut PgConnection, app_id: Uuid) -> Result<(), Error> {
    query(PURGE).bind(app_id).execute(db).await?;
    Ok(())
}
