//! Who may call what: bearer tokens and the operator's token, and a brake on guessing.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use moka::{future, sync};
use time::OffsetDateTime;
use tokio::{sync::Semaphore, time::Instant};
use uuid::Uuid;

use super::Core;
use crate::{
    domain::{App, AppKey, Error, Scope, Secret, SecretHash, SecretKind, is_credential},
    store::{apps, tokens},
};

/// How many look-ups for callers who are not known yet are under way at once: strangers who come in
/// crowds wait for each other, and leave the database to those who are known.
const LOOK_UPS: usize = 8;

/// How callers are checked.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The operator's token; without one nobody can call AppService.
    pub operator_token: Option<Secret>,
    /// For how long a verified token is taken without asking the database again: so late another
    /// instance notices a revocation or a changed limit.
    pub token_cache: Duration,
    /// How many logins may fail in [`Self::login_window`], from one address and for one client_id; ten
    /// times as many from one address in all.
    pub failed_logins: u32,
    /// Over what time failed logins are counted.
    pub login_window: Duration,
}

/// Verified tokens and failed logins.
pub struct Access {
    settings: AccessSettings,
    operator: Option<SecretHash>,
    verified: future::Cache<SecretHash, Session>,
    netease: future::Cache<String, NetEaseApp>,
    look_ups: Semaphore,
    failures: sync::Cache<Login, Arc<Failures>>,
}

/// What a token stands for.
#[derive(Clone)]
struct Session {
    app: Arc<App>,
    expires_at: OffsetDateTime,
}

/// An app by its NetEase AppKey, with its AppSecret.
pub type NetEaseApp = (Arc<App>, Secret);

/// Who tries to log in, from where, as whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// The address of the connection, where it has one.
    pub from: Option<IpAddr>,
    /// The client_id; none stands for the operator.
    pub client_id: Option<String>,
}

impl Login {
    /// All logins from the address, as anybody.
    fn of_address(&self) -> Self {
        Self { from: self.from, client_id: Some(String::new()) }
    }
}

struct Failures {
    first: Instant,
    count: AtomicU32,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Starts with nobody verified.
    #[must_use]
    pub fn new(settings: AccessSettings) -> Self {
        Self {
            operator: settings.operator_token.as_ref().map(Secret::hash),
            verified: future::Cache::builder()
                .max_capacity(100_000)
                .time_to_live(settings.token_cache)
                .support_invalidation_closures()
                .build(),
            netease: future::Cache::builder()
                .max_capacity(10_000)
                .time_to_live(settings.token_cache)
                .support_invalidation_closures()
                .build(),
            look_ups: Semaphore::new(LOOK_UPS),
            failures: sync::Cache::builder()
                .max_capacity(100_000)
                .time_to_live(settings.login_window)
                .build(),
            settings,
        }
    }

    /// Forgets a verified token: it was revoked.
    pub(super) async fn forget(&self, token: SecretHash) {
        self.verified.invalidate(&token).await;
    }

    /// Forgets who comes for an app: its limits or credentials changed, or it is gone.
    pub(super) fn forget_app(&self, app_id: Uuid) {
        let tokens = self.verified.invalidate_entries_if(move |_, s| s.app.id == app_id);
        let keys = self.netease.invalidate_entries_if(move |_, (app, _)| app.id == app_id);
        debug_assert!(tokens.is_ok() && keys.is_ok(), "built with invalidation closures");
    }

    /// Refuses a login while too many have failed; before it is looked at, so that guessing stays
    /// slow whatever the guess.
    pub(super) fn may_log_in(&self, login: &Login) -> Result<(), Error> {
        let failed_logins = self.settings.failed_logins;
        self.within(login, failed_logins)?;
        self.within(&login.of_address(), failed_logins.saturating_mul(10))
    }

