//! The settings, from flags, environment variables and a TOML file: a file and a struct for each component, which
//! also builds the settings of that component.
//!
//! A setting that can't be used is refused at the start, with its name and the reason: by clap, or by
//! [`ServeArgs::check`] if it contradicts another one or is a secret.

mod access;
mod admin;
mod callbacks;
mod database;
mod error;
mod file;
mod following;
mod limits;
mod listen;
mod listener;
mod log;
mod secrets;
mod traces;
mod values;

use clap::{Args, builder::BoolishValueParser};

pub use self::{
    access::AccessArgs,
    admin::AdminArgs,
    callbacks::CallbackArgs,
    database::{DatabaseArgs, PoolArgs},
    error::SettingError,
    file::{FileArgs, SettingsFile, SettingsFileError, nearest, settings},
    following::FollowingArgs,
    limits::LimitArgs,
    listen::ListenAddress,
    listener::ListenerArgs,
    log::{LogArgs, LogFormat},
    secrets::{CredentialsKeyArgs, secret_of},
    traces::{OtlpEndpoint, OtlpProtocol, TraceArgs},
    values::{log_filter, secret},
};
use crate::{
    domain::{Bounds, PageSizes},
    gate::GateSettings,
};

/// The settings of `befriend serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The listener.
    #[command(flatten)]
    pub listener: ListenerArgs,
    /// How the service uses the database.
    #[command(flatten)]
    pub pool: PoolArgs,
    /// Who may call.
    #[command(flatten)]
    pub access: AccessArgs,
    /// How much a call, and an app, may ask for.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How callers follow lists.
    #[command(flatten)]
    pub following: FollowingArgs,
    /// How events are delivered.
    #[command(flatten)]
    pub callbacks: CallbackArgs,
    /// The operator's listener.
    #[command(flatten)]
    pub admin: AdminArgs,
    /// What is logged, and how.
    #[command(flatten)]
    pub log: LogArgs,
    /// The traces that are exported.
    #[command(flatten)]
    pub traces: TraceArgs,

    /// Create a demo app with a few users at the start, and print commands to paste.
    ///
    /// On loopback addresses only. The variable takes true or false.
    #[arg(long, env = "BEFRIEND_DEMO", value_parser = BoolishValueParser::new(), help_heading = "Trying it")]
    pub demo: bool,

    /// Serve for one run of tests: on a database that is thrown away at the end, and with an app made ready.
    ///
    /// Prints one line of JSON with the address, the operator's token and the app's credentials. Ends with the
    /// process that started it, however that ends, and when standard input ends, if it is a pipe. Listens on a
    /// free port of 127.0.0.1 unless --listen is given. With --database-url the database is made on that
    /// server, and dropped at the end. The variable takes true or false.
    #[arg(long, env = "BEFRIEND_EPHEMERAL", value_parser = BoolishValueParser::new(), help_heading = "Trying it")]
    pub ephemeral: bool,
}

impl ServeArgs {
    /// Refuses settings that contradict each other, and weak or malformed secrets.
    ///
    /// # Errors
    /// [`SettingError`] with the setting's name.
    pub fn check(&self) -> Result<(), SettingError> {
        self.listener.check()?;
        self.pool.check()?;
        self.access.check()?;
        self.callbacks.check()?;
        error::require(
            !(self.ephemeral && self.demo),
            "--ephemeral",
            "makes an app of its own ready: leave out --demo",
        )?;
        error::require(
            self.pool.migrate || !self.ephemeral,
            "--ephemeral",
            "makes a new database: leave out --migrate false",
        )?;
        error::require(
            !self.demo || self.listener.listen.is_loopback(),
            "--demo",
            "creates an app with known users: --listen must be a loopback address",
        )
    }

    /// The settings of the gate.
    #[must_use]
    pub fn gate(&self) -> GateSettings {
        GateSettings { counted_apps: self.admin.counted_apps(), ..self.listener.gate() }
    }

    /// The bounds of requests and pages, which the settings of several components make up.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let sizes = |max: u16, default: i32| PageSizes {
            max: max.into(),
            default: default.min(max.into()),
        };
        let limits = &self.limits;
        Bounds {
            import_names: limits.max_import.into(),
            block_names: limits.max_block.into(),
            check_names: limits.max_check.into(),
            batch_users: limits.max_batch_users.into(),
            friend_pages: sizes(limits.max_page, 10),
            block_pages: sizes(limits.max_page, 50),
            user_pages: sizes(limits.max_user_page, 10),
            app_pages: sizes(limits.max_user_page, 50),
            audit_pages: sizes(limits.max_user_page, 50),
            operator_token_pages: sizes(limits.max_user_page, 50),
            sync_pages: sizes(self.following.max_sync_page, 100),
            request_pages: sizes(limits.max_page, 10),
            pending_requests: limits.max_pending_requests.into(),
            callback_rules: self.callbacks.max_callback_rules.into(),
            event_pages: sizes(limits.max_user_page, 10),
            newest_blocks: limits.newest_blocks.get().into(),
        }
    }
}
