//! `befriend operator`: creates, shows and revokes the tokens of operators.

use std::{sync::Arc, time::Duration};

use clap::{Subcommand, ValueEnum};

use super::{
    core::{operator_call, shown},
    error::CommandError,
    output::{OutputError, print, time},
};
use crate::{
    domain::{Error, OperatorName, OperatorToken, PageSizes, Role, Secret, parse_duration},
    ops::{Core, access::operator_tokens},
};

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
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
    List,
    /// Revoke an operator's token.
    Revoke {
        /// Whose token it is.
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleArg {
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

pub(super) async fn run(core: &Arc<Core>, command: OperatorCommand) -> Result<(), CommandError> {
    let call = operator_call(core);
    match command {
        OperatorCommand::Create { name, role, ttl } => {
            let (name, ttl) = (OperatorName::parse("name", &name)?, ttl.unwrap_or_default());
            operator_tokens::create(&call, &name, role.into(), ttl, show_secret).await?;
        }
        OperatorCommand::List => {
            let size = PageSizes { max: 100, default: 100 }.choose(0)?;
            let mut next = Some(String::new());
            while let Some(after) = next {
                let page = operator_tokens::list(core, &after, size).await?;
                page.items.iter().try_for_each(|token| print_token(token, None))?;
                next = page.next;
            }
        }
        OperatorCommand::Revoke { name } => {
            let name = OperatorName::parse("name", &name)?;
            operator_tokens::revoke(&call, &name).await?;
            print(format_args!("the token of {name} is revoked"))?;
        }
    }
    Ok(())
}

/// Prints a new token before it is valid: one that can't be shown is lost.
fn show_secret(token: &OperatorToken, secret: &Secret) -> Result<(), Error> {
    shown(print_token(token, Some(secret)))
}

/// Prints a token as "name: value" lines and an empty line: to be read by people and by `awk`.
fn print_token(token: &OperatorToken, secret: Option<&Secret>) -> Result<(), OutputError> {
    let OperatorToken { name, role, created_at, expires_at } = token;
    let mut lines = format!("name: {name}\nrole: {role}\ncreated_at: {}\n", time(*created_at));
    if let Some(expires_at) = expires_at {
        lines += &format!("expires_at: {}\n", time(*expires_at));
    }
    if let Some(secret) = secret {
        lines += &format!("token: {}\n", secret.reveal());
    }
    print(lines)
}
