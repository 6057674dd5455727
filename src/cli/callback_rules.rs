//! `befriend rule`: shows, creates, changes and deletes the callback rules of an app.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    core::{Printing, app_key, operator_call},
    error::CommandError,
    output::{OutputArgs, Show, time},
};
use crate::{
    config,
    delivery::check_authorities,
    domain::{
        BodyFormat, CallbackRule, CallbackUrl, EventType, RuleChange, RuleChoice, SigningSecret,
        parse_duration,
    },
    ops::{Core, OperatorCall, access::callback_rules},
};

#[derive(Args, Debug)]
pub(super) struct RuleArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: RuleCommand,
}

#[derive(Debug, Subcommand)]
enum RuleCommand {
    /// Show an app's callback rules, the oldest first.
    List {
        /// The app key, as "org#app".
        app_key: String,
    },
    /// Show a callback rule.
    Get(RuleArg),
    /// Create a callback rule and print its signing secret. The secret is shown only now.
    Create {
        /// The app key, as "org#app".
        app_key: String,
        /// Where events are sent, as https://example.com/callbacks.
        url: String,
        #[command(flatten)]
        choice: ChoiceArgs,
        #[command(flatten)]
        secret: SecretArgs,
    },
    /// Change a callback rule.
    Update {
        #[command(flatten)]
        rule: RuleArg,
        /// Where events are sent.
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        choice: ChoiceArgs,
        /// Whether the rule gets events; pending ones wait while it does not.
        #[arg(long, value_name = "BOOL")]
        enabled: Option<bool>,
    },
    /// Replace a rule's signing secret and print the new one.
    RotateSecret {
        #[command(flatten)]
        rule: RuleArg,
        #[command(flatten)]
        secret: SecretArgs,
        /// How long events are signed with the old secret too.
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = parse_duration)]
        grace_period: Duration,
    },
    /// Delete a callback rule, with its events.
    Delete {
        #[command(flatten)]
        rule: RuleArg,
        /// Confirm the deletion.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
struct RuleArg {
    /// The app key, as "org#app".
    app_key: String,
    /// The id of the rule.
    rule_id: Uuid,
}

#[derive(Args, Debug)]
struct ChoiceArgs {
    /// Types of events to send, as friend.added; separated by commas [default: all].
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    event_types: Vec<String>,
    /// The format of the bodies [default: standard].
    #[arg(long, value_enum)]
    body_format: Option<BodyFormatArg>,
    /// A file with the authorities that may certify the receiver (PEM) [default: those of the system].
    #[arg(long, value_name = "FILE")]
    ca_certificates: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct SecretArgs {
    /// A file that holds a signing secret of your own choice (whsec_...) [default: a new one].
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BodyFormatArg {
    /// Standard Webhooks.
    Standard,
    /// Easemob's envelope.
    Easemob,
}

impl From<BodyFormatArg> for BodyFormat {
    fn from(format: BodyFormatArg) -> Self {
        match format {
            BodyFormatArg::Standard => Self::Standard,
            BodyFormatArg::Easemob => Self::Easemob,
        }
    }
}

impl ChoiceArgs {
    fn event_types(&self) -> Result<Option<Vec<EventType>>, CommandError> {
        let types = self.event_types.iter().map(|name| EventType::parse("--event-types", name));
        let types: Vec<_> = types.collect::<Result<_, _>>()?;
        Ok(Some(types).filter(|types| !types.is_empty()))
    }

    fn ca_certificates(&self) -> Result<Option<String>, CommandError> {
        let Some(path) = &self.ca_certificates else { return Ok(None) };
        let refused = |why: String| format!("--ca-certificates: {}: {why}", path.display());
        let pem = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        check_authorities(&pem).map_err(refused)?;
        Ok(Some(pem))
    }
}

impl SecretArgs {
    /// The secret of the file, or a new one.
    fn secret(&self) -> Result<SigningSecret, CommandError> {
        let flag = "--signing-secret";
        let Some(secret) = config::secret_of(flag, None, self.signing_secret_file.as_deref())?
        else {
            return Ok(SigningSecret::generate());
        };
        Ok(SigningSecret::parse(flag, secret.reveal())?)
    }
}

impl Show for CallbackRule {
    const COLUMNS: &'static [&'static str] = &[
        "rule_id",
        "url",
        "event_types",
        "body_format",
        "enabled",
        "disabled_reason",
        "create_time",
        "update_time",
    ];

    fn values(&self) -> Vec<Value> {
        let types: Vec<_> = self.event_types.iter().map(|one| one.as_str()).collect();
        vec![
            json!(self.id.to_string()),
            json!(self.url.to_string()),
            json!(types),
            json!(self.body_format.as_str()),
            json!(self.enabled),
            json!(self.disabled_reason),
            time(self.created_at),
            time(self.modified_at),
        ]
    }
}

pub(super) async fn run(core: &Arc<Core>, args: RuleArgs) -> Result<(), CommandError> {
    let (output, call) = (args.output, operator_call(core));
    match args.command {
        RuleCommand::List { app_key: key } => {
            output.all(&callback_rules::list(core, call.deadline, &app_key(&key)?).await?)?;
        }
        RuleCommand::Get(RuleArg { app_key: key, rule_id }) => {
            output
                .show(&callback_rules::get(core, call.deadline, &app_key(&key)?, rule_id).await?)?;
        }
        RuleCommand::Create { app_key: key, url, choice, secret } => {
            let (key, secret) = (app_key(&key)?, secret.secret()?);
            let choice = RuleChoice {
                url: CallbackUrl::parse("url", &url)?,
                event_types: choice.event_types()?.unwrap_or_else(|| EventType::wanted().collect()),
                body_format: choice.body_format.unwrap_or(BodyFormatArg::Standard).into(),
                ca_certificates: choice.ca_certificates()?.unwrap_or_default(),
            };
            // Before the change is committed: nobody could verify what a rule of a lost secret sends.
            let printing = Printing::default();
            let show = |rule: &CallbackRule| {
                let secret = [("signing_secret", json!(rule.secret.reveal()))];
                printing.note(output.for_secret().and_then(|o| o.show_with(rule, &secret)))
            };
            let created = callback_rules::create(&call, &key, choice, Some(secret), show).await;
            printing.outcome(created)?;
        }
        RuleCommand::Update { rule: RuleArg { app_key: key, rule_id }, url, choice, enabled } => {
            let change = RuleChange {
                url: url.map(|url| CallbackUrl::parse("--url", &url)).transpose()?,
                event_types: choice.event_types()?,
                body_format: choice.body_format.map(BodyFormat::from),
                enabled,
                ca_certificates: choice.ca_certificates()?,
            };
            let key = app_key(&key)?;
            output.show(&callback_rules::update(&call, &key, rule_id, change).await?)?;
        }
        RuleCommand::RotateSecret { rule, secret, grace_period } => {
            rotate(&call, output, &rule, &secret.secret()?, grace_period).await?;
        }
        RuleCommand::Delete { rule: RuleArg { app_key: key, rule_id }, yes } => {
            if !yes {
                let why = format!("--yes is missing: {rule_id} would be deleted with its events");
                return Err(why.into());
            }
            callback_rules::delete(&call, &app_key(&key)?, rule_id).await?;
            output.members([("deleted", json!(rule_id.to_string()))])?;
        }
    }
    Ok(())
}

/// Shows the new secret before the rule has it: a secret that can't be shown is not used.
async fn rotate(
    call: &OperatorCall,
    output: OutputArgs,
    RuleArg { app_key: key, rule_id }: &RuleArg,
    secret: &SigningSecret,
    grace: Duration,
) -> Result<(), CommandError> {
    let key = app_key(key)?;
    let rule = callback_rules::get(&call.core, call.deadline, &key, *rule_id).await?;
    output.for_secret()?.show_with(&rule, &[("signing_secret", json!(secret.reveal()))])?;
    let grace = time::Duration::try_from(grace)?;
    let secret = Some(secret.clone());
    callback_rules::rotate_secret(call, &key, *rule_id, secret, grace).await?;
    Ok(())
}
