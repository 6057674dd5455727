//! App tokens: issue, revoke, purge.

use std::time::Duration;

use tokio::time::Instant;

use super::{Call, Core, access::Login};
use crate::{
    domain::{AppKey, Credential, Error, Secret, SecretKind, is_credential},
    store::{apps, tokens},
};

/// A token as it is handed out, once.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Secret,
    /// How long it lives.
    pub expires_in: Duration,
    /// The app it stands for.
    pub app_id: uuid::Uuid,
}

/// Issues a token for an app's credentials, which must be those of the app `key` where one is named.
/// A `ttl` of zero stands for the default.
///
/// # Errors
/// `InvalidCredentials`, `Invalid` (ttl), `LoginThrottled` after too many failures.
pub async fn issue(
    core: &Core,
    deadline: Instant,
    login: Login,
    key: Option<&AppKey>,
    secret: &Secret,
    ttl: Duration,
) -> Result<IssuedToken, Error> {
    let ttl = core.lifetimes.choose(ttl)?;
    core.access.may_log_in(&login)?;
    let client_id = login.client_id.as_deref().unwrap_or_default();
    // What can't be one is not looked up, and not kept in mind either.
    if !is_credential(client_id) {
        return Err(Error::InvalidCredentials(Credential::ClientId));
    }
    let wrong = match core.db.read(async |db| apps::by_client_id(db, client_id).await).await? {
        None => Credential::ClientId,
        Some((app, _)) if key.is_some_and(|key| *key != app.key) => Credential::ClientId,
        Some((_, kept)) if !secret.hash().matches(&kept) => Credential::ClientSecret,
        Some((app, _)) => {
            core.rates.check(&app, "TokenService/IssueToken")?;
            return hand_out(core, deadline, app.id, ttl).await;
        }
    };
    core.access.login_failed(login);
    Err(Error::InvalidCredentials(wrong))
}

/// Issues a token for an app without its secret; for the operator at the console.
///
/// # Errors
/// `AppNotFound`, `Invalid` (ttl).
pub async fn issue_as_operator(
    core: &Core,
    deadline: Instant,
    app_key: &AppKey,
    ttl: Duration,
) -> Result<IssuedToken, Error> {
    let ttl = core.lifetimes.choose(ttl)?;
    let app = super::apps::get(core, app_key).await?;
    hand_out(core, deadline, app.id, ttl).await
}

async fn hand_out(
    core: &Core,
    deadline: Instant,
    app_id: uuid::Uuid,
    ttl: Duration,
) -> Result<IssuedToken, Error> {
    let token = Secret::generate(SecretKind::AppToken);
    core.db
        .retrying(|| async {
            let mut tx = core.db.begin(deadline).await?;
            let now = core.clock.now();
            tokens::create(&mut tx, token.hash(), app_id, now, now + ttl).await?;
            tx.commit().await
        })
        .await?;
    Ok(IssuedToken { token, expires_in: ttl, app_id })
}

/// Ends a token of the caller's app; any other is left alone.
///
/// # Errors
/// Only those of every call.
pub async fn revoke(call: &Call, token: &Secret) -> Result<(), Error> {
    let hash = token.hash();
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            tokens::revoke(&mut tx, hash, call.app.id).await?;
            tx.commit().await
        })
        .await?;
    call.core.access.forget(hash).await;
    Ok(())
}

/// Removes a batch of expired tokens. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn purge_expired(core: &Core, deadline: Instant) -> Result<u64, Error> {
    const BATCH: i64 = 1000;
    let mut tx = core.db.begin(deadline).await?;
    let purged = tokens::purge_expired(&mut tx, core.clock.now(), BATCH).await?;
    tx.commit().await?;
    Ok(purged)
}
