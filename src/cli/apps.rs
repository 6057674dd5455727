//! `befriend app`: creates, shows, changes and deletes apps.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use tokio::time::Instant;

use super::{
    core::{app_key, operator_call, shown},
    error::CommandError,
    output::{OutputError, print},
};
use crate::{
    config::{self, CredentialsKeyArgs},
    domain::{App, AppLimitsChange, CredentialsChange, Error, PageSizes, Secret},
    ops::{Core, access::apps, maintenance::deleted_apps},
};

/// How long `befriend app delete` may take to purge the users of an app and their lists.
const PURGE_TIMEOUT: Duration = Duration::from_hours(1);

#[derive(Debug, Subcommand)]
pub(super) enum AppCommand {
    /// Create an app and print its credentials. The secret is shown only now.
    Create {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Show an app.
    Get {
        /// The app key, as "org#app".
        app_key: String,
    },
    /// Show all apps.
    List,
    /// Change an app's limits.
    Update {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Replace an app's client_secret and print the new one. The old one is invalid at once.
    RotateSecret {
        /// The app key, as "org#app".
        app_key: String,
        /// Revoke all tokens of the app too.
        #[arg(long)]
        revoke_tokens: bool,
    },
    /// Give an app credentials of your own choice, such as those that its clients have already.
    ///
    /// A pair that is not given stays as it is.
    SetCredentials {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        credentials: CredentialArgs,
    },
    /// Delete an app with all its users and lists.
    Delete {
        /// The app key, as "org#app".
        app_key: String,
        /// Confirm the deletion.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct LimitArgs {
    /// How many friends a user can have.
    #[arg(long, value_name = "N")]
    friend_limit: Option<i32>,
    /// How many users a user can block.
    #[arg(long, value_name = "N")]
    block_limit: Option<i32>,
    /// How many calls of one operation the app can make in a second.
    #[arg(long, value_name = "N")]
    requests_per_second: Option<i32>,
}

#[derive(Args, Clone, Debug)]
pub(super) struct CredentialArgs {
    /// Easemob's client_id.
    #[arg(
        long,
        env = "BEFRIEND_CLIENT_ID",
        value_name = "ID",
        default_value = "",
        hide_default_value = true
    )]
    client_id: String,
    /// Easemob's client_secret. Other users of the machine can see a flag, but not the variable.
    #[arg(long, env = "BEFRIEND_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = config::secret)]
    client_secret: Option<Secret>,
    /// A file that holds --client-secret.
    #[arg(long, env = "BEFRIEND_CLIENT_SECRET_FILE", value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// NetEase's AppKey.
    #[arg(
        long,
        env = "BEFRIEND_NETEASE_APP_KEY",
        value_name = "KEY",
        default_value = "",
        hide_default_value = true
    )]
    netease_app_key: String,
    /// NetEase's AppSecret. Other users of the machine can see a flag, but not the variable.
    #[arg(long, env = "BEFRIEND_NETEASE_APP_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = config::secret)]
    netease_app_secret: Option<Secret>,
    /// A file that holds --netease-app-secret.
    #[arg(long, env = "BEFRIEND_NETEASE_APP_SECRET_FILE", value_name = "FILE")]
    netease_app_secret_file: Option<PathBuf>,
    /// Remove the app's AppKey and AppSecret.
    #[arg(long)]
    remove_netease: bool,
    #[command(flatten)]
    credentials_key: CredentialsKeyArgs,
}

impl AppCommand {
    /// The key to seal secrets with, if the command line has one.
    pub(super) fn credentials_key(&self) -> Option<&CredentialsKeyArgs> {
        match self {
            Self::SetCredentials { credentials, .. } => Some(&credentials.credentials_key),
            _ => None,
        }
    }
}

impl From<LimitArgs> for AppLimitsChange {
    fn from(args: LimitArgs) -> Self {
        Self {
            friend_limit: args.friend_limit,
            block_limit: args.block_limit,
            requests_per_second: args.requests_per_second,
        }
    }
}

impl CredentialArgs {
    fn change(&self) -> Result<CredentialsChange, CommandError> {
        let secret = |flag, value: &Option<Secret>, file: &Option<PathBuf>| {
            let secret = config::secret_of(flag, value.as_ref(), file.as_deref())?;
            Ok::<_, CommandError>(secret.unwrap_or_else(|| Secret::presented("")))
        };
        let client = secret("--client-secret", &self.client_secret, &self.client_secret_file)?;
        let flag = "--netease-app-secret";
        let netease = secret(flag, &self.netease_app_secret, &self.netease_app_secret_file)?;
        Ok(CredentialsChange::parse(
            (&self.client_id, client.reveal()),
            (&self.netease_app_key, netease.reveal()),
            self.remove_netease,
        )?)
    }
}

pub(super) async fn run(core: &Arc<Core>, command: AppCommand) -> Result<(), CommandError> {
    let call = operator_call(core);
    match command {
        AppCommand::Create { app_key: key, limits } => {
            apps::create(&call, &app_key(&key)?, limits.into(), show_secret).await?;
        }
        AppCommand::Get { app_key: key } => {
            print_app(&apps::get(core, &app_key(&key)?).await?, None)?;
        }
        AppCommand::List => {
            let size = PageSizes { max: 100, default: 100 }.choose(0)?;
            let mut next = Some(String::new());
            while let Some(after) = next {
                let page = apps::list(core, &after, size).await?;
                page.items.iter().try_for_each(|app| print_app(app, None))?;
                next = page.next;
            }
        }
        AppCommand::Update { app_key: key, limits } => {
            let app = apps::update(&call, &app_key(&key)?, limits.into()).await?;
            print_app(&app, None)?;
        }
        AppCommand::RotateSecret { app_key: key, revoke_tokens } => {
            let key = app_key(&key)?;
            apps::rotate_secret(&call, &key, revoke_tokens, show_secret).await?;
        }
        AppCommand::SetCredentials { app_key: key, credentials } => {
            let (key, change) = (app_key(&key)?, credentials.change()?);
            print_app(&apps::set_credentials(&call, &key, &change).await?, None)?;
        }
        AppCommand::Delete { app_key: key, yes } => {
            if !yes {
                let why = format!("--yes is missing: {key} would be deleted with all its users");
                return Err(why.into());
            }
            apps::delete(&call, &app_key(&key)?).await?;
            deleted_apps::purge(core, Instant::now() + PURGE_TIMEOUT).await?;
            print(format_args!("{key} is deleted"))?;
        }
    }
    Ok(())
}

/// Prints an app with its new secret before the change is committed: a secret that can't be shown is lost.
fn show_secret(app: &App, secret: &Secret) -> Result<(), Error> {
    shown(print_app(app, Some(secret)))
}

/// Prints an app as "name: value" lines and an empty line: to be read by people and by `awk`.
fn print_app(app: &App, secret: Option<&Secret>) -> Result<(), OutputError> {
    let App { key, id, client_id, limits, .. } = app;
    let mut lines = format!("app_key: {key}\nuuid: {id}\nclient_id: {client_id}\n");
    if let Some(secret) = secret {
        lines += &format!("client_secret: {}\n", secret.reveal());
    }
    if let Some(netease_app_key) = &app.netease_app_key {
        lines += &format!("netease_app_key: {netease_app_key}\n");
    }
    lines += &format!("friend_limit: {}\n", limits.friend_limit);
    lines += &format!("block_limit: {}\n", limits.block_limit);
    lines += &format!("requests_per_second: {}\n", limits.requests_per_second);
    print(lines)
}
