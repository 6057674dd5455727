//! `tokens`: the hashes of app tokens.

use sqlx::{FromRow, PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{apps::AppRow, statements};
use crate::domain::{App, Error, SecretHash, TokenInfo};

statements! {
    CREATE = "\
-- tokens.create
insert into tokens (token_hash, app_id, created_at, expires_at)
values ($1, $2, $3, $4)";
    APP_OF = "\
-- tokens.app_of
select a.app_id, a.app_key, a.client_id, a.netease_app_key, a.friend_limit, a.block_limit,
       a.requests_per_second, a.created_at, a.modified_at, t.expires_at
from tokens t
join apps a on a.app_id = t.app_id
where t.token_hash = $1
  and t.expires_at > $2
  and a.deleted_at is null";
    OF_APP = "\
-- tokens.of_app
select token_hash, created_at, expires_at
from tokens
where app_id = $1
  and expires_at > $2
order by created_at desc, token_hash
limit $3";
    REVOKE = "\
-- tokens.revoke
delete from tokens
where token_hash = $1
  and app_id = $2";
    REVOKE_ALL = "\
-- tokens.revoke_all
delete from tokens
where app_id = $1";
    PURGE_EXPIRED = "\
-- tokens.purge_expired
delete from tokens
where token_hash in (
    select token_hash
    from tokens
    where expires_at <= $1
    order by expires_at
    limit $2
)";
}

#[derive(FromRow)]
struct TokenRow {
    #[sqlx(flatten)]
    app: AppRow,
    expires_at: OffsetDateTime,
}

/// Stores the hash of a new token.
pub(crate) async fn create(
    db: &mut PgConnection,
    token: SecretHash,
    app_id: Uuid,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    query(CREATE)
        .bind(token.as_bytes())
        .bind(app_id)
        .bind(now)
        .bind(expires_at)
        .execute(db)
        .await?;
    Ok(())
}

/// The app of a token, and when the token expires; `None` for an unknown or expired token.
pub(crate) async fn app_of(
    db: &mut PgConnection,
    token: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<(App, OffsetDateTime)>, Error> {
    let row: Option<TokenRow> =
        query_as(APP_OF).bind(token.as_bytes()).bind(now).fetch_optional(db).await?;
    Ok(row.map(|row| (row.app.into(), row.expires_at)))
}

/// Up to `limit` valid tokens of an app, the newest first.
pub(crate) async fn of_app(
    db: &mut PgConnection,
    app_id: Uuid,
    now: OffsetDateTime,
    limit: i32,
) -> Result<Vec<TokenInfo>, Error> {
    let rows: Vec<(Vec<u8>, OffsetDateTime, OffsetDateTime)> =
        query_as(OF_APP).bind(app_id).bind(now).bind(i64::from(limit)).fetch_all(db).await?;
    let info = |(hash, created_at, expires_at): (Vec<u8>, _, _)| {
        let hash = SecretHash::from_store(&hash).ok_or_else(|| {
            Error::Internal("the hash of a token has another length than 32 bytes".to_owned())
        })?;
        Ok(TokenInfo { hash, created_at, expires_at })
    };
    rows.into_iter().map(info).collect()
}

/// Revokes a token of an app. False if the app has no such token.
pub(crate) async fn revoke(
    db: &mut PgConnection,
    token: SecretHash,
    app_id: Uuid,
) -> Result<bool, Error> {
    let done = query(REVOKE).bind(token.as_bytes()).bind(app_id).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Revokes all tokens of an app.
pub(crate) async fn revoke_all(db: &mut PgConnection, app_id: Uuid) -> Result<(), Error> {
    query(REVOKE_ALL).bind(app_id).execute(db).await?;
    Ok(())
}

/// Removes up to `limit` expired tokens. Returns how many.
pub(crate) async fn purge_expired(
    db: &mut PgConnection,
    now: OffsetDateTime,
    limit: i64,
) -> Result<u64, Error> {
    let done = query(PURGE_EXPIRED).bind(now).bind(limit).execute(db).await?;
    Ok(done.rows_affected())
}
