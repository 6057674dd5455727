//! `befriend operator`: creates, shows and revokes the tokens of operators.

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    core::{Printing, operator_call},
    error::CommandError,
    output::{OutputArgs, Show, time},
    pages::{LimitArg, pages},
};
use crate::{
    domain::{OperatorName, OperatorToken, Role, Secret, parse_duration},
    ops::{Core, access::operator_tokens},
};

#[derive(Args, Debug)]
pub(super) struct OperatorArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// Create an operator's token and print it. The token is shown only now.
    Create {
        /// Whose token it is: 1-64 characters of A-Z a-z 0-9 . _ @ -
        name: String,
        /// What its bearer may do.
        #[arg(long, value_enum)]
        role: RoleArg,
        /// How long the token is valid, 1m to 366d [default: it does not expire].
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        ttl: Option<Duration>,
    },
    /// Show all operators' tokens that have not expired, without the secrets.
    List {
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Revoke an operator's token.
    Revoke {
        /// Whose token it is.
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    /// Read.
    ReadOnly,
    /// Read, send events again, and try callback rules out.
    Support,
    /// Everything.
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::ReadOnly => Self::ReadOnly,
            RoleArg::Support => Self::Support,
            RoleArg::Admin => Self::Admin,
        }
    }
}

impl Show for OperatorToken {
    const COLUMNS: &'static [&'static str] = &["name", "role", "create_time", "expire_time"];

    fn values(&self) -> Vec<Value> {
        vec![
            json!(self.name.to_string()),
            json!(self.role.to_string()),
            time(self.created_at),
            self.expires_at.map_or(Value::Null, time),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: OperatorArgs) -> Result<(), CommandError> {
    let (output, call) = (args.output, operator_call(core));
    match args.command {
        OperatorCommand::Create { name, role, ttl } => {
            let (name, ttl) = (OperatorName::parse("name", &name)?, ttl.unwrap_or_default());
            // Before the token is valid: one that can't be shown is lost.
            let printing = Printing::default();
            let show = |token: &OperatorToken, secret: &Secret| {
                let secret = [("token", json!(secret.reveal()))];
                printing.note(output.for_secret().and_then(|o| o.show_with(token, &secret)))
            };
            let created = operator_tokens::create(&call, &name, role.into(), ttl, show).await;
            printing.outcome(created)?;
        }
        OperatorCommand::List { limit } => {
            let read = async |after: String, size| operator_tokens::list(core, &after, size).await;
            pages(output, limit, String::new(), read).await?;
        }
        OperatorCommand::Revoke { name } => {
            let name = OperatorName::parse("name", &name)?;
            operator_tokens::revoke(&call, &name).await?;
            output.members([("revoked", json!(name.to_string()))])?;
        }
    }
    Ok(())
}