    fn within(&self, login: &Login, bound: u32) -> Result<(), Error> {
        match self.failures.get(login) {
            Some(failures) if failures.count.load(Ordering::Relaxed) >= bound => {
                Err(Error::LoginThrottled {
                    retry_after: self
                        .settings
                        .login_window
                        .saturating_sub(failures.first.elapsed()),
                })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failed login.
    pub(super) fn login_failed(&self, login: Login) {
        for login in [login.of_address(), login] {
            let failures = self.failures.get_with(login, || {
                Arc::new(Failures { first: Instant::now(), count: AtomicU32::new(0) })
            });
            failures.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The app whose token was shown.
///
/// # Errors
/// `Unauthenticated`; `TokenScope` for the operator's token.
pub async fn app(core: &Core, bearer: Option<&Secret>) -> Result<Arc<App>, Error> {
    let token = bearer.ok_or(Error::Unauthenticated)?;
    if let Some(app) = app_of(core, token).await? {
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
    // The right token passes first, so that strangers behind the same address can't lock it out.
    if is_operator(core, token) {
        return Ok(());
    }
    let login = Login { from, client_id: None };
    core.access.may_log_in(&login)?;
    if app_of(core, token).await?.is_some() {
        return Err(Error::TokenScope { required: Scope::Operator });
    }
    core.access.login_failed(login);
    Err(Error::Unauthenticated)
}

fn is_operator(core: &Core, token: &Secret) -> bool {
    core.access.operator.is_some_and(|operator| operator.matches(token.hash().as_bytes()))
}

async fn app_of(core: &Core, token: &Secret) -> Result<Option<Arc<App>>, Error> {
    if !token.has_form_of(SecretKind::AppToken) {
        return Ok(None);
    }
    let hash = token.hash();
    let now = core.clock.now();
    let session = match core.access.verified.get(&hash).await {
        Some(session) => Some(session),
        // Aside, so that the future of a call whose token is known has no room for all of this: it is
        // moved around.
        None => Box::pin(look_up(core, hash, now)).await?,
    };
    Ok(session.filter(|session| session.expires_at > now).map(|session| session.app))
}

async fn look_up(
    core: &Core,
    hash: SecretHash,
    now: OffsetDateTime,
) -> Result<Option<Session>, Error> {
    // Callers who come with the same unknown token at once ask the database once.
    let session = core
        .access
        .verified
        .try_get_with(hash, async {
            let _turn = core.access.look_ups.acquire().await;
            match core.db.read(async |db| tokens::app_of(db, hash, now).await).await {
                Ok(Some((app, expires_at))) => Ok(Session { app: Arc::new(app), expires_at }),
                Ok(None) => Err(None),
                Err(error) => Err(Some(error)),
            }
        })
        .await;
    shared(session)
}

/// Makes sure that an app exists, for a caller who showed nothing that is valid for it.
///
/// # Errors
/// `AppNotFound`.
pub async fn named_app(core: &Core, key: &AppKey) -> Result<(), Error> {
    let _turn = core.access.look_ups.acquire().await;
    super::apps::get(core, key).await.map(drop)
}

/// The app that a NetEase AppKey belongs to, with its AppSecret; nothing when there is none.
///
/// # Errors
/// `Internal` when the secret was sealed with a key that this instance does not have.
pub async fn netease_app(core: &Core, app_key: &str) -> Result<Option<NetEaseApp>, Error> {
    if !is_credential(app_key) {
        return Ok(None);
    }
    let found = core
        .access
        .netease
        .try_get_with_by_ref(app_key, async {
            let _turn = core.access.look_ups.acquire().await;
            let found = core.db.read(async |db| apps::by_netease_app_key(db, app_key).await);
            let (app, sealed) = found.await.map_err(Some)?.ok_or(None)?;
            let secret = core.keyring.open(&sealed, app.id).ok_or_else(|| {
                let why = format!("no --credentials-key opens the AppSecret of {}", app.key);
                Some(Error::Internal(why))
            })?;
            Ok((Arc::new(app), secret))
        })
        .await;
    shared(found)
}

/// A result that several callers share: nothing was found, or the look-up failed.
fn shared<T>(found: Result<T, Arc<Option<Error>>>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(failure) => match failure.as_ref() {
            None => Ok(None),
            Some(Error::Unavailable(outage)) => Err(Error::Unavailable(*outage)),
            Some(Error::DeadlineExceeded) => Err(Error::DeadlineExceeded),
            Some(Error::Internal(detail)) => Err(Error::Internal(detail.clone())),
            Some(other) => Err(Error::Internal(other.to_string())),
        },
    }
}
