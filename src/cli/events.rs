//! `befriend events`: shows the callback events of an app, and sends them again.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{
    core::call,
    error::CommandError,
    output::{OutputError, print},
};
use crate::{
    domain::{
        Event, EventFilter, EventId, EventPosition, EventState, EventType, PageSizes, StateName,
        Username,
    },
    ops::{Core, events},
};

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
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
pub(super) struct ListArgs {
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
    /// How many events to show at the most.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    limit: i32,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct TimeRangeArgs {
    /// Only what happened at this time or later, as 2026-11-21T12:00:00Z.
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

pub(super) async fn run(core: &Arc<Core>, command: EventsCommand) -> Result<(), CommandError> {
    match command {
        EventsCommand::List(args) => list(core, args).await?,
        EventsCommand::RetryFailed { app_key, rule, range } => {
            let call = call(core, &app_key).await?;
            let count = events::retry_failed(&call, rule, (range.from, range.to)).await?;
            print(format_args!("{count} events are sent again"))?;
        }
        EventsCommand::Show { app_key, event_id } => {
            let call = call(core, &app_key).await?;
            let (event, attempts) = events::get(&call, parse_id(&event_id)?).await?;
            print_event(&event)?;
            for attempt in attempts {
                print(format_args!("  {}", serde_json::to_string(&attempt)?))?;
            }
        }
        EventsCommand::Retry { app_key, event_id } => {
            let call = call(core, &app_key).await?;
            print_event(&events::retry(&call, parse_id(&event_id)?).await?)?;
        }
    }
    Ok(())
}

fn parse_id(text: &str) -> Result<EventId, CommandError> {
    EventId::parse(text).ok_or_else(|| format!("{text} is not the id of an event").into())
}

async fn list(core: &Arc<Core>, args: ListArgs) -> Result<(), CommandError> {
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
    let mut left = args.limit;
    let mut next = Some(EventPosition::start());
    while let Some(before) = next.filter(|_| left > 0) {
        let size = PageSizes { max: 100, default: 100 }.choose(left.min(100))?;
        let page = events::list(&call, &filter, &before, size).await?;
        page.items.iter().try_for_each(print_event)?;
        left -= i32::try_from(page.items.len())?;
        next = page.next;
    }
    Ok(())
}

/// Prints an event as one line: id, time, type, users, state, attempts.
fn print_event(event: &Event) -> Result<(), OutputError> {
    let state = match event.state {
        EventState::Pending { next_attempt_at } => {
            format!("pending, next attempt {next_attempt_at}")
        }
        EventState::Delivered { at } => format!("delivered {at}"),
        EventState::Failed { at } => format!("failed {at}"),
    };
    print(format_args!(
        "{} {} {} {} -> {} {} (attempts: {})",
        event.id.render(),
        event.created_at,
        event.event_type.map_or("unknown", EventType::as_str),
        event.owner,
        event.friend,
        state,
        event.attempts,
    ))
}
