//! Settings of following lists: synchronization and watching.

use std::{num::NonZeroUsize, time::Duration};

use clap::{Args, value_parser};

use super::values::positive_duration;
use crate::ops::watch::registry::WatchSettings;

/// How many watchers an instance has unless a setting says otherwise.
const DEFAULT_WATCHERS: usize = 10_000;

/// How callers follow lists.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Following lists")]
pub struct FollowingArgs {
    /// The largest page of SyncFriends and SyncBlocks.
    #[arg(long, env = "BEFRIEND_MAX_SYNC_PAGE", value_name = "N", default_value = "500", value_parser = value_parser!(u16).range(1..=5000))]
    pub(super) max_sync_page: u16,

    /// How long removed entries and ended friend requests are remembered.
    ///
    /// A follower of a list who was away for longer gets the whole list again.
    #[arg(long, env = "BEFRIEND_TOMBSTONE_RETENTION", value_name = "TIME", default_value = "30d", value_parser = positive_duration)]
    tombstone_retention: Duration,

    /// The largest number of watchers of this instance [default: 10000, or what fits on its connections].
    ///
    /// A connection carries --max-streams of them.
    #[arg(long, env = "BEFRIEND_MAX_WATCHERS", value_name = "N")]
    max_watchers: Option<NonZeroUsize>,

    /// How often to look for changes that other instances made to watched lists.
    ///
    /// Watchers see the changes of their own instance at once.
    #[arg(long, env = "BEFRIEND_WATCH_POLL", value_name = "TIME", default_value = "250ms", value_parser = positive_duration)]
    watch_poll: Duration,

    /// How long a watcher may take to read a message before the stream ends.
    #[arg(long, env = "BEFRIEND_WATCH_SEND_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    watch_send_timeout: Duration,

    /// How long a watcher's stream may last. After that the watcher presents its token again.
    #[arg(long, env = "BEFRIEND_WATCH_MAX_DURATION", value_name = "TIME", default_value = "1h", value_parser = positive_duration)]
    watch_max_duration: Duration,
}

impl FollowingArgs {
    /// How long removed entries are remembered.
    #[must_use]
    pub fn tombstone_retention(&self) -> time::Duration {
        self.tombstone_retention.try_into().expect("a setting is at most 366 days")
    }

    /// How many watchers there may be at once, where `fit` of them fit on the connections.
    #[must_use]
    pub fn max_watchers(&self, fit: usize) -> usize {
        self.max_watchers.map_or(DEFAULT_WATCHERS, NonZeroUsize::get).min(fit)
    }

    /// The settings of watching; a watcher's token is checked every `token_check_interval`.
    #[must_use]
    pub fn watches(&self, max_watchers: usize, token_check_interval: Duration) -> WatchSettings {
        WatchSettings {
            max_watchers,
            poll_interval: self.watch_poll,
            send_timeout: self.watch_send_timeout,
            token_check_interval,
            max_duration: self.watch_max_duration,
        }
    }
}
