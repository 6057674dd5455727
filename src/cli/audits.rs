//! `befriend audit`: shows who changed what.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{
    core::{app_key, deadline},
    error::CommandError,
    events::TimeRangeArgs,
    output::{print_table, time},
};
use crate::{
    domain::{ActorKind, AuditEvent, AuditFilter, AuditPosition, PageSizes},
    ops::{Core, audits},
};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show the changes by operators, at the console and by apps themselves, the newest first.
    List(ListArgs),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    range: TimeRangeArgs,
    /// Only changes by this caller: root, operator, console or app, with or without a name, as
    /// operator:alice.
    #[arg(long, value_name = "KIND[:NAME]", value_parser = parse_actor)]
    actor: Option<ActorArg>,
    /// Only changes by this operation, as AppService/UpdateApp.
    #[arg(long, default_value = "", hide_default_value = true)]
    action: String,
    /// Only changes in the app of this key, also in one that was deleted.
    #[arg(long, value_name = "APP_KEY")]
    app: Option<String>,
    /// How many changes to show at the most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    limit: i32,
}

#[derive(Clone, Debug)]
struct ActorArg {
    kind: ActorKind,
    name: Option<String>,
}

fn parse_actor(text: &str) -> Result<ActorArg, String> {
    let (kind, name) = text.split_once(':').map_or((text, None), |(kind, name)| (kind, Some(name)));
    let kind = ActorKind::of_name(kind).ok_or(
        "must be root, operator, console or app, with or without a name, as operator:alice",
    )?;
    Ok(ActorArg { kind, name: name.map(str::to_owned) })
}

pub(super) async fn run(core: &Arc<Core>, command: AuditCommand) -> Result<(), CommandError> {
    let AuditCommand::List(args) = command;
    let filter = AuditFilter {
        from: args.range.from,
        to: args.range.to,
        kind: args.actor.as_ref().map(|actor| actor.kind),
        name: args.actor.and_then(|actor| actor.name),
        action: AuditFilter::text("--action", &args.action)?,
        app: args.app.map(|key| app_key(&key)).transpose()?,
    };
    let mut left = args.limit;
    let mut found = Vec::new();
    let mut next = Some(AuditPosition::start());
    while let Some(before) = next.filter(|_| left > 0) {
        let size = PageSizes { max: 100, default: 100 }.choose(left.min(100))?;
        let page = audits::list(core, deadline(), &filter, &before, size).await?;
        left -= i32::try_from(page.items.len())?;
        found.extend(page.items);
        next = page.next;
    }
    let header = ["TIME", "ACTOR", "FROM", "ACTION", "APP", "TARGET", "BEFORE", "AFTER"];
    Ok(print_table(header, found.iter().map(row))?)
}

/// A record as the cells of a line.
fn row(event: &AuditEvent) -> [String; 8] {
    [
        time(event.created_at),
        event.author.to_string(),
        event.author.origin.clone(),
        event.action.clone(),
        event.app.as_ref().map(|(_, key)| key.to_string()).unwrap_or_default(),
        event.target.clone(),
        event.before.clone(),
        event.after.clone(),
    ]
}
