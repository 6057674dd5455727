//! The settings, from flags and environment variables.
//!
//! A setting that can't be read is refused at the start with its name and the reason; clap does that
//! for single settings, [`ServeArgs::check`] for those that must fit each other.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum, builder::BoolishValueParser};

use crate::{
    delivery::Schedule,
    domain::{Secret, TokenLifetimes},
};

mod parts;
mod values;

pub use values::{Shown, any_duration, secret};
use values::{burst, duration, log_filter};

/// Where the data is: shared by all commands.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The Postgres to use, as postgres://user:password@host:port/database.
    ///
    /// Version 15 or newer. Without this setting befriend runs a private Postgres in the data folder,
    /// from the server programs that are installed on this machine.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,

    /// The folder of the private Postgres [default: /var/lib/befriend or your own data folder].
    ///
    /// /var/lib/befriend is for root; others have befriend in ~/.local/share (or $XDG_DATA_HOME), on
    /// macOS in ~/Library/Application Support.
    #[arg(long, env = "BEFRIEND_DATA_DIR", value_name = "FOLDER", global = true)]
    pub data_dir: Option<PathBuf>,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// The settings of `befriend serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where to listen.
    #[arg(
        long,
        env = "BEFRIEND_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:50051",
        help_heading = "Listener"
    )]
    pub listen: SocketAddr,

    /// The server's certificate chain (PEM), for TLS; goes with --tls-key.
    #[arg(
        long,
        env = "BEFRIEND_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Listener"
    )]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert (PEM).
    #[arg(
        long,
        env = "BEFRIEND_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Listener"
    )]
    pub tls_key: Option<PathBuf>,

    /// Take only clients whose certificate one of these authorities (PEM) has signed.
    #[arg(
        long,
        env = "BEFRIEND_TLS_CLIENT_CA",
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Listener"
    )]
    pub tls_client_ca: Option<PathBuf>,

    /// Answer reflection, by which tools such as grpcurl learn all services and messages.
    #[arg(long, env = "BEFRIEND_REFLECTION", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Listener")]
    pub reflection: bool,

    /// The largest request message that is taken.
    #[arg(
        long,
        env = "BEFRIEND_MAX_MESSAGE",
        value_name = "BYTES",
        default_value = "1048576",
        help_heading = "Listener"
    )]
    pub max_message: NonZeroUsize,

    /// How many calls may be under way at once; more are refused as UNAVAILABLE.
    #[arg(
        long,
        env = "BEFRIEND_MAX_IN_FLIGHT",
        value_name = "N",
        default_value = "1024",
        help_heading = "Listener"
    )]
    pub max_in_flight: NonZeroUsize,

    /// How many calls one connection may have under way at once.
    #[arg(
        long,
        env = "BEFRIEND_MAX_STREAMS",
        value_name = "N",
        default_value = "256",
        help_heading = "Listener"
    )]
    pub max_streams: NonZeroU32,

    /// How often to ask a silent connection whether it is still there.
    #[arg(long, env = "BEFRIEND_KEEPALIVE", value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Listener")]
    pub keepalive: Shown<Duration>,

    /// How long a call may take; a caller's own deadline can only shorten it.
    #[arg(long, env = "BEFRIEND_MAX_DURATION", value_name = "TIME", default_value = "15s", value_parser = duration, help_heading = "Listener")]
    pub max_duration: Shown<Duration>,

    /// How long calls under way may take to finish at shutdown.
    #[arg(long, env = "BEFRIEND_SHUTDOWN_TIMEOUT", value_name = "TIME", default_value = "20s", value_parser = duration, help_heading = "Listener")]
    pub shutdown_timeout: Shown<Duration>,

    /// How long to go on serving at shutdown after the health check says NOT_SERVING.
    ///
    /// Give load balancers the time to notice, so that no call is refused.
    #[arg(long, env = "BEFRIEND_DRAIN", value_name = "TIME", default_value = "0s", value_parser = any_duration, help_heading = "Listener")]
    pub drain: Shown<Duration>,

    /// Bring the database's schema up to date at the start; false refuses to start on an old one.
    #[arg(long, env = "BEFRIEND_MIGRATE", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Database")]
    pub migrate: bool,

    /// How long to wait at the start for a database that does not answer yet.
    #[arg(long, env = "BEFRIEND_DB_WAIT", value_name = "TIME", default_value = "30s", value_parser = any_duration, help_heading = "Database")]
    pub db_wait: Shown<Duration>,

    /// How many connections to the database to open at the most.
    #[arg(
        long,
        env = "BEFRIEND_DB_CONNECTIONS",
        value_name = "N",
        default_value = "20",
        help_heading = "Database"
    )]
    pub db_connections: NonZeroU32,

    /// How many connections to the database to keep open when idle.
    #[arg(
        long,
        env = "BEFRIEND_DB_MIN_CONNECTIONS",
        value_name = "N",
        default_value = "2",
        help_heading = "Database"
    )]
    pub db_min_connections: u32,

    /// How long a call waits for a free connection to the database.
    #[arg(long, env = "BEFRIEND_DB_ACQUIRE_TIMEOUT", value_name = "TIME", default_value = "3s", value_parser = duration, help_heading = "Database")]
    pub db_acquire_timeout: Shown<Duration>,

    /// How long one statement may run.
    #[arg(long, env = "BEFRIEND_DB_STATEMENT_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Database")]
    pub db_statement_timeout: Shown<Duration>,

    /// How long one statement may wait for a row that another call is changing.
    #[arg(long, env = "BEFRIEND_DB_LOCK_TIMEOUT", value_name = "TIME", default_value = "3s", value_parser = duration, help_heading = "Database")]
    pub db_lock_timeout: Shown<Duration>,

    /// The operator's token, for AppService: at least 32 characters.
    ///
    /// Without one AppService refuses every call; but with the private Postgres befriend makes one,
    /// keeps it in the data folder and shows it at the start.
    #[arg(long, env = "BEFRIEND_OPERATOR_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret, help_heading = "Access")]
    pub operator_token: Option<Secret>,

    /// The key that seals NetEase AppSecrets in the database: 32 bytes in base64, as `openssl rand
    /// -base64 32` prints them.
    ///
    /// Without one no app can have an AppSecret; but with the private Postgres befriend makes one and
    /// keeps it in the data folder. To change keys, give several, separated by commas: the first one
    /// seals, all of them open.
    #[arg(long, env = "BEFRIEND_CREDENTIALS_KEY", value_name = "KEYS", hide_env_values = true, value_parser = secret, help_heading = "Access")]
    pub credentials_key: Option<Secret>,

    /// How long an app token lives when no time is asked for.
    #[arg(long, env = "BEFRIEND_TOKEN_TTL", value_name = "TIME", default_value = "1d", value_parser = duration, help_heading = "Access")]
    pub token_ttl: Shown<Duration>,

    /// The longest life of an app token that can be asked for.
    #[arg(long, env = "BEFRIEND_MAX_TOKEN_TTL", value_name = "TIME", default_value = "60d", value_parser = duration, help_heading = "Access")]
    pub max_token_ttl: Shown<Duration>,

    /// How long a token is taken without asking the database again.
    ///
    /// So late an instance notices that another one revoked the token or changed its app's limits.
    #[arg(long, env = "BEFRIEND_TOKEN_CACHE", value_name = "TIME", default_value = "5s", value_parser = duration, help_heading = "Access")]
    pub token_cache: Shown<Duration>,

    /// How many logins may fail in a minute from one address for one client_id.
    #[arg(
        long,
        env = "BEFRIEND_FAILED_LOGINS",
        value_name = "N",
        default_value = "10",
        help_heading = "Access"
    )]
    pub failed_logins: NonZeroU32,

    /// For how long the NetEase surface refuses an app that went over its rate; 0s for not at all.
    #[arg(long, env = "BEFRIEND_NETEASE_PENALTY", value_name = "TIME", default_value = "10s", value_parser = any_duration, help_heading = "Limits")]
    pub netease_penalty: Shown<Duration>,

    /// Refuse a NetEase CheckSum that this instance has taken before.
    ///
    /// Each is valid for five minutes. Needs clients that make a new Nonce for every call, repeated
    /// ones included.
    #[arg(long, env = "BEFRIEND_NETEASE_REFUSE_REPLAYS", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Access")]
    pub netease_refuse_replays: bool,

    /// How many calls of one operation may come at once, in seconds' worth of the app's rate.
    ///
    /// 1 lets an app with 100 requests_per_second make 100 calls in the same moment.
    #[arg(long, env = "BEFRIEND_RATE_BURST", value_name = "SECONDS", default_value = "1", value_parser = burst, help_heading = "Limits")]
    pub rate_burst: f64,

    /// How many instances share the calls: each allows its share of an app's rate.
    #[arg(
        long,
        env = "BEFRIEND_INSTANCES",
        value_name = "N",
        default_value = "1",
        help_heading = "Limits"
    )]
    pub instances: NonZeroU32,

    /// How many names one ImportFriends may carry.
    #[arg(long, env = "BEFRIEND_MAX_IMPORT", value_name = "N", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=500), help_heading = "Limits")]
    pub max_import: u16,

    /// How many names one BlockUsers may carry.
    #[arg(long, env = "BEFRIEND_MAX_BLOCK", value_name = "N", default_value = "500", value_parser = clap::value_parser!(u16).range(1..=5000), help_heading = "Limits")]
    pub max_block: u16,

    /// How many others one CheckRelations may ask about.
    #[arg(long, env = "BEFRIEND_MAX_CHECK", value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..=5000), help_heading = "Limits")]
    pub max_check: u16,

    /// How many users one BatchCreateUsers may carry.
    #[arg(long, env = "BEFRIEND_MAX_BATCH_USERS", value_name = "N", default_value = "60", value_parser = clap::value_parser!(u16).range(1..=5000), help_heading = "Limits")]
    pub max_batch_users: u16,

    /// The largest page of friends or blocked users.
    #[arg(long, env = "BEFRIEND_MAX_PAGE", value_name = "N", default_value = "50", value_parser = clap::value_parser!(u16).range(1..=5000), help_heading = "Limits")]
    pub max_page: u16,

    /// The largest page of users or apps.
    #[arg(long, env = "BEFRIEND_MAX_USER_PAGE", value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..=5000), help_heading = "Limits")]
    pub max_user_page: u16,

    /// How many names ListAllBlockedUsers returns at the most.
    #[arg(
        long,
        env = "BEFRIEND_NEWEST_BLOCKS",
        value_name = "N",
        default_value = "500",
        help_heading = "Limits"
    )]
    pub newest_blocks: NonZeroU32,

    /// Friend requests that a user can have pending, got and sent each.
    #[arg(long, env = "BEFRIEND_MAX_PENDING_REQUESTS", value_name = "N", default_value = "500", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    pub max_pending_requests: u16,

    /// How long a friend request waits for its answer; 0s for ever.
    #[arg(long, env = "BEFRIEND_REQUEST_EXPIRY", value_name = "TIME", default_value = "30d", value_parser = any_duration, help_heading = "Limits")]
    pub request_expiry: Shown<Duration>,

    /// The largest page of SyncFriends and SyncBlocks.
    #[arg(long, env = "BEFRIEND_MAX_SYNC_PAGE", value_name = "N", default_value = "500", value_parser = clap::value_parser!(u16).range(1..=5000), help_heading = "Following lists")]
    pub max_sync_page: u16,

    /// How long removed entries and ended friend requests are remembered. Who follows a list and was
    /// away for longer gets the whole list anew.
    #[arg(long, env = "BEFRIEND_TOMBSTONE_RETENTION", value_name = "TIME", default_value = "30d", value_parser = duration, help_heading = "Following lists")]
    pub tombstone_retention: Shown<Duration>,

    /// How many may watch lists of this instance at once.
    #[arg(
        long,
        env = "BEFRIEND_MAX_WATCHERS",
        value_name = "N",
        default_value = "10000",
        help_heading = "Following lists"
    )]
    pub max_watchers: NonZeroUsize,

    /// How often to look for changes of watched lists made by other instances; this instance's own
    /// are seen at once.
    #[arg(long, env = "BEFRIEND_WATCH_POLL", value_name = "TIME", default_value = "250ms", value_parser = duration, help_heading = "Following lists")]
    pub watch_poll: Shown<Duration>,

    /// How long a watcher may take to read a message before its stream ends.
    #[arg(long, env = "BEFRIEND_WATCH_PATIENCE", value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Following lists")]
    pub watch_patience: Shown<Duration>,

    /// After how long a watcher's stream ends, so that the watcher shows its token again.
    #[arg(long, env = "BEFRIEND_WATCH_LONGEST", value_name = "TIME", default_value = "1h", value_parser = duration, help_heading = "Following lists")]
    pub watch_longest: Shown<Duration>,

    /// Deliver callbacks from this instance. Each event is delivered by one of the instances that do.
    #[arg(long, env = "BEFRIEND_DELIVER", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Callbacks")]
    pub deliver: bool,

    /// How long to wait between the tries to deliver an event; after the last one it has failed.
    #[arg(
        long,
        env = "BEFRIEND_CALLBACK_SCHEDULE",
        value_name = "TIMES",
        default_value = "5s,30s,5m,30m,2h,5h,10h,14h,20h,24h",
        help_heading = "Callbacks"
    )]
    pub callback_schedule: Schedule,

    /// How long one try may take.
    #[arg(long, env = "BEFRIEND_CALLBACK_TIMEOUT", value_name = "TIME", default_value = "15s", value_parser = duration, help_heading = "Callbacks")]
    pub callback_timeout: Shown<Duration>,

    /// How many users' events go to one receiver at once.
    #[arg(
        long,
        env = "BEFRIEND_CALLBACK_PER_RULE",
        value_name = "N",
        default_value = "32",
        help_heading = "Callbacks"
    )]
    pub callback_per_rule: NonZeroUsize,

    /// How many users' events go out at once in all.
    #[arg(
        long,
        env = "BEFRIEND_CALLBACK_IN_ALL",
        value_name = "N",
        default_value = "512",
        help_heading = "Callbacks"
    )]
    pub callback_in_all: NonZeroUsize,

    /// How long an instance holds its share of the outbox without a sign of life: so late another one
    /// takes over.
    #[arg(long, env = "BEFRIEND_CALLBACK_LEASE", value_name = "TIME", default_value = "9s", value_parser = duration, help_heading = "Callbacks")]
    pub callback_lease: Shown<Duration>,

    /// How often to look for events unasked; new ones of this instance's own calls are seen at once.
    #[arg(long, env = "BEFRIEND_CALLBACK_POLL", value_name = "TIME", default_value = "200ms", value_parser = duration, help_heading = "Callbacks")]
    pub callback_poll: Shown<Duration>,

    /// Let callbacks go to loopback and private addresses [default: true with the private Postgres,
    /// else false].
    #[arg(long, env = "BEFRIEND_CALLBACK_ALLOW_PRIVATE", value_name = "BOOL", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new(), help_heading = "Callbacks")]
    pub callback_allow_private: Option<bool>,

    /// How long delivered and failed events are kept, in whole days.
    #[arg(long, env = "BEFRIEND_EVENT_RETENTION", value_name = "TIME", default_value = "7d", value_parser = duration, help_heading = "Callbacks")]
    pub event_retention: Shown<Duration>,

    /// Callback rules that an app can have.
    #[arg(long, env = "BEFRIEND_MAX_CALLBACK_RULES", value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=100), help_heading = "Callbacks")]
    pub max_callback_rules: u16,

    /// The form of the log.
    #[arg(long, env = "BEFRIEND_LOG_FORMAT", value_enum, value_name = "FORM", default_value_t = LogFormat::Text, help_heading = "Log")]
    pub log_format: LogFormat,

    /// What to log: a level, or levels by module, as "info,befriend::ops=debug".
    #[arg(long, env = "BEFRIEND_LOG", value_name = "FILTER", default_value = "info", value_parser = log_filter, help_heading = "Log")]
    pub log: String,

    /// Make a demo app with a few users at the start, and print commands to paste.
    ///
    /// On loopback addresses only. The variable takes true or false.
    #[arg(long, env = "BEFRIEND_DEMO", value_parser = BoolishValueParser::new(), help_heading = "Trying it")]
    pub demo: bool,
}

