//! Operator tokens: create, list, revoke.

use std::time::Duration;

use crate::{
    domain::{
        Audited, Error, OperatorName, OperatorToken, Page, PageSize, Role, Secret, SecretKind,
    },
    ops::{Core, OperatorCall, audits},
    store::operator_tokens,
};

/// Creates an operator's token, of which only the hash is stored. A `ttl` of zero stands for no end.
/// `show` gets the token before it is valid: when it fails, none is created.
///
/// # Errors
/// `OperatorTokenAlreadyExists`, `Invalid` (ttl); that of `show`.
pub async fn create(
    call: &OperatorCall,
    name: &OperatorName,
    role: Role,
    ttl: Duration,
    show: impl Fn(&OperatorToken, &Secret) -> Result<(), Error>,
) -> Result<(OperatorToken, Secret), Error> {
    let (core, ttl) = (&call.core, OperatorToken::choose_ttl(ttl)?);
    let secret = Secret::generate(SecretKind::OperatorToken);
    let created = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(call.deadline).await?;
            let created_at = core.clock.now();
            let expires_at = ttl.map(|ttl| created_at + ttl);
            let token = OperatorToken { name: name.clone(), role, created_at, expires_at };
            if !operator_tokens::create(&mut tx, &token, secret.hash()).await? {
                return Err(Error::OperatorTokenAlreadyExists(name.clone()));
            }
            show(&token, &secret)?;
            let change = Audited::new("OperatorTokenService/CreateOperatorToken").of(name);
            audits::commit(core, tx, &call.author, change.after(token.facts())).await?;
            Ok(token)
        })
        .await?;
    Ok((created, secret))
}

/// A page of the tokens that have not expired, in the order of their names, after the name `after`.
///
/// # Errors
/// Only those of every call.
pub async fn list(
    core: &Core,
    after: &str,
    size: PageSize,
) -> Result<Page<OperatorToken, String>, Error> {
    let now = core.clock.now();
    let read =
        core.db.read(async |db| operator_tokens::page(db, after, now, size.rows_to_read()).await);
    Ok(Page::cut(read.await?, size, |token| token.name.as_str().to_owned()))
}

/// Revokes the token of a name. This instance refuses it at once, other instances when their cached callers
/// are as old as `--token-cache`.
///
/// # Errors
/// `OperatorTokenNotFound`.
pub async fn revoke(call: &OperatorCall, name: &OperatorName) -> Result<(), Error> {
    let core = &call.core;
    let hash = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(call.deadline).await?;
            let revoked = operator_tokens::revoke(&mut tx, name).await?;
            let (token, hash) =
                revoked.ok_or_else(|| Error::OperatorTokenNotFound(name.clone()))?;
            let change = Audited::new("OperatorTokenService/RevokeOperatorToken").of(name);
            audits::commit(core, tx, &call.author, change.before(token.facts())).await?;
            Ok(hash)
        })
        .await?;
    core.callers.forget_operator(hash).await;
    Ok(())
}
