//! What each part of the service makes of the settings.

use std::time::Duration;

use super::ServeArgs;
use crate::{
    delivery::{DispatcherSettings, WebhookSettings},
    domain::{Bounds, Keyring, PageSizes, TokenLifetimes},
    gate::GateSettings,
    http::NetEaseSettings,
    ops::{
        access::{login_throttle::LoginSettings, rate_limits::RateSettings},
        watch::registry::WatchSettings,
    },
    store::DbSettings,
};

impl ServeArgs {
    /// How to use the database.
    #[must_use]
    pub fn db(&self) -> DbSettings {
        DbSettings {
            max_connections: self.db_connections.get(),
            min_connections: self.db_min_connections,
            acquire_timeout: self.db_acquire_timeout.0,
            statement_timeout: self.db_statement_timeout.0,
            lock_timeout: self.db_lock_timeout.0,
        }
    }

    /// The bounds of requests.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let sizes = |max: u16, default: i32| PageSizes {
            max: max.into(),
            default: default.min(max.into()),
        };
        Bounds {
            import_names: self.max_import.into(),
            block_names: self.max_block.into(),
            check_names: self.max_check.into(),
            batch_users: self.max_batch_users.into(),
            friend_pages: sizes(self.max_page, 10),
            block_pages: sizes(self.max_page, 50),
            user_pages: sizes(self.max_user_page, 10),
            app_pages: sizes(self.max_user_page, 50),
            sync_pages: sizes(self.max_sync_page, 100),
            request_pages: sizes(self.max_page, 10),
            pending_requests: self.max_pending_requests.into(),
            callback_rules: self.max_callback_rules.into(),
            event_pages: sizes(self.max_user_page, 10),
            newest_blocks: self.newest_blocks.get().into(),
        }
    }

    /// How long delivered and failed events are kept.
    #[must_use]
    pub fn event_retention(&self) -> time::Duration {
        self.event_retention.0.try_into().expect("a setting is at most 366 days")
    }

    /// How long removed entries are remembered for followers.
    #[must_use]
    pub fn tombstone_retention(&self) -> time::Duration {
        self.tombstone_retention.0.try_into().expect("a setting is at most 366 days")
    }

    /// How long a friend request waits; nothing for ever.
    #[must_use]
    pub fn request_life(&self) -> Option<time::Duration> {
        let life = self.request_expiry.0.try_into().expect("a setting is at most 366 days");
        Some(life).filter(|life: &time::Duration| !life.is_zero())
    }

    /// How watching works.
    #[must_use]
    pub fn watches(&self) -> WatchSettings {
        WatchSettings {
            max_watchers: self.max_watchers.get(),
            poll_interval: self.watch_poll.0,
            send_timeout: self.watch_patience.0,
            token_check_interval: self.token_cache.0,
            max_duration: self.watch_longest.0,
        }
    }

    /// How long tokens live.
    #[must_use]
    pub fn lifetimes(&self) -> TokenLifetimes {
        TokenLifetimes { default: self.token_ttl.0, max: self.max_token_ttl.0 }
    }

    /// How many failed logins are allowed.
    #[must_use]
    pub fn logins(&self) -> LoginSettings {
        LoginSettings { failed_logins: self.failed_logins.get(), window: Duration::from_secs(60) }
    }

    /// What seals secrets; nothing when the setting is no key.
    #[must_use]
    pub fn keyring(&self) -> Option<Keyring> {
        // Compose files can't leave a variable out, only empty.
        match &self.credentials_key {
            Some(keys) if !keys.reveal().is_empty() => Keyring::parse(keys),
            _ => Some(Keyring::default()),
        }
    }

    /// How NetEase's callers are checked.
    #[must_use]
    pub fn netease(&self) -> NetEaseSettings {
        NetEaseSettings {
            penalty: self.netease_penalty.0,
            refuse_replays: self.netease_refuse_replays,
        }
    }

    /// How rates are applied.
    #[must_use]
    pub fn rates(&self) -> RateSettings {
        RateSettings { burst_seconds: self.rate_burst, instances: self.instances }
    }

    /// How callbacks are sent; `development` is the default for private addresses.
    #[must_use]
    pub fn webhook(&self, development: bool) -> WebhookSettings {
        WebhookSettings {
            timeout: self.callback_timeout.0,
            allow_private: self.callback_allow_private.unwrap_or(development),
        }
    }

    /// How events are delivered.
    #[must_use]
    pub fn dispatcher(&self) -> DispatcherSettings {
        DispatcherSettings {
            schedule: self.callback_schedule.clone(),
            streams_per_rule: self.callback_per_rule.get(),
            max_streams: self.callback_in_all.get(),
            lease: self.callback_lease.0,
            poll: self.callback_poll.0,
        }
    }

    /// The bounds of the gate.
    #[must_use]
    pub fn gate(&self) -> GateSettings {
        GateSettings { max_duration: self.max_duration.0, max_in_flight: self.max_in_flight.get() }
    }
}
