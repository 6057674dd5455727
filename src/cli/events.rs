//! `befriend events`: shows the callback events of an app, and sends them again.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{
    core::call,
    error::CommandError,
    output::{OutputArgs, Show, time},
    pages::{LimitArg, pages},
};
use crate::{
    domain::{
        Attempt, Event, EventFilter, EventId, EventPosition, EventState, EventType, StateName,
        Username, from_unix_millis,
    },
    ops::{Core, events},
};

#[derive(Args, Debug)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: EventsCommand,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Show an app's events, the newest first.
    List(ListArgs),
    /// Send all failed events of a callback rule again, in their order.
    RetryFailed {
        /// The app key, as "org#app".
        app_key: String,
        /// The id of the callback rule.
        rule: Uuid,
        #[command(flatten)]
        range: TimeRangeArgs,
    },
    /// Show an event with all attempts to deliver it.
    Show {
        /// The app key, as "org#app".
        app_key: String,
        /// The event's id, as `events list` shows it.
        event_id: String,
    },
    /// Send an event again as soon as possible.
    Retry {
        /// The app key, as "org#app".
        app_key: String,
        /// The event's id, as `events list` shows it.
        event_id: String,
    },
}

#[derive(Args, Debug)]
struct ListArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// Only events for this callback rule.
    #[arg(long, value_name = "RULE_ID")]
    rule: Option<Uuid>,
    /// Only events of this user's lists.
    #[arg(long, value_name = "USERNAME")]
    user: Option<String>,
    /// Only events of this type, as friend.added.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only events in this state.
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    #[command(flatten)]
    range: TimeRangeArgs,
    #[command(flatten)]
    limit: LimitArg,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct TimeRangeArgs {
    /// Only what happened at this time or later, as 2026-11-21T12:00:00Z or as a list shows it.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) from: Option<OffsetDateTime>,
    /// Only what happened before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) to: Option<OffsetDateTime>,
}

fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "must be a time as 2026-11-21T12:00:00Z".to_owned())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    Pending,
    Delivered,
    Failed,
}

impl From<StateArg> for StateName {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Pending => Self::Pending,
            StateArg::Delivered => Self::Delivered,
            StateArg::Failed => Self::Failed,
        }
    }
}

impl Show for Event {
    const COLUMNS: &'static [&'static str] = &[
        "event_id",
        "event_type",
        "owner",
        "other",
        "state",
        "attempt_count",
        "create_time",
        "next_attempt_time",
        "finish_time",
    ];

    fn values(&self) -> Vec<Value> {
        let (next, finished) = match self.state {
            EventState::Pending { next_attempt_at } => (Some(next_attempt_at), None),
            EventState::Delivered { at } | EventState::Failed { at } => (None, Some(at)),
        };
        let optional = |at: Option<OffsetDateTime>| at.map_or(Value::Null, time);
        vec![
            json!(self.id.render()),
            json!(self.event_type.map_or("unknown", EventType::as_str)),
            json!(self.owner.as_str()),
            json!(self.friend.as_str()),
            json!(self.state.name().as_str()),
            json!(self.attempts),
            time(self.created_at),
            optional(next),
            optional(finished),
        ]
    }
}

impl Show for Attempt {
    const COLUMNS: &'static [&'static str] =
        &["start_time", "http_status", "duration_ms", "error", "response_body"];

    fn values(&self) -> Vec<Value> {
        vec![
            from_unix_millis(self.started_at_ms).map_or(Value::Null, time),
            json!(self.http_status),
            json!(self.duration_ms),
            json!(self.error),
            json!(self.response_body),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: EventsArgs) -> Result<(), CommandError> {
    let output = args.output;
    match args.command {
        EventsCommand::List(args) => list(core, args, output).await?,
        EventsCommand::RetryFailed { app_key, rule, range } => {
            let call = call(core, &app_key).await?;
            let count = events::retry_failed(&call, rule, (range.from, range.to)).await?;
            output.members([("retried", json!(count))])?;
        }
        EventsCommand::Show { app_key, event_id } => {
            let call = call(core, &app_key).await?;
            let (event, attempts) = events::get(&call, parse_id(&event_id)?).await?;
            output.show_with_list(&event, "attempts", &attempts)?;
        }
        EventsCommand::Retry { app_key, event_id } => {
            let call = call(core, &app_key).await?;
            output.show(&events::retry(&call, parse_id(&event_id)?).await?)?;
        }
    }
    Ok(())
}

fn parse_id(text: &str) -> Result<EventId, CommandError> {
    EventId::parse(text).ok_or_else(|| format!("{text} is not the id of an event").into())
}

async fn list(core: &Arc<Core>, args: ListArgs, output: OutputArgs) -> Result<(), CommandError> {
    let call = call(core, &args.app_key).await?;
    let user = args.user.map(|name| Username::parse("--user", &name)).transpose()?;
    let event_type = args.event_type.map(|name| EventType::parse("--type", &name));
    let filter = EventFilter {
        rule_id: args.rule,
        owner: user.map(|name| call.key(&name)),
        event_type: event_type.transpose()?,
        state: args.state.map(StateName::from),
        from: args.range.from,
        to: args.range.to,
    };
    let read = async |before, size| events::list(&call, &filter, &before, size).await;
    pages(output, args.limit, EventPosition::start(), read).await
}
