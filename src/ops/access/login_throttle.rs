//! Slows down the guessing of credentials: after too many failed logins within a time, further logins are
//! refused.
//!
//! A login is counted before its credentials are looked at. Of many guesses at once no more are looked at
//! than may fail; the others wait until it is known whether those did.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::network::network_of;
use crate::{domain::Error, measure::Limit};

/// How many failed logins are allowed.
#[derive(Clone, Copy, Debug)]
pub struct LoginSettings {
    /// How many logins may fail within [`Self::window`] from one address for one client_id. Ten times
    /// as many may fail from one address in all.
    pub failed_logins: u32,
    /// Over what time failed logins are counted.
    pub window: Duration,
}

/// From where a login comes, and as whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    from: Option<IpAddr>,
    claims: Claim,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Claim {
    Operator,
    Client(String),
    NetEase(String),
    /// Stands for all logins from the address.
    Anybody,
}

impl Login {
    /// Somebody who shows an operator's token.
    #[must_use]
    pub fn operator(from: Option<IpAddr>) -> Self {
        Self { from: from.map(network_of), claims: Claim::Operator }
    }

    /// Somebody who shows a client_id and a client_secret.
    #[must_use]
    pub fn client(from: Option<IpAddr>, client_id: &str) -> Self {
        Self { from: from.map(network_of), claims: Claim::Client(client_id.to_owned()) }
    }

    /// Somebody who calls with a NetEase AppKey and a CheckSum.
    #[must_use]
    pub fn netease(from: Option<IpAddr>, app_key: &str) -> Self {
        Self { from: from.map(network_of), claims: Claim::NetEase(app_key.to_owned()) }
    }
}

/// The logins of one kind within a window.
struct Tries {
    first: Instant,
    failed: AtomicU32,
    allowed: u32,
    /// A permit for each login that may still fail. Closed when none may.
    left: Arc<Semaphore>,
}

/// A login whose credentials may be looked at. Unless it fails it does not count.
pub(super) struct Attempt(Vec<(Arc<Tries>, OwnedSemaphorePermit)>);

/// Counts the failed logins.
pub struct LoginThrottle {
    settings: LoginSettings,
    tries: Cache<Login, Arc<Tries>>,
}

impl fmt::Debug for LoginThrottle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginThrottle").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl LoginThrottle {
    /// Starts without failures.
    #[must_use]
    pub fn new(settings: LoginSettings) -> Self {
        let tries = Cache::builder().max_capacity(100_000).time_to_live(settings.window).build();
        Self { settings, tries }
    }

    /// Begins a login, and refuses it after too many failures: the right guess is as slow as a wrong one.
    ///
    /// # Errors
    /// `LoginThrottled`.
    pub(super) async fn begin(&self, login: Login) -> Result<Attempt, Error> {
        let allowed = self.settings.failed_logins;
        let anybody = Login { from: login.from, claims: Claim::Anybody };
        // In this order, so that those who wait for their turn as one client hold up no other client.
        let own = self.try_one(login, allowed).await?;
        Ok(Attempt(vec![own, self.try_one(anybody, allowed.saturating_mul(10)).await?]))
    }

    /// Like [`Self::begin`], for credentials that come with every call: those of one app that fail keep no
    /// other app behind the same address from calling.
    ///
    /// # Errors
    /// `LoginThrottled`.
    pub(super) async fn begin_call(&self, login: Login) -> Result<Attempt, Error> {
        Ok(Attempt(vec![self.try_one(login, self.settings.failed_logins).await?]))
    }

    async fn try_one(
        &self,
        login: Login,
        allowed: u32,
    ) -> Result<(Arc<Tries>, OwnedSemaphorePermit), Error> {
        let tries = self.tries.get_with(login, || {
            let left = Arc::new(Semaphore::new(allowed as usize));
            Arc::new(Tries { first: Instant::now(), failed: AtomicU32::new(0), allowed, left })
        });
        match Arc::clone(&tries.left).acquire_owned().await {
            Ok(permit) => Ok((tries, permit)),
            Err(_closed) => {
                Limit::Logins.refused();
                let retry_after = self.settings.window.saturating_sub(tries.first.elapsed());
                Err(Error::LoginThrottled { retry_after })
            }
        }
    }
}

impl Attempt {
    /// Counts the login as failed.
    pub(super) fn fail(self) {
        for (tries, permit) in self.0 {
            permit.forget();
            if tries.failed.fetch_add(1, Ordering::AcqRel) + 1 >= tries.allowed {
                tries.left.close();
            }
        }
    }
}
