//! `befriend token`: issues a token of an app.

use std::{sync::Arc, time::Duration};

use clap::Args;

use super::{
    core::{app_key, operator_call, shown},
    error::CommandError,
    output::print,
};
use crate::{
    domain::{Secret, parse_duration},
    ops::{Core, access::tokens},
};

#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// How long the token lives: 1m at the least, 60d (or BEFRIEND_MAX_TOKEN_TTL) at the most [default:
    /// 1d, or BEFRIEND_TOKEN_TTL].
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    ttl: Option<Duration>,
}

/// Issues a token, and prints it. One that can't be printed is not issued.
pub(super) async fn issue(core: &Arc<Core>, args: TokenArgs) -> Result<(), CommandError> {
    let ttl = args.ttl.unwrap_or_default();
    let key = app_key(&args.app_key)?;
    let show = |token: &Secret| shown(print(token.reveal()));
    tokens::issue_as_operator(&operator_call(core), &key, ttl, show).await?;
    Ok(())
}
