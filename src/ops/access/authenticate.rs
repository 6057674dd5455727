//! Authenticates callers: the app or the operator of a bearer token, or the app of a NetEase AppKey.

use std::net::IpAddr;

use time::OffsetDateTime;

use super::{
    apps,
    caller_cache::{CallingApp, NetEaseApp, Session},
    login_throttle::Login,
};
use crate::{
    domain::{
        AppKey, Error, OperatorName, Role, Scope, Secret, SecretHash, SecretKind, is_credential,
    },
    ops::Core,
    store::{self, operator_tokens},
};

/// Who calls, as the shown credentials tell.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Nobody in particular: the call needs no credentials, or the operation checks them.
    Anonymous,
    /// An app.
    App(CallingApp),
    /// An operator.
    Operator(Operator),
}

/// An operator who calls.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The name of the token; `None` for the one of the settings.
    pub name: Option<OperatorName>,
    /// What the operator may do.
    pub role: Role,
}

impl Operator {
    fn with_role(self, required: Role) -> Result<Self, Error> {
        if self.role >= required {
            return Ok(self);
        }
        Err(Error::OperatorRole { required, held: self.role })
    }
}

/// The app whose token was shown, by a caller at the address `from`.
///
/// # Errors
/// `Unauthenticated`; `TokenScope` for an operator's token.
pub async fn app(
    core: &Core,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
) -> Result<CallingApp, Error> {
    let token = bearer.ok_or(Error::Unauthenticated)?;
    if let Some(app) = app_of(core, token, from).await? {
        return Ok(app);
    }
    match operator_of(core, token, from).await? {
        Some(_) => Err(Error::TokenScope { required: Scope::App }),
        None => Err(Error::Unauthenticated),
    }
}

/// The operator whose token was shown, if the role allows what the call does.
///
/// # Errors
/// `Unauthenticated`; `TokenScope` for an app's token; `OperatorRole` for an operator with fewer rights;
/// `LoginThrottled` after too many failures.
pub async fn operator(
    core: &Core,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
    required: Role,
) -> Result<Operator, Error> {
    let token = bearer.ok_or(Error::Unauthenticated)?;
    // Compared before the throttle, so that strangers behind the same address can't lock operators out.
    if let Some(operator) = operator_of(core, token, from).await? {
        return operator.with_role(required);
    }
    let attempt = core.login_throttle.begin(Login::operator(from)).await?;
    if app_of(core, token, from).await?.is_some() {
        return Err(Error::TokenScope { required: Scope::Operator });
    }
    attempt.fail();
    Err(Error::Unauthenticated)
}

/// The app whose token was shown, or else the operator, if the role allows what the call does.
///
/// # Errors
/// `Unauthenticated`; `OperatorRole` for an operator with fewer rights.
pub async fn app_or_operator(
    core: &Core,
    bearer: Option<&Secret>,
    from: Option<IpAddr>,
    required: Role,
) -> Result<Identity, Error> {
    let token = bearer.ok_or(Error::Unauthenticated)?;
    if let Some(app) = app_of(core, token, from).await? {
        return Ok(Identity::App(app));
    }
    match operator_of(core, token, from).await? {
        Some(operator) => Ok(Identity::Operator(operator.with_role(required)?)),
        None => Err(Error::Unauthenticated),
    }
}

/// The operator of a token. That of the settings is never looked up, so that it works while the database
/// is away.
async fn operator_of(
    core: &Core,
    token: &Secret,
    from: Option<IpAddr>,
) -> Result<Option<Operator>, Error> {
    let hash = token.hash();
    if core.operator_token.get().is_some_and(|root| root.matches(hash.as_bytes())) {
        return Ok(Some(Operator { name: None, role: Role::Admin }));
    }
    if !token.has_form_of(SecretKind::OperatorToken) {
        return Ok(None);
    }
    let now = core.clock.now();
    let look_up = async {
        let read = core.db.read(async |db| operator_tokens::by_hash(db, hash).await);
        // Boxed when it runs: the cache keeps room for the future several times.
        Ok(Box::pin(read).await?.filter(|token| token.is_valid_at(now)))
    };
    let found = core.callers.operator(hash, from, look_up).await?;
    let valid = found.filter(|token| token.is_valid_at(now));
    Ok(valid.map(|token| Operator { name: Some(token.name), role: token.role }))
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
