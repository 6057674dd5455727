//! The commands of the binary: one file a command, and beside them what several commands use.

mod apps;
mod audits;
mod blocks;
mod callback_rules;
mod config;
mod core;
mod database;
mod dev;
mod ephemeral;
mod error;
mod events;
mod export;
mod friends;
mod health;
mod import;
mod listener;
mod memory;
mod operations;
mod operators;
mod output;
mod pages;
mod parent;
mod progress;
mod relations;
mod requests;
mod secrets;
mod serve;
mod signals;
mod tokens;
mod users;
mod variables;

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::{ContextKind, ErrorKind},
    parser::ValueSource,
};

use self::{
    config::ConfigArgs,
    core::with_core,
    dev::receiver::{self, ReceiverArgs},
    error::CommandError,
    health::{HealthArgs, health},
    operations::Operation,
    output::OutputArgs,
    parent::Parent,
    progress::print_error,
    serve::serve,
};
use crate::{
    config::{DatabaseArgs, FileArgs, ServeArgs, SettingsFile, SettingsFileError},
    domain::with_causes,
    ops::Core,
    telemetry,
};

const EXAMPLES: &str = "\
Examples:
  befriend --demo                         try it: a private Postgres, a demo app, commands to paste
  befriend --database-url postgres://...  serve on a Postgres of your own
  befriend app create 'acme#chat'         create an app (a tenant) and see its credentials
  befriend serve --ephemeral              serve for one run of tests, and print how to call
  befriend token 'acme#chat'              issue a token of that app
  befriend export 'acme#chat' --out chat  write its users, friends and blocks to files
  befriend import files 'acme#chat' chat  import such files into an app";

/// Friends, remarks and block lists as a service on Postgres, over gRPC and the HTTP APIs of Easemob
/// and NetEase.
///
/// Without a command befriend serves. A setting is given as a flag, as the environment variable that is
/// shown beside the flag, or in the file of --config: the flag wins, then the variable. A TIME is a whole
/// number with a unit: 250ms, 30s, 5m, 2h, 1d.
#[derive(Debug, Parser)]
#[command(
    name = "befriend",
    version,
    args_conflicts_with_subcommands = false,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, as befriend does without a command.
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date.
    Migrate {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show the settings with where they come from, and check them.
    Config(ConfigArgs),
    #[command(flatten)]
    Operation(Operation),
    /// Receive callbacks, for development: check their signatures and print them.
    Receiver(ReceiverArgs),
    /// Ask a running befriend whether it serves; the exit code is 0 if it does.
    Health(HealthArgs),
}

