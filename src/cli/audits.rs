//! `befriend audit`: shows who changed what.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    core::{app_key, deadline},
    error::CommandError,
    events::TimeRangeArgs,
    output::{OutputArgs, Show, time},
    pages::{LimitArg, pages},
};
use crate::{
    domain::{ActorKind, AuditEvent, AuditFilter, AuditPosition},
    ops::{Core, audits},
};

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Show the changes by operators, at the console and by apps themselves, the newest first.
    List(ListArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
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
    #[command(flatten)]
    limit: LimitArg,
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

pub(super) async fn run(core: &Arc<Core>, args: AuditArgs) -> Result<(), CommandError> {
    let (output, AuditCommand::List(args)) = (args.output, args.command);
    let filter = AuditFilter {
        from: args.range.from,
        to: args.range.to,
        kind: args.actor.as_ref().map(|actor| actor.kind),
        name: args.actor.and_then(|actor| actor.name),
        action: AuditFilter::text("--action", &args.action)?,
        app: args.app.map(|key| app_key(&key)).transpose()?,
    };
    let read = async |before, size| audits::list(core, deadline(), &filter, &before, size).await;
    pages(output, args.limit, AuditPosition::start(), read).await
}

impl Show for AuditEvent {
    const COLUMNS: &'static [&'static str] =
        &["time", "actor", "from", "action", "app", "target", "before", "after"];

    fn values(&self) -> Vec<Value> {
        vec![
            time(self.created_at),
            json!(self.author.to_string()),
            json!(self.author.origin),
            json!(self.action),
            json!(self.app.as_ref().map(|(_, key)| key.to_string())),
            json!(self.target),
            facts(&self.before),
            facts(&self.after),
        ]
    }
}

/// Facts of a record, which are stored as the text of an object.
fn facts(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
