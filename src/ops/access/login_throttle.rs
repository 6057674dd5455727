//! Slows down the guessing of credentials: after too many failed logins within a time, further logins are
//! refused.

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
use tokio::time::Instant;

use crate::domain::Error;

/// How many failed logins are allowed.
#[derive(Clone, Copy, Debug)]
pub struct LoginSettings {
    /// How many logins may fail within [`Self::window`] from one address for one client_id. Ten times
    /// as many may fail from one address in all.
    pub failed_logins: u32,
    /// Over what time failed logins are counted.
    pub window: Duration,
}

/// From where a login comes, and for which client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// The address of the connection, where it has one.
    pub from: Option<IpAddr>,
    /// The client_id; `None` stands for the operator.
    pub client_id: Option<String>,
}

impl Login {
    /// The key under which all logins from the address are counted.
    fn any_client(&self) -> Self {
        Self { from: self.from, client_id: Some(String::new()) }
    }
}

struct Failures {
    first: Instant,
    count: AtomicU32,
}

/// Counts the failed logins.
pub struct LoginThrottle {
    settings: LoginSettings,
    failures: Cache<Login, Arc<Failures>>,
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
        let failures = Cache::builder().max_capacity(100_000).time_to_live(settings.window).build();
        Self { settings, failures }
    }

    /// Refuses a login after too many failures. Called before the credentials are compared, so that
    /// the right guess is as slow as a wrong one.
    pub(super) fn check(&self, login: &Login) -> Result<(), Error> {
        let allowed = self.settings.failed_logins;
        self.check_count(login, allowed)?;
        self.check_count(&login.any_client(), allowed.saturating_mul(10))
    }

    fn check_count(&self, login: &Login, allowed: u32) -> Result<(), Error> {
        match self.failures.get(login) {
            Some(failures) if failures.count.load(Ordering::Relaxed) >= allowed => {
                let elapsed = failures.first.elapsed();
                let retry_after = self.settings.window.saturating_sub(elapsed);
                Err(Error::LoginThrottled { retry_after })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failed login.
    pub(super) fn record_failure(&self, login: Login) {
        for login in [login.any_client(), login] {
            let failures = self.failures.get_with(login, || {
                Arc::new(Failures { first: Instant::now(), count: AtomicU32::new(0) })
            });
            failures.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
