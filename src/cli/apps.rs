//! `befriend app`: creates, shows, changes and deletes apps.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    core::{Printing, app_key, operator_call},
    error::CommandError,
    output::{OutputArgs, Show, time},
    pages::{LimitArg, pages},
};
use crate::{
    config::{self, CredentialsKeyArgs},
    domain::{App, AppLimitsChange, CredentialsChange, Secret},
    ops::{Core, access::apps, maintenance::deleted_apps},
};

/// How long `befriend app delete` may take to purge the users of an app and their lists.
const PURGE_TIMEOUT: Duration = Duration::from_hours(1);

#[derive(Args, Debug)]
pub(super) struct AppArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: AppCommand,
}

#[derive(Debug, Subcommand)]
enum AppCommand {
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
    List {
        #[command(flatten)]
        limit: LimitArg,
    },
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

impl AppArgs {
    /// The key to seal secrets with, if the command line has one.
    pub(super) fn credentials_key(&self) -> Option<&CredentialsKeyArgs> {
        match &self.command {
            AppCommand::SetCredentials { credentials, .. } => Some(&credentials.credentials_key),
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

impl Show for App {
    const COLUMNS: &'static [&'static str] = &[
        "app_key",
        "uuid",
        "client_id",
        "netease_app_key",
        "friend_limit",
        "block_limit",
        "requests_per_second",
        "create_time",
        "update_time",
    ];

    fn values(&self) -> Vec<Value> {
        vec![
            json!(self.key.as_str()),
            json!(self.id.to_string()),
            json!(self.client_id),
            json!(self.netease_app_key),
            json!(self.limits.friend_limit),
            json!(self.limits.block_limit),
            json!(self.limits.requests_per_second),
            time(self.created_at),
            time(self.modified_at),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: AppArgs) -> Result<(), CommandError> {
    let (output, call) = (args.output, operator_call(core));
    let printing = Printing::default();
    // Before the change is committed: a secret that can't be shown is lost.
    let show_secret = |app: &App, secret: &Secret| {
        let secret = [("client_secret", json!(secret.reveal()))];
        printing.note(output.for_secret().and_then(|output| output.show_with(app, &secret)))
    };
    match args.command {
        AppCommand::Create { app_key: key, limits } => {
            let key = app_key(&key)?;
            let created = apps::create(&call, &key, limits.into(), show_secret).await;
            printing.outcome(created)?;
        }
        AppCommand::Get { app_key: key } => {
            output.show(&apps::get(core, &app_key(&key)?).await?)?;
        }
        AppCommand::List { limit } => {
            let read = async |after: String, size| apps::list(core, &after, size).await;
            pages(output, limit, String::new(), read).await?;
        }
        AppCommand::Update { app_key: key, limits } => {
            let app = apps::update(&call, &app_key(&key)?, limits.into()).await?;
            output.show(&app)?;
        }
        AppCommand::RotateSecret { app_key: key, revoke_tokens } => {
            let key = app_key(&key)?;
            let rotated = apps::rotate_secret(&call, &key, revoke_tokens, show_secret).await;
            printing.outcome(rotated)?;
        }
        AppCommand::SetCredentials { app_key: key, credentials } => {
            let (key, change) = (app_key(&key)?, credentials.change()?);
            output.show(&apps::set_credentials(&call, &key, &change).await?)?;
        }
        AppCommand::Delete { app_key: key, yes } => {
            if !yes {
                let why = format!("--yes is missing: {key} would be deleted with all its users");
                return Err(why.into());
            }
            apps::delete(&call, &app_key(&key)?).await?;
            deleted_apps::purge(core, Instant::now() + PURGE_TIMEOUT).await?;
            output.members([("deleted", json!(key))])?;
        }
    }
    Ok(())
}
