//! App tokens: issue, list and revoke.

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{apps, login_throttle::Login};
use crate::{
    domain::{
        App, AppKey, Audited, Credential, Error, Secret, SecretHash, SecretKind, TokenInfo, facts,
        is_credential, time_fact,
    },
    ops::{Call, Core, OperatorCall, audits, call::app_as_author},
    store::{self, tokens},
};

/// A token that was just issued. Only its hash is stored.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Secret,
    /// How long it lives.
    pub expires_in: Duration,
    /// The app that it authenticates.
    pub app_id: uuid::Uuid,
}

/// Issues a token for an app's client_id and client_secret, which somebody at the address `from` shows. If
/// `key` names an app, the credentials must be that app's. A `ttl` of zero stands for the default.
///
/// # Errors
/// `InvalidCredentials`, `Invalid` (ttl), `LoginThrottled` after too many failures.
pub async fn issue(
    core: &Arc<Core>,
    deadline: Instant,
    from: Option<IpAddr>,
    key: Option<&AppKey>,
    (client_id, secret): (&str, &Secret),
    ttl: Duration,
) -> Result<IssuedToken, Error> {
    let ttl = core.lifetimes.choose(ttl)?;
    // A text that can't be a client_id is neither looked up nor counted as a failure, so that junk does
    // not fill the throttle's memory.
    if !is_credential(client_id) {
        return Err(Error::InvalidCredentials(Credential::ClientId));
    }
    let attempt = core.login_throttle.begin(Login::client(from, client_id)).await?;
    let wrong =
        match core.db.read(async |db| store::apps::by_client_id(db, client_id).await).await? {
            None => Credential::ClientId,
            Some((app, _)) if key.is_some_and(|key| *key != app.key) => Credential::ClientId,
            Some((_, kept)) if !secret.hash().matches(&kept) => Credential::ClientSecret,
            Some((app, _)) => {
                core.rate_limits.check(&app, "TokenService/IssueToken")?;
                let author = app_as_author(&app, from);
                let call = OperatorCall { core: Arc::clone(core), author, deadline };
                return create(&call, &app, ttl, |_| Ok(())).await;
            }
        };
    attempt.fail();
    Err(Error::InvalidCredentials(wrong))
}

/// Issues a token for an app without its secret, for the operator at the command line. `show` gets the token
/// before it is valid: when it fails, no token is issued.
///
/// # Errors
/// `AppNotFound`, `Invalid` (ttl); that of `show`.
pub async fn issue_as_operator(
    call: &OperatorCall,
    app_key: &AppKey,
    ttl: Duration,
    show: impl Fn(&Secret) -> Result<(), Error>,
) -> Result<IssuedToken, Error> {
    let ttl = call.core.lifetimes.choose(ttl)?;
    let app = apps::get(&call.core, app_key).await?;
    create(call, &app, ttl, show).await
}

async fn create(
    call: &OperatorCall,
    app: &App,
    ttl: Duration,
    show: impl Fn(&Secret) -> Result<(), Error>,
) -> Result<IssuedToken, Error> {
    let OperatorCall { core, author, deadline } = call;
    let token = Secret::generate(SecretKind::AppToken);
    core.db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let now = core.clock.now();
            tokens::create(&mut tx, token.hash(), app.id, now, now + ttl).await?;
            show(&token)?;
            let change = Audited::new("TokenService/IssueToken").in_app(app);
            let expiry = facts(json!({ "expires_at": time_fact(now + ttl) }));
            let change = change.of(token.hash().short()).after(expiry);
            audits::commit(core, tx, author, change).await
        })
        .await?;
    Ok(IssuedToken { token, expires_in: ttl, app_id: app.id })
}

/// The newest valid tokens of the caller's app, `limit` of them at the most.
///
/// # Errors
/// Only those of every call.
pub async fn list(call: &Call, limit: i32) -> Result<Vec<TokenInfo>, Error> {
    let (app_id, now) = (call.app.id, call.core.clock.now());
    call.core.db.read(async |db| tokens::of_app(db, app_id, now, limit).await).await
}

/// Revokes a token of the caller's app. A token of another app stays valid, without an error.
///
/// # Errors
/// Only those of every call.
pub async fn revoke(call: &Call, token: &Secret) -> Result<(), Error> {
    revoke_by_hash(call, token.hash()).await.map(drop)
}

/// Revokes the token of the caller's app that has this hash. Returns whether the app has such a token.
///
/// # Errors
/// Only those of every call.
pub async fn revoke_by_hash(call: &Call, hash: SecretHash) -> Result<bool, Error> {
    let revoked = call
        .core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            if !tokens::revoke(&mut tx, hash, call.app.id).await? {
                return Ok(false);
            }
            let change = Audited::new("TokenService/RevokeToken").in_app(&call.app);
            let change = change.of(hash.short());
            audits::commit(&call.core, tx, &call.author(), change).await?;
            Ok(true)
        })
        .await?;
    call.core.callers.forget_token(hash).await;
    Ok(revoked)
}
