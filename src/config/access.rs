//! Settings of access: the root operator's token, the audit, app tokens, logins, and the credentials of NetEase's API.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, builder::BoolishValueParser};

use super::{
    error::{SettingError, require},
    secrets::{CredentialsKeyArgs, secret_of},
    values::{positive_duration, secret},
};
use crate::{
    domain::{Secret, TokenLifetimes, parse_duration, render_duration},
    http::NetEaseSettings,
    ops::access::login_throttle::LoginSettings,
};

/// The shortest operator token, in characters.
const MIN_OPERATOR_TOKEN: usize = 32;

/// The time over which failed logins are counted.
const LOGIN_WINDOW: Duration = Duration::from_secs(60);

/// Who may call.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Access")]
pub struct AccessArgs {
    /// The root operator's token, which may do everything: at least 32 characters.
    ///
    /// Without it only the operators whose tokens `befriend operator create` has made can call the services
    /// for operators. With the private Postgres befriend generates one, keeps it in the data folder and
    /// prints it at the start.
    #[arg(long, env = "BEFRIEND_OPERATOR_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret)]
    operator_token: Option<Secret>,

    /// A file that holds --operator-token.
    #[arg(long, env = "BEFRIEND_OPERATOR_TOKEN_FILE", value_name = "FILE")]
    operator_token_file: Option<PathBuf>,

    /// The key that encrypts secrets.
    #[command(flatten)]
    pub credentials_key: CredentialsKeyArgs,

    /// How long an app token lives when its request names no time.
    #[arg(long, env = "BEFRIEND_TOKEN_TTL", value_name = "TIME", default_value = "1d", value_parser = positive_duration)]
    token_ttl: Duration,

    /// The longest life that a request for an app token can name.
    #[arg(long, env = "BEFRIEND_MAX_TOKEN_TTL", value_name = "TIME", default_value = "60d", value_parser = positive_duration)]
    max_token_ttl: Duration,

    /// How long the records of who changed what are kept, in whole days; 0s: for ever.
    #[arg(long, env = "BEFRIEND_AUDIT_RETENTION", value_name = "TIME", default_value = "365d", value_parser = parse_duration)]
    audit_retention: Duration,

    /// How long a token is accepted without asking the database again.
    ///
    /// Other instances may honour a revoked token or old limits of an app for this long.
    #[arg(long, env = "BEFRIEND_TOKEN_CACHE", value_name = "TIME", default_value = "5s", value_parser = positive_duration)]
    pub token_cache: Duration,

    /// How many logins may fail in a minute from one address for one client_id.
    #[arg(long, env = "BEFRIEND_FAILED_LOGINS", value_name = "N", default_value = "10")]
    failed_logins: NonZeroU32,

    /// How long NetEase's API refuses an app that exceeded its rate; 0s: not at all.
    #[arg(long, env = "BEFRIEND_NETEASE_PENALTY", value_name = "TIME", default_value = "10s", value_parser = parse_duration, help_heading = "Limits")]
    netease_penalty: Duration,

    /// Refuse a NetEase CheckSum that this instance has accepted before.
    ///
    /// A CheckSum is valid for five minutes. Clients must make a new Nonce for every call, also when
    /// they repeat one.
    #[arg(long, env = "BEFRIEND_NETEASE_REFUSE_REPLAYS", value_name = "BOOL", default_value_t = false, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    netease_refuse_replays: bool,
}

impl AccessArgs {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        require(
            self.token_ttl <= self.max_token_ttl,
            "--token-ttl",
            format!("must not be above --max-token-ttl ({})", render_duration(self.max_token_ttl)),
        )?;
        require(self.token_ttl >= TokenLifetimes::MIN, "--token-ttl", "must be at least 1m")?;
        let day = Duration::from_hours(24);
        require(
            self.audit_retention.is_zero() || self.audit_retention >= day,
            "--audit-retention",
            "must be at least 1d, or 0s",
        )?;
        self.operator_token()?;
        self.credentials_key.keyring().map(drop)
    }

    /// The operator's token; `None` when the settings name none.
    ///
    /// # Errors
    /// When it can't be read, or is weak.
    pub fn operator_token(&self) -> Result<Option<Secret>, SettingError> {
        let (flag, file) = ("--operator-token", self.operator_token_file.as_deref());
        let token = secret_of(flag, self.operator_token.as_ref(), file)?;
        let strong = |token: &str| {
            token.len() >= MIN_OPERATOR_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let accepted = token.as_ref().is_none_or(|token| strong(token.reveal()));
        require(accepted, flag, "must be at least 32 visible ASCII characters without spaces")?;
        Ok(token)
    }

    /// How long tokens live.
    #[must_use]
    pub fn token_lifetimes(&self) -> TokenLifetimes {
        TokenLifetimes { default: self.token_ttl, max: self.max_token_ttl }
    }

    /// How long records of changes are kept; `None`: for ever.
    #[must_use]
    pub fn audit_retention(&self) -> Option<time::Duration> {
        let retention = self.audit_retention.try_into().expect("a setting is at most 366 days");
        Some(retention).filter(|retention: &time::Duration| !retention.is_zero())
    }

    /// How many failed logins are allowed.
    #[must_use]
    pub fn logins(&self) -> LoginSettings {
        LoginSettings { failed_logins: self.failed_logins.get(), window: LOGIN_WINDOW }
    }

    /// The settings of NetEase's API.
    #[must_use]
    pub fn netease(&self) -> NetEaseSettings {
        NetEaseSettings {
            penalty: self.netease_penalty,
            refuse_replays: self.netease_refuse_replays,
        }
    }
}
