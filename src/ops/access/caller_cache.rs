//! The callers that were verified a short time ago, so that not every call asks the database.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use metrics::Counter;
use moka::future::Cache;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::network::network_of;
use crate::{
    domain::{
        App, Error, Held, Holders, OperatorToken, Outage, Places, Secret, SecretHash, TakenPlace,
    },
    measure::Limit,
};

/// How many look-ups of unknown callers run at once. More unknown callers than that wait in a queue, so
/// that the other connections stay free for known callers.
const LOOK_UPS: usize = 8;

/// How many look-ups run or wait. They are shared by address, so that somebody who shows made-up tokens does
/// not hold up the look-ups of others for long.
const WAITING_LOOK_UPS: usize = 512;

/// An app that calls.
#[derive(Clone, Debug)]
pub struct CallingApp {
    /// The app.
    pub app: Arc<App>,
    /// How many places its calls hold, whichever of its tokens they show.
    pub calls: Arc<HeldCalls>,
}

/// How many places, and bytes, the calls of one caller hold.
#[derive(Debug, Default)]
pub struct HeldCalls {
    /// Calls whose request is still coming.
    pub arriving: Held,
    /// The bytes of such requests that are there already.
    pub arriving_bytes: Held,
    /// Calls that run.
    pub running: Held,
}

/// What an app's token stands for.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) caller: CallingApp,
    pub(super) expires_at: OffsetDateTime,
}

/// An app by its NetEase AppKey, with its AppSecret.
pub type NetEaseApp = (CallingApp, Secret);

/// The verified callers.
pub struct CallerCache {
    sessions: Cache<SecretHash, Session>,
    netease_apps: Cache<String, NetEaseApp>,
    operators: Cache<SecretHash, OperatorToken>,
    calls: Holders<Uuid, HeldCalls>,
    look_ups: Semaphore,
    waiting: Arc<Places>,
    waiting_of: Holders<Option<IpAddr>, Held>,
    session_counts: Counts,
    netease_counts: Counts,
    operator_counts: Counts,
}

/// How often a cache was asked, and how often the database was asked instead.
struct Counts {
    lookups: Counter,
    misses: Counter,
}

impl Counts {
    fn of(cache: &'static str) -> Self {
        Self {
            lookups: metrics::counter!("befriend_cache_lookups_total", "cache" => cache),
            misses: metrics::counter!("befriend_cache_misses_total", "cache" => cache),
        }
    }
}

impl fmt::Debug for CallerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerCache").finish_non_exhaustive()
    }
}

