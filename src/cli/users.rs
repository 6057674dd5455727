//! `befriend user`: shows, creates, changes and deletes the users of an app.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    core::call,
    error::CommandError,
    output::{OutputArgs, Show, time},
    pages::{LimitArg, pages},
};
use crate::{
    domain::{Nickname, User, Username},
    ops::{Core, users},
};

#[derive(Args, Debug)]
pub(super) struct UserArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Show a user, with the sizes and the version of their lists.
    Get(UserArg),
    /// Show an app's users, in the order of their names.
    List {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Create a user.
    Create {
        #[command(flatten)]
        user: UserArg,
        /// The user's nickname.
        #[arg(long, default_value = "", hide_default_value = true)]
        nickname: String,
    },
    /// Change a user's nickname.
    Update {
        #[command(flatten)]
        user: UserArg,
        /// The new nickname; empty for none.
        #[arg(long)]
        nickname: String,
    },
    /// Lift a user's ban.
    Activate(UserArg),
    /// Ban a user. Lists and relations stay.
    Deactivate(UserArg),
    /// Delete a user, and remove them from every list. The name can be used again.
    Delete {
        #[command(flatten)]
        user: UserArg,
        /// Confirm the deletion.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
struct UserArg {
    /// The app key, as "org#app".
    app_key: String,
    /// The user's name.
    username: String,
}

impl Show for User {
    const COLUMNS: &'static [&'static str] =
        &["username", "nickname", "activated", "uuid", "create_time", "update_time"];

    fn values(&self) -> Vec<Value> {
        vec![
            json!(self.username.as_str()),
            json!(self.nickname),
            json!(self.activated),
            json!(self.uuid.to_string()),
            time(self.created_at),
            time(self.modified_at),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: UserArgs) -> Result<(), CommandError> {
    let output = args.output;
    let user = match args.command {
        UserCommand::Get(user) => {
            let call = call(core, &user.app_key).await?;
            let (user, head) = users::get(&call, &user.name()?).await?;
            let summary = [
                ("friend_count", json!(head.friend_count)),
                ("block_count", json!(head.block_count)),
                ("version", json!(head.version)),
                ("incoming_friend_request_count", json!(head.incoming_requests)),
                ("outgoing_friend_request_count", json!(head.outgoing_requests)),
            ];
            return Ok(output.show_with(&user, &summary)?);
        }
        UserCommand::List { app_key, limit } => {
            let call = call(core, &app_key).await?;
            let read = async |after: String, size| users::list(&call, &after, size).await;
            return pages(output, limit, String::new(), read).await;
        }
        UserCommand::Create { user, nickname } => {
            let call = call(core, &user.app_key).await?;
            let new = (user.name()?, Nickname::parse("--nickname", &nickname)?);
            let created = users::create(&call, &[new]).await?;
            return Ok(output.show(&created[0])?);
        }
        UserCommand::Update { user, nickname } => {
            let call = call(core, &user.app_key).await?;
            let nickname = Nickname::parse("--nickname", &nickname)?;
            users::set_nickname(&call, &user.name()?, &nickname).await?
        }
        UserCommand::Activate(user) => user.set_activated(core, true).await?,
        UserCommand::Deactivate(user) => user.set_activated(core, false).await?,
        UserCommand::Delete { user, yes } => {
            if !yes {
                let name = &user.username;
                let why = format!("--yes is missing: {name} would be removed from every list");
                return Err(why.into());
            }
            users::delete(&call(core, &user.app_key).await?, &user.name()?).await?
        }
    };
    Ok(output.show(&user)?)
}

impl UserArg {
    fn name(&self) -> Result<Username, CommandError> {
        Ok(Username::parse("username", &self.username)?)
    }

    async fn set_activated(&self, core: &Arc<Core>, activated: bool) -> Result<User, CommandError> {
        let call = call(core, &self.app_key).await?;
        Ok(users::set_activated(&call, &self.name()?, activated).await?)
    }
}
