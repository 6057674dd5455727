//! What an operator types: apps, tokens, events. They work on the database itself, with the same
//! operations as the service.

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Failure, serve::Database};
use crate::{
    clock::Clock,
    config::{self, DatabaseArgs, ServeArgs},
    domain::{
        App, AppKey, AppLimitsChange, CredentialsChange, Event, EventFilter, EventId,
        EventPosition, EventState, EventType, PageSizes, Secret, StateName, Username,
    },
    ops::{
        Call, Core,
        access::{apps, tokens},
        events,
        maintenance::deleted_apps,
    },
    server, store,
};

/// How long a command that is typed at a console may take.
pub(super) const CONSOLE_TIME: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub(super) enum AppCommand {
    /// Create an app and print its credentials; the secret is shown only now.
    Create {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Show an app.
    Get {
        /// The app key, as "org#app".
        app_key: String,
    },
    /// Show all apps.
    List,
    /// Change an app's limits.
    Update {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Replace an app's client_secret and print the new one; the old one is void at once.
    RotateSecret {
        /// The app key, as "org#app".
        app_key: String,
        /// End all tokens of the app too.
        #[arg(long)]
        revoke_tokens: bool,
    },
    /// Give an app credentials of your own choice, as existing clients have them; pairs that are not
    /// given stay.
    SetCredentials {
        /// The app key, as "org#app".
        app_key: String,
        #[command(flatten)]
        credentials: CredentialArgs,
    },
    /// Delete an app with all its users and lists.
    Delete {
        /// The app key, as "org#app".
        app_key: String,
        /// Do it without being asked again.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Show an app's events, the newest first.
    List {
        /// The app key, as "org#app".
        app_key: String,
        /// Only events for this callback rule.
        #[arg(long, value_name = "RULE_ID")]
        rule: Option<Uuid>,
        /// Only events in this user's lists.
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
        /// Only events of this type, as friend.added.
        #[arg(long = "type", value_name = "TYPE")]
        event_type: Option<String>,
        /// Only events in this state.
        #[arg(long, value_enum)]
        state: Option<StateArg>,
        #[command(flatten)]
        range: RangeArgs,
        /// How many events at the most.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Have all failed events of a callback rule sent again, in their order.
    RetryFailed {
        /// The app key, as "org#app".
        app_key: String,
        /// The rule.
        rule: Uuid,
        #[command(flatten)]
        range: RangeArgs,
    },
    /// Show an event with all tries to deliver it.
    Show {
        /// The app key, as "org#app".
        app_key: String,
        /// The event's id, as `events list` shows it.
        event_id: String,
    },
    /// Have an event sent again as soon as possible.
    Retry {
        /// The app key, as "org#app".
        app_key: String,
        /// The event's id, as `events list` shows it.
        event_id: String,
    },
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct RangeArgs {
    /// Only events that happened at this time or later, as 2026-11-21T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<OffsetDateTime>,
    /// Only events that happened before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<OffsetDateTime>,
}

pub(super) fn time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "must be a time as 2026-11-21T12:00:00Z".to_owned())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StateArg {
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

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct LimitArgs {
    /// How many friends a user can have.
    #[arg(long, value_name = "N")]
    friend_limit: Option<i32>,
    /// How many users a user can block.
    #[arg(long, value_name = "N")]
    block_limit: Option<i32>,
    /// How many calls of one operation the app can make in a second.
    #[arg(long, value_name = "N")]
    requests_per_second: Option<i32>,
}

#[derive(Args, Clone, Debug)]
pub(super) struct CredentialArgs {
    /// Easemob's client_id.
    #[arg(
        long,
        env = "CLIENT_ID",
        value_name = "ID",
        default_value = "",
        hide_default_value = true
    )]
    client_id: String,
    /// Easemob's client_secret. As a variable it stays out of the list of processes.
    #[arg(
        long,
        env = "CLIENT_SECRET",
        value_name = "SECRET",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true,
        value_parser = config::secret
    )]
    client_secret: Secret,
    /// NetEase's AppKey.
    #[arg(
        long,
        env = "NETEASE_APP_KEY",
        value_name = "KEY",
        default_value = "",
        hide_default_value = true
    )]
    netease_app_key: String,
    /// NetEase's AppSecret. As a variable it stays out of the list of processes.
    #[arg(
        long,
        env = "NETEASE_APP_SECRET",
        value_name = "SECRET",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true,
        value_parser = config::secret
    )]
    netease_app_secret: Secret,
    /// Take AppKey and AppSecret away.
    #[arg(long)]
    remove_netease: bool,
    /// The key that seals the AppSecret: the one that the service has. Not needed with the private
    /// Postgres.
    #[arg(
        long,
        env = "BEFRIEND_CREDENTIALS_KEY",
        value_name = "KEYS",
        hide_env_values = true,
        value_parser = config::secret
    )]
    credentials_key: Option<Secret>,
}