impl CallerCache {
    /// An empty cache. For `max_age`, a verified caller is accepted without asking the database, and
    /// this is how late another instance notices a revoked token or a changed limit.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        Self {
            sessions: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(max_age)
                .support_invalidation_closures()
                .build(),
            netease_apps: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(max_age)
                .support_invalidation_closures()
                .build(),
            operators: Cache::builder().max_capacity(10_000).time_to_live(max_age).build(),
            calls: Holders::default(),
            look_ups: Semaphore::new(LOOK_UPS),
            waiting: Arc::new(Places::new(WAITING_LOOK_UPS)),
            waiting_of: Holders::default(),
            session_counts: Counts::of("sessions"),
            netease_counts: Counts::of("netease apps"),
            operator_counts: Counts::of("operators"),
        }
    }

    /// Forgets a token that was revoked.
    pub(super) async fn forget_token(&self, token: SecretHash) {
        self.sessions.invalidate(&token).await;
    }

    /// Forgets an operator's token that was revoked.
    pub(super) async fn forget_operator(&self, token: SecretHash) {
        self.operators.invalidate(&token).await;
    }

    /// Forgets all callers of an app whose limits or credentials changed, or which was deleted.
    pub(super) fn forget_app(&self, app_id: Uuid) {
        let sessions = self.sessions.invalidate_entries_if(move |_, s| s.caller.app.id == app_id);
        let apps =
            self.netease_apps.invalidate_entries_if(move |_, (caller, _)| caller.app.id == app_id);
        debug_assert!(sessions.is_ok() && apps.is_ok(), "built with invalidation closures");
    }

    /// An app that was just looked up, with what its calls hold.
    pub(super) fn calling(&self, app: App) -> CallingApp {
        CallingApp { calls: self.calls.of(app.id), app: Arc::new(app) }
    }

    /// The session of a token that was verified a short time ago.
    pub(super) async fn known_session(&self, token: SecretHash) -> Option<Session> {
        self.session_counts.lookups.increment(1);
        self.sessions.get(&token).await
    }

    /// The session of a token. Callers who show the same unknown token at once share one `look_up`.
    pub(super) async fn session(
        &self,
        token: SecretHash,
        from: Option<IpAddr>,
        look_up: impl Future<Output = Result<Option<Session>, Error>>,
    ) -> Result<Option<Session>, Error> {
        let look_up = self.loaded(&self.session_counts, from, look_up);
        shared(self.sessions.try_get_with(token, look_up).await)
    }

    /// The app of a NetEase AppKey. Callers who show the same unknown key at once share one `look_up`.
    pub(super) async fn netease_app(
        &self,
        app_key: &str,
        from: Option<IpAddr>,
        look_up: impl Future<Output = Result<Option<NetEaseApp>, Error>>,
    ) -> Result<Option<NetEaseApp>, Error> {
        self.netease_counts.lookups.increment(1);
        let look_up = self.loaded(&self.netease_counts, from, look_up);
        shared(self.netease_apps.try_get_with_by_ref(app_key, look_up).await)
    }

    /// The operator's token of a hash. Callers who show the same unknown token at once share one `look_up`.
    pub(super) async fn operator(
        &self,
        token: SecretHash,
        from: Option<IpAddr>,
        look_up: impl Future<Output = Result<Option<OperatorToken>, Error>>,
    ) -> Result<Option<OperatorToken>, Error> {
        self.operator_counts.lookups.increment(1);
        let look_up = self.loaded(&self.operator_counts, from, look_up);
        shared(self.operators.try_get_with(token, look_up).await)
    }

    /// Runs a look-up for an unknown caller at an address, when fewer than [`LOOK_UPS`] others are running.
    ///
    /// # Errors
    /// `Unavailable` when too many callers at the address wait for theirs.
    pub(super) async fn queued<T>(
        &self,
        from: Option<IpAddr>,
        look_up: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let held = self.waiting_of.of(from.map(network_of));
        let place = TakenPlace::of(&self.waiting, held);
        let _place = place.ok_or_else(|| {
            Limit::LookUps.refused();
            Error::Unavailable(Outage::Overloaded)
        })?;
        let _permit = self.look_ups.acquire().await;
        look_up.await
    }

    /// A look-up in the form that moka takes. An unknown caller is an error there, so that moka does not
    /// keep it.
    async fn loaded<T>(
        &self,
        counts: &Counts,
        from: Option<IpAddr>,
        look_up: impl Future<Output = Result<Option<T>, Error>>,
    ) -> Result<T, Option<Error>> {
        counts.misses.increment(1);
        self.queued(from, look_up).await.map_err(Some)?.ok_or(None)
    }

    /// How many entries the caches hold, about.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, usize); 3] {
        let counts = [
            ("sessions", self.sessions.entry_count()),
            ("netease apps", self.netease_apps.entry_count()),
            ("operators", self.operators.entry_count()),
        ];
        counts.map(|(cache, count)| (cache, usize::try_from(count).unwrap_or(usize::MAX)))
    }
}

/// The result of a look-up that several callers share, for one of them.
fn shared<T>(found: Result<T, Arc<Option<Error>>>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(failure) => match failure.as_ref() {
            None => Ok(None),
            Some(Error::Unavailable(outage)) => Err(Error::Unavailable(*outage)),
            Some(Error::DeadlineExceeded) => Err(Error::DeadlineExceeded),
            Some(Error::Internal(detail)) => Err(Error::Internal(detail.clone())),
            Some(Error::PrivilegeMissing(why)) => Err(Error::PrivilegeMissing(why.clone())),
            Some(other) => Err(Error::Internal(other.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn made_up_tokens_from_one_address_leave_look_ups_to_the_others() {
        let callers = CallerCache::new(Duration::from_secs(1));
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let mut waiting = Vec::new();
        let mut refused = 0;
        for _ in 0..1000 {
            let mut look_up = Box::pin(callers.queued(address(1), pending::<Result<(), Error>>()));
            match (&mut look_up).now_or_never() {
                None => waiting.push(look_up),
                Some(answer) => {
                    assert!(matches!(answer, Err(Error::Unavailable(Outage::Overloaded))));
                    refused += 1;
                }
            }
        }
        assert_eq!((waiting.len(), refused), (320, 680));
        let mut other = Box::pin(callers.queued(address(2), async { Ok(()) }));
        assert!((&mut other).now_or_never().is_none(), "it waits, and is not refused");
        drop(waiting);
        other.await.unwrap();
        let again = callers.queued(address(1), async { Ok(()) });
        again.await.unwrap();
    }
}
