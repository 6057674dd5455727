//! `befriend requests`: shows the friend requests of a user.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    core::call,
    error::CommandError,
    output::{OutputArgs, Show, time},
    pages::{LimitArg, pages},
};
use crate::{
    domain::{FriendRequest, RequestDirection, RequestState, Username},
    ops::{Core, requests},
};

#[derive(Args, Debug)]
pub(super) struct RequestsArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: RequestsCommand,
}

#[derive(Debug, Subcommand)]
enum RequestsCommand {
    /// Show the last friend request from or to each other user, the newest first.
    List(ListArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// The user who received or sent the requests.
    username: String,
    /// Whether the user received them or sent them.
    #[arg(long, value_enum, default_value_t = DirectionArg::Incoming)]
    direction: DirectionArg,
    /// Only requests in this state.
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    #[command(flatten)]
    limit: LimitArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DirectionArg {
    Incoming,
    Outgoing,
}

impl From<DirectionArg> for RequestDirection {
    fn from(direction: DirectionArg) -> Self {
        match direction {
            DirectionArg::Incoming => Self::Incoming,
            DirectionArg::Outgoing => Self::Outgoing,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    Pending,
    Accepted,
    Rejected,
    Cancelled,
    Expired,
}

impl From<StateArg> for RequestState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Pending => Self::Pending,
            StateArg::Accepted => Self::Accepted,
            StateArg::Rejected => Self::Rejected,
            StateArg::Cancelled => Self::Cancelled,
            StateArg::Expired => Self::Expired,
        }
    }
}

impl Show for FriendRequest {
    const COLUMNS: &'static [&'static str] = &[
        "requester",
        "recipient",
        "state",
        "message",
        "answer",
        "create_time",
        "update_time",
        "expire_time",
    ];

    fn values(&self) -> Vec<Value> {
        vec![
            json!(self.requester.as_str()),
            json!(self.recipient.as_str()),
            json!(self.state.as_str()),
            json!(self.message),
            json!(self.answer),
            time(self.created_at),
            time(self.updated_at),
            self.expires_at.map_or(Value::Null, time),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: RequestsArgs) -> Result<(), CommandError> {
    let RequestsCommand::List(list) = args.command;
    let call = call(core, &list.app_key).await?;
    let username = Username::parse("username", &list.username)?;
    let direction = list.direction.into();
    let states = list.state.map_or_else(|| RequestState::ALL.to_vec(), |state| vec![state.into()]);
    let read = async |before, size| {
        requests::list(&call, &username, direction, &states, before, size).await
    };
    pages(args.output, list.limit, i64::MAX, read).await
}
