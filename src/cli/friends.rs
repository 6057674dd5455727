//! `befriend friends`: shows and changes the friend list of a user.

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
    domain::{Extension, Friend, FriendEntry, Username},
    ops::{Core, friends},
};

#[derive(Args, Debug)]
pub(super) struct FriendsArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: FriendsCommand,
}

#[derive(Debug, Subcommand)]
enum FriendsCommand {
    /// Show a user's friends, in the order of their names.
    List {
        /// The app key, as "org#app".
        app_key: String,
        /// The user whose list it is.
        owner: String,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Show a friend, with all that the owner keeps on them.
    Get(PairArg),
    /// Make two users friends, in both lists.
    Add(PairArg),
    /// End a friendship, in both lists.
    Remove {
        #[command(flatten)]
        pair: PairArg,
        /// Clear the owner's remark too.
        #[arg(long)]
        clear_remark: bool,
    },
}

#[derive(Args, Debug)]
struct PairArg {
    /// The app key, as "org#app".
    app_key: String,
    /// The user whose list it is.
    owner: String,
    /// The friend.
    friend: String,
}

impl PairArg {
    fn names(&self) -> Result<(Username, Username), CommandError> {
        let owner = Username::parse("owner", &self.owner)?;
        Ok((owner, Username::parse("friend", &self.friend)?))
    }
}

impl Show for FriendEntry {
    const COLUMNS: &'static [&'static str] = &["username", "remark"];

    fn values(&self) -> Vec<Value> {
        vec![json!(self.username.as_str()), json!(self.remark)]
    }
}

impl Show for Friend {
    const COLUMNS: &'static [&'static str] = &[
        "username",
        "remark",
        "extension",
        "server_extension",
        "bidirectional",
        "create_time",
        "update_time",
        "version",
    ];

    fn values(&self) -> Vec<Value> {
        vec![
            json!(self.username.as_str()),
            json!(self.remark),
            json!(self.extension),
            json!(self.server_extension),
            json!(self.bidirectional),
            time(self.created_at),
            time(self.updated_at),
            json!(self.version),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: FriendsArgs) -> Result<(), CommandError> {
    let output = args.output;
    match args.command {
        FriendsCommand::List { app_key, owner, limit } => {
            let call = call(core, &app_key).await?;
            let owner = Username::parse("owner", &owner)?;
            let read = async |after: String, size| friends::list(&call, &owner, &after, size).await;
            pages(output, limit, String::new(), read).await?;
        }
        FriendsCommand::Get(pair) => {
            let (call, (owner, friend)) = (call(core, &pair.app_key).await?, pair.names()?);
            output.show(&friends::get(&call, &owner, &friend).await?)?;
        }
        FriendsCommand::Add(pair) => {
            let (call, (owner, friend)) = (call(core, &pair.app_key).await?, pair.names()?);
            friends::add(&call, &owner, &friend, &Extension::default()).await?;
            output.show(&friends::get(&call, &owner, &friend).await?)?;
        }
        FriendsCommand::Remove { pair, clear_remark } => {
            let (call, (owner, friend)) = (call(core, &pair.app_key).await?, pair.names()?);
            friends::remove(&call, &owner, &friend, clear_remark).await?;
            output.members([("removed", json!(friend.as_str()))])?;
        }
    }
    Ok(())
}