/// Runs the command of this process. `collect_memory` has the allocator collect the free memory of the thread
/// that calls it.
pub fn main(collect_memory: fn()) -> ExitCode {
    // First, so that no end of the parent is missed.
    let parent = Parent::now();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let (command, file) = match command(&arguments) {
        Ok(found) => found,
        Err(error) => {
            print_error(&format!("befriend: {error}"));
            return ExitCode::from(2);
        }
    };
    let warnings = variables::warnings(&command);
    let matches = command.try_get_matches_from(&arguments);
    let matches = matches.unwrap_or_else(|error| refuse(&error, file.as_ref()));
    refuse_misplaced(&matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let told = Told { matches, file, warnings, parent };
    let done = match runtime {
        Ok(runtime) => {
            runtime.spawn(memory::collect(collect_memory));
            runtime.block_on(run(cli, told))
        }
        Err(error) => Err(error.into()),
    };
    telemetry::flush();
    match done {
        Ok(code) => code,
        Err(error) => {
            print_error(&format!("befriend: {}", with_causes(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// What the process was told beside its command.
struct Told {
    matches: ArgMatches,
    file: Option<SettingsFile>,
    /// A sentence on each variable that is no setting.
    warnings: Vec<String>,
    /// Who started the process.
    parent: Parent,
}

/// The command line, with the values of the file of settings as defaults.
fn command(
    arguments: &[OsString],
) -> Result<(clap::Command, Option<SettingsFile>), SettingsFileError> {
    let command = Cli::command()
        .mut_subcommand("receiver", without_database)
        .mut_subcommand("health", without_database);
    let Some(file) = SettingsFile::of_process(arguments)? else { return Ok((command, None)) };
    Ok((file.apply(command, arguments)?, Some(file)))
}

/// Hides the flags of the database, which every command would inherit: what a command has already, it does not.
fn without_database(command: clap::Command) -> clap::Command {
    let flags = DatabaseArgs::augment_args(clap::Command::new("database"));
    let hidden = flags.get_arguments().map(|flag| {
        let long = flag.get_long().unwrap_or_default().to_owned();
        clap::Arg::new(flag.get_id().clone()).long(long).hide(true)
    });
    command.args(hidden.collect::<Vec<_>>())
}

/// Ends the process with the error of a command line, and with the file if it comes from there.
fn refuse(error: &clap::Error, file: Option<&SettingsFile>) -> ! {
    let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let name = flag.trim_start_matches('-').split(' ').next().unwrap_or_default();
    if let Some(file) = file.filter(|file| file.has(name)) {
        print_error(&format!("befriend: {} has the setting {name} too", file.path().display()));
    }
    error.exit()
}

/// Refuses a flag that the command would read and ignore: one of `serve` in front of another command, and
/// one of the database for a command that uses none.
fn refuse_misplaced(matches: &ArgMatches) {
    let Some((command, own)) = matches.subcommand() else { return };
    let given =
        |matches: &ArgMatches, id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let flags = ServeArgs::augment_args(clap::Command::new("serve"));
    let misplaced = flags.get_arguments().find(|flag| given(matches, flag.get_id().as_str()));
    if let Some(flag) = misplaced {
        let flag = flag.get_long().unwrap_or_default();
        let why = format!("--{flag} belongs behind `serve`, not before `{command}`");
        Cli::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    let flags = DatabaseArgs::augment_args(clap::Command::new("database"));
    let mut flags = flags.get_arguments();
    if ["receiver", "health"].contains(&command)
        && let Some(flag) = flags.find(|flag| given(own, flag.get_id().as_str()))
    {
        let flag = flag.get_long().unwrap_or_default();
        let why = format!("`{command}` uses no database, and takes no --{flag}");
        Cli::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
}

/// Ends the process, with the usage, if the settings of `serve` contradict each other.
fn refuse_contradictions(database: &DatabaseArgs, args: &ServeArgs) {
    let checked = args.check().and_then(|()| database.check(args.ephemeral));
    if let Err(error) = checked {
        Cli::command().error(ErrorKind::ValueValidation, error).exit();
    }
}

async fn run(cli: Cli, told: Told) -> Result<ExitCode, CommandError> {
    let (database, mut settings) = (cli.database, cli.serve);
    let command = cli.command.unwrap_or_else(|| Command::Serve(Box::new(settings.clone())));
    if !matches!(command, Command::Serve(_)) {
        told.warnings.iter().for_each(|warning| print_error(&format!("befriend: {warning}")));
    }
    match command {
        Command::Serve(mut args) => {
            refuse_contradictions(&database, &args);
            if args.ephemeral {
                ephemeral::set_defaults(&mut args, &told.matches, told.file.as_ref());
            }
            serve(database, *args, &told.warnings, &told.parent).await?;
        }
        Command::Migrate { output } => database::migrate(&database, output).await?,
        Command::Config(args) => {
            return config::run(args, &database, &told.matches, told.file.as_ref());
        }
        Command::Operation(operation) => {
            settings.access.credentials_key = operation.credentials_key();
            let run = async |core: &Arc<Core>| operation.run(core).await;
            return with_core(&database, &settings, run).await;
        }
        Command::Receiver(args) => receiver::run(args).await?,
        Command::Health(args) => return health(args, &settings.listener.listen).await,
    }
    Ok(ExitCode::SUCCESS)
}
