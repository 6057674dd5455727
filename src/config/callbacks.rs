//! Settings of callbacks: whether, when, and where to events are delivered.

use std::{num::NonZeroUsize, time::Duration};

use clap::{ArgAction, Args, builder::BoolishValueParser, value_parser};

use super::{
    error::{SettingError, require},
    values::positive_duration,
};
use crate::delivery::{DispatcherSettings, Schedule, WebhookSettings};

/// How events are delivered.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Callbacks")]
pub struct CallbackArgs {
    /// Deliver callbacks from this instance.
    ///
    /// The instances that do share the events; each event is delivered by one of them.
    #[arg(long, env = "BEFRIEND_DELIVER", value_name = "BOOL", default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub deliver: bool,

    /// The waits between the attempts to deliver an event. After the last attempt the event has failed.
    #[arg(
        long,
        env = "BEFRIEND_CALLBACK_SCHEDULE",
        value_name = "TIMES",
        default_value = "5s,30s,5m,30m,2h,5h,10h,14h,20h,24h"
    )]
    callback_schedule: Schedule,

    /// How long one attempt may take.
    #[arg(long, env = "BEFRIEND_CALLBACK_TIMEOUT", value_name = "TIME", default_value = "15s", value_parser = positive_duration)]
    callback_timeout: Duration,

    /// For how many users at once events of one callback rule are sent.
    #[arg(long, env = "BEFRIEND_CALLBACK_PER_RULE", value_name = "N", default_value = "32")]
    callback_per_rule: NonZeroUsize,

    /// For how many users at once events of all callback rules together are sent.
    #[arg(long, env = "BEFRIEND_CALLBACK_TOTAL", value_name = "N", default_value = "512")]
    callback_total: NonZeroUsize,

    /// How long an instance keeps its share of the events without renewing its lease.
    ///
    /// When an instance fails, other instances take its share over after this time.
    #[arg(long, env = "BEFRIEND_CALLBACK_LEASE", value_name = "TIME", default_value = "9s", value_parser = positive_duration)]
    callback_lease: Duration,

    /// How often to look for events that other instances wrote.
    ///
    /// Events of this instance's own calls are sent at once.
    #[arg(long, env = "BEFRIEND_CALLBACK_POLL", value_name = "TIME", default_value = "200ms", value_parser = positive_duration)]
    callback_poll: Duration,

    /// Allow callbacks to loopback and private addresses [default: true with the private Postgres,
    /// else false].
    #[arg(long, env = "BEFRIEND_CALLBACK_ALLOW_PRIVATE", value_name = "BOOL", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    callback_allow_private: Option<bool>,

    /// How long delivered and failed events are kept, in whole days.
    #[arg(long, env = "BEFRIEND_EVENT_RETENTION", value_name = "TIME", default_value = "7d", value_parser = positive_duration)]
    event_retention: Duration,

    /// The largest number of callback rules of an app.
    #[arg(long, env = "BEFRIEND_MAX_CALLBACK_RULES", value_name = "N", default_value = "4", value_parser = value_parser!(u16).range(1..=100))]
    pub(super) max_callback_rules: u16,
}

impl CallbackArgs {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        let day = Duration::from_hours(24);
        require(self.event_retention >= day, "--event-retention", "must be at least 1d")?;
        let second = Duration::from_secs(1);
        require(self.callback_lease >= second, "--callback-lease", "must be at least 1s")
    }

    /// How long delivered and failed events are kept.
    #[must_use]
    pub fn event_retention(&self) -> time::Duration {
        self.event_retention.try_into().expect("a setting is at most 366 days")
    }

    /// The settings of the webhook client; `allow_private` is the default of
    /// `--callback-allow-private`.
    #[must_use]
    pub fn webhook(&self, allow_private: bool) -> WebhookSettings {
        WebhookSettings {
            timeout: self.callback_timeout,
            allow_private: self.callback_allow_private.unwrap_or(allow_private),
        }
    }

    /// The largest number of connections to receivers.
    #[must_use]
    pub fn connections(&self) -> usize {
        if self.deliver { self.callback_total.get() } else { 0 }
    }

    /// The settings of the dispatcher.
    #[must_use]
    pub fn dispatcher(&self) -> DispatcherSettings {
        DispatcherSettings {
            schedule: self.callback_schedule.clone(),
            streams_per_rule: self.callback_per_rule.get(),
            max_streams: self.callback_total.get(),
            lease: self.callback_lease,
            poll: self.callback_poll,
        }
    }
}