impl AppCommand {
    /// The key that it was given to seal secrets with.
    pub(super) fn credentials_key(&self) -> Option<&Secret> {
        match self {
            Self::SetCredentials { credentials, .. } => credentials.credentials_key.as_ref(),
            _ => None,
        }
    }
}

impl From<LimitArgs> for AppLimitsChange {
    fn from(args: LimitArgs) -> Self {
        Self {
            friend_limit: args.friend_limit,
            block_limit: args.block_limit,
            requests_per_second: args.requests_per_second,
        }
    }
}

/// Runs a console command on the database.
pub(super) async fn with_core<T>(
    database: &DatabaseArgs,
    args: &ServeArgs,
    command: impl AsyncFnOnce(&Arc<Core>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let database = Database::open(database).await?;
    // A console must not change the schema under a service of another version.
    if database.is_private() {
        store::migrate(&database.url).await?;
    } else {
        store::require_current(&database.url).await?;
    }
    let mut args = args.clone();
    database.keep_credentials_key(&mut args)?;
    let core = server::core(&database.url, &args, None, Clock::system())?;
    let done = command(&core).await;
    core.db.close().await;
    database.close().await?;
    done
}

pub(super) fn console_deadline() -> Instant {
    Instant::now() + CONSOLE_TIME
}

/// Issues a token of an app, and prints it.
pub(super) async fn token(core: &Core, app_key: &str, ttl: Duration) -> Result<(), Failure> {
    let key = AppKey::parse("app_key", app_key)?;
    let issued = tokens::issue_as_operator(core, console_deadline(), &key, ttl).await?;
    println!("{}", issued.token.reveal());
    Ok(())
}

pub(super) async fn app(core: &Core, command: AppCommand) -> Result<(), Failure> {
    let deadline = console_deadline();
    let parse = |key: &str| AppKey::parse("app_key", key);
    match command {
        AppCommand::Create { app_key, limits } => {
            let (app, secret) =
                apps::create(core, deadline, &parse(&app_key)?, limits.into()).await?;
            show(&app, Some(&secret));
        }
        AppCommand::Get { app_key } => show(&apps::get(core, &parse(&app_key)?).await?, None),
        AppCommand::List => {
            let size = PageSizes { max: 100, default: 100 }.choose(0)?;
            let mut next = Some(String::new());
            while let Some(after) = next {
                let page = apps::list(core, &after, size).await?;
                page.items.iter().for_each(|app| show(app, None));
                next = page.next;
            }
        }
        AppCommand::Update { app_key, limits } => {
            let app = apps::update(core, deadline, &parse(&app_key)?, limits.into()).await?;
            show(&app, None);
        }
        AppCommand::RotateSecret { app_key, revoke_tokens } => {
            let (app, secret) =
                apps::rotate_secret(core, deadline, &parse(&app_key)?, revoke_tokens).await?;
            show(&app, Some(&secret));
        }
        AppCommand::SetCredentials { app_key, credentials: args } => {
            let change = CredentialsChange::parse(
                (&args.client_id, args.client_secret.reveal()),
                (&args.netease_app_key, args.netease_app_secret.reveal()),
                args.remove_netease,
            )?;
            show(&apps::set_credentials(core, deadline, &parse(&app_key)?, &change).await?, None);
        }
        AppCommand::Delete { app_key, yes } => {
            if !yes {
                return Err(
                    format!("{app_key} goes with all its users: repeat it with --yes").into()
                );
            }
            apps::delete(core, deadline, &parse(&app_key)?).await?;
            deleted_apps::purge(core, Instant::now() + Duration::from_secs(3600)).await?;
            println!("{app_key} is deleted");
        }
    }
    Ok(())
}

pub(super) async fn event(core: &Arc<Core>, command: EventsCommand) -> Result<(), Failure> {
    let call = async |app_key: &str| {
        let app = apps::get(core, &AppKey::parse("app_key", app_key)?).await?;
        let (core, app) = (Arc::clone(core), Arc::new(app));
        Ok::<Call, Failure>(Call { core, app, deadline: console_deadline() })
    };
    let parse = |id: &str| EventId::parse(id).ok_or_else(|| format!("{id} is no event's id"));
    match command {
        EventsCommand::List { app_key, rule, user, event_type, state, range, limit } => {
            let call = call(&app_key).await?;
            let user = user.map(|name| Username::parse("--user", &name)).transpose()?;
            let filter = EventFilter {
                rule_id: rule,
                owner: user.map(|name| call.key(&name)),
                event_type: event_type.map(|t| EventType::parse("--type", &t)).transpose()?,
                state: state.map(StateName::from),
                from: range.from,
                to: range.to,
            };
            let mut left = i32::try_from(limit)?;
            let mut next = Some(EventPosition::start());
            while let Some(before) = next.filter(|_| left > 0) {
                let size = PageSizes { max: 100, default: 100 }.choose(left.min(100))?;
                let page = events::list(&call, &filter, &before, size).await?;
                page.items.iter().for_each(show_event);
                left -= i32::try_from(page.items.len())?;
                next = page.next;
            }
        }
        EventsCommand::RetryFailed { app_key, rule, range } => {
            let range = (range.from, range.to);
            let retried = events::retry_failed(&call(&app_key).await?, rule, range).await?;
            println!("{retried} events are sent again");
        }
        EventsCommand::Show { app_key, event_id } => {
            let (event, attempts) = events::get(&call(&app_key).await?, parse(&event_id)?).await?;
            show_event(&event);
            for attempt in attempts {
                println!("  {}", serde_json::to_string(&attempt)?);
            }
        }
        EventsCommand::Retry { app_key, event_id } => {
            show_event(&events::retry(&call(&app_key).await?, parse(&event_id)?).await?);
        }
    }
    Ok(())
}

/// Prints an event as one line: id, time, type, users, state, tries.
pub(super) fn show_event(event: &Event) {
    let state = match event.state {
        EventState::Pending { next_attempt_at } => format!("pending, next try {next_attempt_at}"),
        EventState::Delivered { at } => format!("delivered {at}"),
        EventState::Failed { at } => format!("failed {at}"),
    };
    println!(
        "{} {} {} {} -> {} {} (tries: {})",
        event.id.render(),
        event.created_at,
        event.event_type.map_or("unknown", EventType::as_str),
        event.owner,
        event.friend,
        state,
        event.attempts,
    );
}

/// Prints an app as "name: value" lines with an empty line after, for eyes and for `awk` alike.
pub(super) fn show(app: &App, secret: Option<&Secret>) {
    println!("app_key: {}", app.key);
    println!("uuid: {}", app.id);
    println!("client_id: {}", app.client_id);
    if let Some(secret) = secret {
        println!("client_secret: {}", secret.reveal());
    }
    if let Some(netease_app_key) = &app.netease_app_key {
        println!("netease_app_key: {netease_app_key}");
    }
    println!("friend_limit: {}", app.limits.friend_limit);
    println!("block_limit: {}", app.limits.block_limit);
    println!("requests_per_second: {}", app.limits.requests_per_second);
    println!();
}
