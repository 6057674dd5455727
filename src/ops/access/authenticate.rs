//! Authenticates callers: the app of a bearer token, the operator, or the app of a NetEase AppKey.

use std::net::IpAddr;

use time::OffsetDateTime;

use super::{
    apps,
    caller_cache::{CallingApp, NetEaseApp, Session},
    login_throttle::Login,
};
use crate::{
    domain::{AppKey, Error, Scope, Secret, SecretHash, SecretKind, is_credential},
    ops::Core,
    store,
};

/// The app whose token was shown, by a caller at the address `from`.
///
/// # Errors
/// `Unauthenticated`; `TokenScope` for the operator's token.
pub async fn app(
    core: &Core,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
) -> Result<CallingApp, Error> {
    let token = bearer.ok_or(Error::Unauthenticated)?;
    if let Some(app) = app_of(core, token, from).await? {
        return Ok(app);
    }
    if is_operator(core, token) {
        return Err(Error::TokenScope { required: Scope::App });
    }
    Err(Error::Unauthenticated)
}

/// Makes sure that the operator's token was shown.
///
/// # Errors
/// `Unauthenticated`; `TokenScope` for an app's token; `LoginThrottled` after too many failures.
pub async fn operator(
    core: &Core,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
) -> Result<(), Error> {
    let token = bearer.ok_or(Error::Unauthenticated)?;
    // Compared before the throttle, so that strangers behind the same address can't lock the operator
    // out.
    if is_operator(core, token) {
        return Ok(());
    }
    let attempt = core.login_throttle.begin(Login::operator(from)).await?;
    if app_of(core, token, from).await?.is_some() {
        return Err(Error::TokenScope { required: Scope::Operator });
    }
    attempt.fail();
    Err(Error::Unauthenticated)
}

fn is_operator(core: &Core, token: &Secret) -> bool {
    core.operator_token.get().is_some_and(|operator| operator.matches(token.hash().as_bytes()))
}

async fn app_of(
    core: &Core,
    token: &Secret,
    from: Option<IpAddr>,
) -> Result<Option<CallingApp>, Error> {
    if !token.has_form_of(SecretKind::AppToken) {
        return Ok(None);
    }
    let hash = token.hash();
    let now = core.clock.now();
    let session = match core.callers.known_session(hash).await {
        Some(session) => Some(session),
        // Boxed, because every call moves this function's future around, and few calls need a look-up.
        None => Box::pin(look_up(core, hash, from, now)).await?,
    };
    Ok(session.filter(|session| session.expires_at > now).map(|session| session.caller))
}

async fn look_up(
    core: &Core,
    token: SecretHash,
    from: Option<IpAddr>,
    now: OffsetDateTime,
) -> Result<Option<Session>, Error> {
    let session = async {
        // Boxed when it runs: the cache keeps room for the future several times.
        let read = core.db.read(async |db| store::tokens::app_of(db, token, now).await);
        let found = Box::pin(read).await?;
        Ok(found.map(|(app, expires_at)| Session { caller: core.callers.calling(app), expires_at }))
    };
    core.callers.session(token, from, session).await
}

/// Makes sure that an app exists, for a caller who showed nothing that is valid for it.
///
/// # Errors
/// `AppNotFound`.
pub async fn named_app(core: &Core, key: &AppKey, from: Option<IpAddr>) -> Result<(), Error> {
    core.callers.queued(from, apps::get(core, key)).await.map(drop)
}

/// The app that a NetEase AppKey belongs to, when `matches` says so of its AppSecret; `None` when there is
/// no such app, or the secret is another one.
///
/// # Errors
/// `LoginThrottled` after too many failures with this AppKey; `Internal` when the secret was sealed with a
/// key that this instance does not have.
pub async fn netease_caller(
    core: &Core,
    app_key: &str,
    from: Option<IpAddr>,
    matches: impl FnOnce(&Secret) -> bool,
) -> Result<Option<CallingApp>, Error> {
    let Some((caller, secret)) = netease_app(core, app_key, from).await? else { return Ok(None) };
    let attempt = core.login_throttle.begin_call(Login::netease(from, app_key)).await?;
    if matches(&secret) {
        return Ok(Some(caller));
    }
    attempt.fail();
    Ok(None)
}

/// The app that a NetEase AppKey belongs to, with its AppSecret; `None` when there is none.
///
/// # Errors
/// `Internal` when the secret was sealed with a key that this instance does not have.
pub async fn netease_app(
    core: &Core,
    app_key: &str,
    from: Option<IpAddr>,
) -> Result<Option<NetEaseApp>, Error> {
    if !is_credential(app_key) {
        return Ok(None);
    }
    let app = async {
        let db = &core.db;
        let read = db.read(async |db| store::apps::by_netease_app_key(db, app_key).await);
        let found = Box::pin(read).await?;
        let Some((app, sealed)) = found else { return Ok(None) };
        let secret = core.keyring.get().open(&sealed, app.id).ok_or_else(|| {
            Error::Internal(format!("no --credentials-key opens the AppSecret of {}", app.key))
        })?;
        Ok(Some((core.callers.calling(app), secret)))
    };
    core.callers.netease_app(app_key, from, app).await
}
