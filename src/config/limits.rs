//! Settings of limits: rates, and bounds of requests and pages.

use std::{num::NonZeroU32, time::Duration};

use clap::{Args, value_parser};

use super::values::burst;
use crate::{domain::parse_duration, ops::access::rate_limits::RateSettings};

/// How much a call, and an app, may ask for.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How many calls of one operation may come at once, in seconds' worth of the app's rate.
    ///
    /// With 1, an app with 100 requests_per_second can make 100 calls in the same moment.
    #[arg(long, env = "BEFRIEND_RATE_BURST", value_name = "SECONDS", default_value = "1", value_parser = burst)]
    rate_burst: f64,

    /// How many instances share the calls: each one allows its share of an app's rate.
    #[arg(long, env = "BEFRIEND_INSTANCES", value_name = "N", default_value = "1")]
    instances: NonZeroU32,

    /// The largest number of names in an ImportFriends.
    #[arg(long, env = "BEFRIEND_MAX_IMPORT", value_name = "N", default_value = "10", value_parser = value_parser!(u16).range(1..=500))]
    pub(super) max_import: u16,

    /// The largest number of names in a BlockUsers.
    #[arg(long, env = "BEFRIEND_MAX_BLOCK", value_name = "N", default_value = "500", value_parser = value_parser!(u16).range(1..=5000))]
    pub(super) max_block: u16,

    /// The largest number of other users in a CheckRelations.
    #[arg(long, env = "BEFRIEND_MAX_CHECK", value_name = "N", default_value = "100", value_parser = value_parser!(u16).range(1..=5000))]
    pub(super) max_check: u16,

    /// The largest number of users in a BatchCreateUsers.
    #[arg(long, env = "BEFRIEND_MAX_BATCH_USERS", value_name = "N", default_value = "60", value_parser = value_parser!(u16).range(1..=5000))]
    pub(super) max_batch_users: u16,

    /// The largest page of friends or blocked users.
    #[arg(long, env = "BEFRIEND_MAX_PAGE", value_name = "N", default_value = "50", value_parser = value_parser!(u16).range(1..=5000))]
    pub(super) max_page: u16,

    /// The largest page of users or apps.
    #[arg(long, env = "BEFRIEND_MAX_USER_PAGE", value_name = "N", default_value = "100", value_parser = value_parser!(u16).range(1..=5000))]
    pub(super) max_user_page: u16,

    /// The largest number of names that ListAllBlockedUsers returns.
    #[arg(long, env = "BEFRIEND_NEWEST_BLOCKS", value_name = "N", default_value = "500")]
    pub(super) newest_blocks: NonZeroU32,

    /// The largest number of pending friend requests of a user, received and sent each.
    #[arg(long, env = "BEFRIEND_MAX_PENDING_REQUESTS", value_name = "N", default_value = "500", value_parser = value_parser!(u16).range(1..))]
    pub(super) max_pending_requests: u16,

    /// How long a friend request stays pending; 0s: it never expires.
    #[arg(long, env = "BEFRIEND_REQUEST_EXPIRY", value_name = "TIME", default_value = "30d", value_parser = parse_duration)]
    request_expiry: Duration,
}

impl LimitArgs {
    /// How rates are applied.
    #[must_use]
    pub fn rates(&self) -> RateSettings {
        RateSettings { burst_seconds: self.rate_burst, instances: self.instances }
    }

    /// How long a friend request stays pending; `None`: it never expires.
    #[must_use]
    pub fn request_lifetime(&self) -> Option<time::Duration> {
        let lifetime = self.request_expiry.try_into().expect("a setting is at most 366 days");
        Some(lifetime).filter(|lifetime: &time::Duration| !lifetime.is_zero())
    }
}
