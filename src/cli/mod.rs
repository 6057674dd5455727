//! The commands of the binary: one file a command, and beside them what several commands use.

mod apps;
mod audits;
mod core;
mod database;
mod dev;
mod error;
mod events;
mod export;
mod health;
mod import;
mod listener;
mod operators;
mod output;
mod progress;
mod secrets;
mod serve;
mod signals;
mod tokens;

use std::process::ExitCode;

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::ErrorKind, parser::ValueSource,
};

use self::{
    apps::AppCommand,
    audits::AuditCommand,
    core::with_core,
    dev::receiver::{self, ReceiverArgs},
    error::CommandError,
    events::EventsCommand,
    export::{ExportArgs, export},
    health::{HealthArgs, health},
    import::{ImportCommand, import},
    operators::OperatorCommand,
    progress::print_error,
    serve::serve,
    tokens::TokenArgs,
};
use crate::{
    config::{DatabaseArgs, ServeArgs},
    domain::with_causes,
    telemetry,
};

const EXAMPLES: &str = "\
Examples:
  befriend --demo                         try it: a private Postgres, a demo app, commands to paste
  befriend --database-url postgres://...  serve on a Postgres of your own
  befriend app create 'acme#chat'         create an app (a tenant) and see its credentials
  befriend token 'acme#chat'              issue a token of that app
  befriend export 'acme#chat' --out chat  write its users, friends and blocks to files
  befriend import files 'acme#chat' chat  import such files into an app";

/// Friends, remarks and block lists as a service on Postgres, over gRPC and the HTTP APIs of Easemob
/// and NetEase.
///
/// Without a command befriend serves. A setting is given as a flag or as the environment variable that
/// is shown beside the flag; the flag wins. A TIME is a whole number with a unit: 250ms, 30s, 5m, 2h,
/// 1d.
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
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, as befriend does without a command.
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date.
    Migrate,
    /// Create, show, change and delete apps (the tenants).
    #[command(subcommand)]
    App(AppCommand),
    /// Create, show and revoke the tokens of operators.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Show who changed what.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Issue a token of an app, and print it.
    Token(TokenArgs),
    /// Export an app's users, friends and blocks to files.
    Export(ExportArgs),
    /// Import users, friends and blocks into an app, from files or from another service.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Show an app's callback events, and send them again.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Receive callbacks, for development: check their signatures and print them.
    Receiver(ReceiverArgs),
    /// Ask a running befriend whether it serves; the exit code is 0 if it does.
    Health(HealthArgs),
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    refuse_misplaced(&matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
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

/// Refuses a flag of `serve` in front of another command, which would read and ignore the flag.
fn refuse_misplaced(matches: &ArgMatches) {
    let Some((command, _)) = matches.subcommand() else { return };
    let flags = ServeArgs::augment_args(clap::Command::new("serve"));
    let misplaced = flags.get_arguments().find(|flag| {
        let source = matches.value_source(flag.get_id().as_str());
        source == Some(ValueSource::CommandLine)
    });
    if let Some(flag) = misplaced {
        let flag = flag.get_long().unwrap_or_default();
        let why = format!("--{flag} belongs behind `serve`, not before `{command}`");
        Cli::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
}

/// Ends the process, with the usage, if the settings of `serve` contradict each other.
fn refuse_contradictions(args: &ServeArgs) {
    if let Err(error) = args.check() {
        Cli::command().error(ErrorKind::ValueValidation, error).exit();
    }
}

async fn run(cli: Cli) -> Result<ExitCode, CommandError> {
    let (database, mut settings) = (cli.database, cli.serve);
    match cli.command.unwrap_or_else(|| Command::Serve(Box::new(settings.clone()))) {
        Command::Serve(args) => {
            refuse_contradictions(&args);
            serve(database, *args).await?;
        }
        Command::Migrate => database::migrate(&database).await?,
        Command::App(command) => {
            let key = command.credentials_key().cloned();
            settings.access.credentials_key = key.unwrap_or_default();
            with_core(&database, &settings, async |core| apps::run(core, command).await).await?;
        }
        Command::Operator(command) => {
            with_core(&database, &settings, async |core| operators::run(core, command).await)
                .await?;
        }
        Command::Audit(command) => {
            with_core(&database, &settings, async |core| audits::run(core, command).await).await?;
        }
        Command::Token(args) => {
            with_core(&database, &settings, async |core| tokens::issue(core, args).await).await?;
        }
        Command::Export(args) => {
            with_core(&database, &settings, async |core| export(core, args).await).await?;
        }
        Command::Import(command) => {
            return with_core(&database, &settings, async |core| import(core, command).await).await;
        }
        Command::Events(command) => {
            with_core(&database, &settings, async |core| events::run(core, command).await).await?;
        }
        Command::Receiver(args) => receiver::run(args).await?,
        Command::Health(args) => return health(args, &settings.listener.listen).await,
    }
    Ok(ExitCode::SUCCESS)
}
