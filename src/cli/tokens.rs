//! `befriend token`: issues, shows and revokes the tokens of an app.

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    core::{Printing, app_key, call, operator_call},
    error::CommandError,
    output::{OutputArgs, Show, time},
    pages::LimitArg,
};
use crate::{
    domain::{Secret, SecretHash, TokenInfo, parse_duration},
    ops::{Core, access::tokens},
};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    issue: IssueArgs,
    #[command(subcommand)]
    command: Option<TokenCommand>,
}

#[derive(Args, Debug)]
struct IssueArgs {
    /// The app key, as "org#app".
    #[arg(required = true)]
    app_key: Option<String>,
    /// How long the token lives: 1m at the least, 60d (or BEFRIEND_MAX_TOKEN_TTL) at the most [default:
    /// 1d, or BEFRIEND_TOKEN_TTL].
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    ttl: Option<Duration>,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Show an app's valid tokens, the newest first. The tokens themselves are not stored.
    List {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Revoke a token. Running instances accept it for up to BEFRIEND_TOKEN_CACHE (5s).
    Revoke {
        /// The app key, as "org#app".
        app_key: String,
        /// The token's id, as `token list` shows it.
        token_id: String,
    },
}

impl Show for TokenInfo {
    const COLUMNS: &'static [&'static str] = &["token_id", "create_time", "expire_time"];

    fn values(&self) -> Vec<Value> {
        vec![json!(self.hash.to_string()), time(self.created_at), time(self.expires_at)]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: TokenArgs) -> Result<(), CommandError> {
    let output = args.output;
    match args.command {
        None => issue(core, args.issue, output).await?,
        Some(TokenCommand::List { app_key, limit }) => {
            let call = call(core, &app_key).await?;
            limit.show(output, async |rows| tokens::list(&call, rows).await).await?;
        }
        Some(TokenCommand::Revoke { app_key, token_id }) => {
            let call = call(core, &app_key).await?;
            let hash = SecretHash::parse(&token_id);
            let hash = hash.ok_or_else(|| format!("{token_id} is not the id of a token"))?;
            if !tokens::revoke_by_hash(&call, hash).await? {
                return Err(format!("{app_key} has no token {token_id}").into());
            }
            output.members([("revoked", json!(token_id))])?;
        }
    }
    Ok(())
}

/// Issues a token, and prints it. One that can't be printed is not issued.
async fn issue(core: &Arc<Core>, args: IssueArgs, output: OutputArgs) -> Result<(), CommandError> {
    let ttl = args.ttl.unwrap_or_default();
    let key = app_key(&args.app_key.unwrap_or_default())?;
    let printing = Printing::default();
    let show = |token: &Secret| {
        printing.note(output.for_secret().and_then(|output| output.bare("token", token.reveal())))
    };
    let issued = tokens::issue_as_operator(&operator_call(core), &key, ttl, show).await;
    printing.outcome(issued)?;
    Ok(())
}
