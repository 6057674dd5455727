//! `operator_tokens`: the hashes of operators' tokens, with names and roles.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

use super::statements;
use crate::domain::{Error, OperatorName, OperatorToken, Role, SecretHash};

statements! {
    CREATE = "\
-- operator_tokens.create
insert into operator_tokens (name, token_hash, role, created_at, expires_at)
values ($1, $2, $3, $4, $5)
on conflict (name) do update
set token_hash = excluded.token_hash,
    role = excluded.role,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at
where operator_tokens.expires_at <= $4
returning name";
    BY_HASH = "\
-- operator_tokens.by_hash
select name, role, created_at, expires_at
from operator_tokens
where token_hash = $1";
    PAGE = "\
-- operator_tokens.page
select name, role, created_at, expires_at
from operator_tokens
where name > $1
  and (expires_at is null or expires_at > $2)
order by name
limit $3";
    REVOKE = "\
-- operator_tokens.revoke
delete from operator_tokens
where name = $1
returning token_hash, name, role, created_at, expires_at";
    PURGE_EXPIRED = "\
-- operator_tokens.purge_expired
delete from operator_tokens
where name in (
    select name
    from operator_tokens
    where expires_at <= $1
    order by expires_at
    limit $2
)
  and expires_at <= $1";
}

#[derive(FromRow)]
struct TokenRow {
    name: String,
    role: String,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
}

#[derive(FromRow)]
struct RevokedRow {
    token_hash: Vec<u8>,
    #[sqlx(flatten)]
    token: TokenRow,
}

impl From<TokenRow> for OperatorToken {
    fn from(row: TokenRow) -> Self {
        Self {
            name: OperatorName::from_store(row.name),
            role: Role::from_store(&row.role),
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// Stores the hash of a new token. One of the same name that has expired makes room for it. False when
/// there is one that has not.
pub(crate) async fn create(
    db: &mut PgConnection,
    token: &OperatorToken,
    hash: SecretHash,
) -> Result<bool, Error> {
    let created: Option<String> = query_scalar(CREATE)
        .bind(token.name.as_str())
        .bind(hash.as_bytes())
        .bind(token.role.as_str())
        .bind(token.created_at)
        .bind(token.expires_at)
        .fetch_optional(db)
        .await?;
    Ok(created.is_some())
}

/// The token of a hash, also one that has expired.
pub(crate) async fn by_hash(
    db: &mut PgConnection,
    hash: SecretHash,
) -> Result<Option<OperatorToken>, Error> {
    let row: Option<TokenRow> = query_as(BY_HASH).bind(hash.as_bytes()).fetch_optional(db).await?;
    Ok(row.map(OperatorToken::from))
}

/// Tokens that have not expired, in the order of their names, after the name `after`.
pub(crate) async fn page(
    db: &mut PgConnection,
    after: &str,
    now: OffsetDateTime,
    rows: i64,
) -> Result<Vec<OperatorToken>, Error> {
    let rows: Vec<TokenRow> = query_as(PAGE).bind(after).bind(now).bind(rows).fetch_all(db).await?;
    Ok(rows.into_iter().map(OperatorToken::from).collect())
}

/// Revokes the token of a name. Returns it, with its hash; `None` when there is none.
pub(crate) async fn revoke(
    db: &mut PgConnection,
    name: &OperatorName,
) -> Result<Option<(OperatorToken, SecretHash)>, Error> {
    let row: Option<RevokedRow> = query_as(REVOKE).bind(name.as_str()).fetch_optional(db).await?;
    let Some(row) = row else { return Ok(None) };
    let hash = SecretHash::from_store(&row.token_hash)
        .ok_or_else(|| Error::Internal(format!("the hash of the token of {name} is damaged")))?;
    Ok(Some((row.token.into(), hash)))
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