/// Settings that do not fit each other, or one that must not be shown.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct SettingError {
    setting: &'static str,
    why: String,
}

impl ServeArgs {
    /// Refuses settings that do not fit each other, and secrets that are too weak.
    ///
    /// # Errors
    /// [`SettingError`] with the setting's name.
    pub fn check(&self) -> Result<(), SettingError> {
        let refuse = |setting, why: String| Err(SettingError { setting, why });
        if self.db_min_connections > self.db_connections.get() {
            return refuse(
                "--db-min-connections",
                format!("must not be above --db-connections ({})", self.db_connections),
            );
        }
        if self.token_ttl.0 > self.max_token_ttl.0 {
            return refuse(
                "--token-ttl",
                format!("must not be above --max-token-ttl ({})", self.max_token_ttl),
            );
        }
        if self.event_retention.0 < Duration::from_secs(86_400) {
            return refuse("--event-retention", "must be at least 1d".to_owned());
        }
        if self.callback_lease.0 < Duration::from_secs(1) {
            return refuse("--callback-lease", "must be at least 1s".to_owned());
        }
        if self.token_ttl.0 < TokenLifetimes::MIN {
            return refuse("--token-ttl", "must be at least 1m".to_owned());
        }
        if let Some(token) = self.operator_token.as_ref().map(Secret::reveal)
            && (token.len() < 32 || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            return refuse(
                "--operator-token",
                "must be at least 32 visible ASCII characters without spaces".to_owned(),
            );
        }
        if self.keyring().is_none() {
            return refuse(
                "--credentials-key",
                "must be 32 bytes in base64, as `openssl rand -base64 32` prints them; several are \
                 separated by commas"
                    .to_owned(),
            );
        }
        if self.demo && !self.listen.ip().is_loopback() {
            return refuse(
                "--demo",
                "is for trying things on this machine: --listen must be a loopback address"
                    .to_owned(),
            );
        }
        Ok(())
    }
}
