//! Settings of access: the operator's token, app tokens, logins, and the credentials of NetEase's API.

use std::{num::NonZeroU32, time::Duration};

use clap::{ArgAction, Args, builder::BoolishValueParser};

use super::{
    error::{SettingError, require},
    values::{positive_duration, secret},
};
use crate::{
    domain::{Keyring, Secret, TokenLifetimes, parse_duration, render_duration},
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
    /// The operator's token, for AppService and CallbackRuleService: at least 32 characters.
    ///
    /// Without it the two services refuse every call. With the private Postgres befriend generates one,
    /// keeps it in the data folder and prints it at the start.
    #[arg(long, env = "BEFRIEND_OPERATOR_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret)]
    pub operator_token: Option<Secret>,

    /// The key that encrypts NetEase AppSecrets in the database: 32 bytes in base64, as `openssl rand
    /// -base64 32` prints them.
    ///
    /// Without it no app can have an AppSecret. With the private Postgres befriend generates one and
    /// keeps it in the data folder. To change the key, give several, separated by commas: the first
    /// encrypts, and all of them decrypt.
    #[arg(long, env = "BEFRIEND_CREDENTIALS_KEY", value_name = "KEYS", hide_env_values = true, value_parser = secret)]
    pub credentials_key: Option<Secret>,

    /// How long an app token lives when its request names no time.
    #[arg(long, env = "BEFRIEND_TOKEN_TTL", value_name = "TIME", default_value = "1d", value_parser = positive_duration)]
    token_ttl: Duration,

    /// The longest life that a request for an app token can name.
    #[arg(long, env = "BEFRIEND_MAX_TOKEN_TTL", value_name = "TIME", default_value = "60d", value_parser = positive_duration)]
    max_token_ttl: Duration,

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
        let strong = |token: &str| {
            token.len() >= MIN_OPERATOR_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        require(
            self.operator_token.as_ref().is_none_or(|token| strong(token.reveal())),
            "--operator-token",
            "must be at least 32 visible ASCII characters without spaces",
        )?;
        require(
            self.keyring().is_some(),
            "--credentials-key",
            "must be 32 bytes in base64, as `openssl rand -base64 32` prints them; several keys are \
             separated by commas",
        )
    }

    /// How long tokens live.
    #[must_use]
    pub fn token_lifetimes(&self) -> TokenLifetimes {
        TokenLifetimes { default: self.token_ttl, max: self.max_token_ttl }
    }

    /// How many failed logins are allowed.
    #[must_use]
    pub fn logins(&self) -> LoginSettings {
        LoginSettings { failed_logins: self.failed_logins.get(), window: LOGIN_WINDOW }
    }

    /// The keys that encrypt secrets; `None` if the setting does not hold keys.
    #[must_use]
    pub fn keyring(&self) -> Option<Keyring> {
        // A compose file can't leave a variable out, only empty.
        match &self.credentials_key {
            Some(keys) if !keys.reveal().is_empty() => Keyring::parse(keys),
            _ => Some(Keyring::default()),
        }
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
