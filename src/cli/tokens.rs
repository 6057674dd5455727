//! `befriend token`: issues a token of an app.

use std::time::Duration;

use clap::Args;

use super::{
    core::{app_key, deadline},
    error::CommandError,
};
use crate::{
    config::{self, Shown},
    ops::{Core, access::tokens},
};

#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// How long the token lives: 1m at the least, 60d (or BEFRIEND_MAX_TOKEN_TTL) at the most [default:
    /// 1d, or BEFRIEND_TOKEN_TTL].
    #[arg(long, value_name = "TIME", value_parser = config::any_duration)]
    ttl: Option<Shown<Duration>>,
}

/// Issues a token, and prints it.
pub(super) async fn issue(core: &Core, args: TokenArgs) -> Result<(), CommandError> {
    let ttl = args.ttl.map_or(Duration::ZERO, |ttl| ttl.0);
    let issued = tokens::issue_as_operator(core, deadline(), &app_key(&args.app_key)?, ttl).await?;
    println!("{}", issued.token.reveal());
    Ok(())
}
