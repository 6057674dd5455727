//! `befriend config`: what the settings come to.

use std::process::ExitCode;

use clap::{ArgMatches, Args, Subcommand, parser::ValueSource};
use serde_json::{Value, json};

use super::{
    error::CommandError,
    output::{OutputArgs, Show},
    progress::print_error,
};
use crate::{
    clock::Clock,
    config::{DatabaseArgs, ServeArgs, SettingsFile, settings},
    server, store,
};

#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show all settings of `befriend serve` with where each comes from, without secrets, and check them.
    ///
    /// Takes the flags of `befriend serve`. The exit code is 0 if a service could start with the settings, as
    /// far as can be told without a database.
    Check(Box<ServeArgs>),
}

/// A setting as it is in effect.
struct Effective {
    name: String,
    value: Option<String>,
    source: &'static str,
    variable: String,
}

impl Show for Effective {
    const COLUMNS: &'static [&'static str] = &["setting", "value", "source", "variable"];

    fn values(&self) -> Vec<Value> {
        vec![json!(self.name), json!(self.value), json!(self.source), json!(self.variable)]
    }
}

/// Shows the settings in `matches`, which are those of the whole command line, and checks them.
pub(super) fn run(
    args: ConfigArgs,
    database: &DatabaseArgs,
    matches: &ArgMatches,
    file: Option<&SettingsFile>,
) -> Result<ExitCode, CommandError> {
    let ConfigCommand::Check(serve) = args.command;
    let own = matches.subcommand_matches("config").and_then(|m| m.subcommand_matches("check"));
    let own = own.expect("this is `config check`");
    let all = ServeArgs::augment_args(DatabaseArgs::augment_args(clap::Command::new("befriend")));
    let effective: Vec<_> =
        settings(&all).map(|setting| Effective::of(setting, own, file)).collect();
    args.output.all(&effective)?;
    let mut problems = Vec::new();
    problems.extend(serve.check().err().map(|error| error.to_string()));
    problems.extend(database.url().err().map(|error| error.to_string()));
    problems.extend(database.check(serve.ephemeral).err().map(|error| error.to_string()));
    problems.extend(
        server::check_certificates(&serve.listener, &Clock::system()).err().map(|e| e.to_string()),
    );
    for problem in &problems {
        print_error(&format!("befriend: {problem}"));
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Effective {
    fn of(setting: &clap::Arg, matches: &ArgMatches, file: Option<&SettingsFile>) -> Self {
        let (id, name) = (setting.get_id().as_str(), setting.get_long().unwrap_or_default());
        let values = matches.get_raw(id).into_iter().flatten();
        let value: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let value = Some(value.join(",")).filter(|value| !value.is_empty());
        let value = match value {
            Some(url) if id == "database_url" => {
                Some(store::place(&url).unwrap_or_else(|_| "(unreadable)".to_owned()))
            }
            Some(_) if setting.is_hide_env_values_set() => Some("(secret)".to_owned()),
            value => value,
        };
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            Some(_) if file.is_some_and(|file| file.has(name)) => "file",
            _ => "default",
        };
        let variable = setting.get_env().unwrap_or_default().to_string_lossy().into_owned();
        Self { name: name.to_owned(), value, source, variable }
    }
}
