//! How often an app may call: a number of calls a second, counted for each operation by itself, as both
//! vendors count.
//!
//! Each instance counts only its own calls. Where several instances share the load, each allows an even
//! share of the rate: see [`RateSettings::instances`].

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock as _};
use moka::sync::Cache;
use uuid::Uuid;

use crate::{
    domain::{App, Error},
    measure::Limit,
};

/// How rate limits are applied.
#[derive(Clone, Copy, Debug)]
pub struct RateSettings {
    /// How many calls may come in one burst, in seconds of the app's rate: 2.0 allows 200 at once where
    /// the app has 100 calls a second.
    pub burst_seconds: f64,
    /// Over how many instances an app's calls are spread evenly.
    pub instances: NonZeroU32,
}

/// Counts the calls of each app and operation.
pub struct RateLimits {
    settings: RateSettings,
    limiters: Cache<Key, Arc<DefaultDirectRateLimiter>>,
}

/// Calls with the same key are counted together. The rate is part of the key, so that a changed limit
/// starts a new count.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    app_id: Uuid,
    operation: &'static str,
    per_second: NonZeroU32,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl RateLimits {
    /// Starts counting.
    #[must_use]
    pub fn new(settings: RateSettings) -> Self {
        Self {
            settings,
            // After a minute without calls a limiter allows a full burst again, as a new one does, so the
            // cache may drop it.
            limiters: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_secs(60))
                .build(),
        }
    }

    /// Counts a call, and refuses it when the app has used up its rate.
    ///
    /// # Errors
    /// [`Error::RateLimited`], with the time after which one more call is allowed.
    pub fn check(&self, app: &App, operation: &'static str) -> Result<(), Error> {
        let allowed = u32::try_from(app.limits.requests_per_second).unwrap_or(1);
        let share = NonZeroU32::new(allowed.div_ceil(self.settings.instances.get()))
            .unwrap_or(NonZeroU32::MIN);
        let key = Key { app_id: app.id, operation, per_second: share };
        let limiter = self.limiters.get_with(key, || {
            Arc::new(RateLimiter::direct(Quota::per_second(share).allow_burst(self.burst(share))))
        });
        limiter.check().map_err(|until| {
            Limit::Rate.refused();
            Error::RateLimited {
                operation,
                per_second: allowed,
                retry_after: until.wait_time_from(limiter.clock().now()),
            }
        })
    }

    /// How many limiters there are, about.
    #[must_use]
    pub fn entries(&self) -> usize {
        usize::try_from(self.limiters.entry_count()).unwrap_or(usize::MAX)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates, which is what is wanted"
    )]
    fn burst(&self, share: NonZeroU32) -> NonZeroU32 {
        let calls = (f64::from(share.get()) * self.settings.burst_seconds).round();
        NonZeroU32::new(calls as u32).unwrap_or(NonZeroU32::MIN)
    }
}
