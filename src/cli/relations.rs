//! `befriend relation`: what two users are to each other.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    core::call,
    error::CommandError,
    output::{OutputArgs, Show},
};
use crate::{
    domain::{Relation, Username},
    ops::{Core, relations},
};

#[derive(Args, Debug)]
pub(super) struct RelationArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: RelationCommand,
}

#[derive(Debug, Subcommand)]
enum RelationCommand {
    /// Show whether a user and others are friends, and who blocks whom.
    Check {
        /// The app key, as "org#app".
        app_key: String,
        /// The user.
        username: String,
        /// The others.
        #[arg(required = true, value_name = "OTHER")]
        others: Vec<String>,
    },
}

/// A user and their relation.
struct Related(Username, Relation);

impl Show for Related {
    const COLUMNS: &'static [&'static str] = &["username", "is_friend", "blocks", "blocked_by"];

    fn values(&self) -> Vec<Value> {
        let Self(other, relation) = self;
        vec![
            json!(other.as_str()),
            json!(relation.is_friend),
            json!(relation.blocks),
            json!(relation.blocked_by),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: RelationArgs) -> Result<(), CommandError> {
    let RelationCommand::Check { app_key, username, others } = args.command;
    let call = call(core, &app_key).await?;
    let username = Username::parse("username", &username)?;
    let others = others.iter().map(|other| Username::parse("other", other));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    let relations = relations::check(&call, &username, &others).await?;
    let related: Vec<_> =
        others.into_iter().zip(relations).map(|(other, it)| Related(other, it)).collect();
    Ok(args.output.all(&related)?)
}
