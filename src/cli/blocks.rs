//! `befriend blocks`: shows and changes the block list of a user.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    core::call,
    error::CommandError,
    output::{OutputArgs, Show},
    pages::{LimitArg, pages},
};
use crate::{
    domain::Username,
    ops::{Core, blocks},
};

#[derive(Args, Debug)]
pub(super) struct BlocksArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: BlocksCommand,
}

#[derive(Debug, Subcommand)]
enum BlocksCommand {
    /// Show the users whom a user blocks, the newest first.
    List {
        /// The app key, as "org#app".
        app_key: String,
        /// The user whose list it is.
        owner: String,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Block users: all of them or none.
    Add(OthersArg),
    /// Unblock users: all of them or none.
    Remove(OthersArg),
}

#[derive(Args, Debug)]
struct OthersArg {
    /// The app key, as "org#app".
    app_key: String,
    /// The user whose list it is.
    owner: String,
    /// The other users.
    #[arg(required = true, value_name = "USERNAME")]
    others: Vec<String>,
}

impl OthersArg {
    fn names(&self) -> Result<(Username, Vec<Username>), CommandError> {
        let others = self.others.iter().map(|name| Username::parse("username", name));
        Ok((Username::parse("owner", &self.owner)?, others.collect::<Result<_, _>>()?))
    }
}

/// A name in a list of names.
impl Show for Username {
    const COLUMNS: &'static [&'static str] = &["username"];

    fn values(&self) -> Vec<Value> {
        vec![json!(self.as_str())]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: BlocksArgs) -> Result<(), CommandError> {
    let output = args.output;
    match args.command {
        BlocksCommand::List { app_key, owner, limit } => {
            let call = call(core, &app_key).await?;
            let owner = Username::parse("owner", &owner)?;
            let read = async |before, size| blocks::list(&call, &owner, before, size).await;
            pages(output, limit, i64::MAX, read).await?;
        }
        BlocksCommand::Add(args) => {
            let (call, (owner, others)) = (call(core, &args.app_key).await?, args.names()?);
            output.all(&blocks::block(&call, &owner, &others).await?)?;
        }
        BlocksCommand::Remove(args) => {
            let (call, (owner, others)) = (call(core, &args.app_key).await?, args.names()?);
            output.all(&blocks::unblock_all(&call, &owner, &others).await?)?;
        }
    }
    Ok(())
}
