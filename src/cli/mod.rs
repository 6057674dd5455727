//! The commands of the binary.

mod admin;
pub mod dev;
mod health;
mod progress;
mod pull;
mod serve;
mod transfer;

use std::{process::ExitCode, time::Duration};

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::ErrorKind, parser::ValueSource,
};

use self::{
    admin::{AppCommand, EventsCommand, app, event, token, with_core},
    dev::receiver::ReceiverArgs,
    health::{HealthArgs, health},
    serve::{Database, receive, serve},
    transfer::{ExportArgs, ImportCommand, export, import},
};
use crate::{
    config::{self, DatabaseArgs, ServeArgs, Shown},
    domain::with_causes,
    store, telemetry,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const EXAMPLES: &str = "\
Examples:
  befriend --demo                         try it: a private Postgres, a demo app, commands to paste
  befriend --database-url postgres://...  serve on a Postgres of your own
  befriend app create 'acme#chat'         create an app (a tenant) and see its credentials
  befriend token 'acme#chat'              issue a token of that app
  befriend export 'acme#chat' --out chat  write its users, friends and blocks to files
  befriend import files 'acme#chat' chat  bring them in again";

/// Friends, remarks and block lists as a service on Postgres, over gRPC and the HTTP APIs of Easemob
/// and NetEase.
///
/// Without a command it serves. A setting is given as a flag or as the environment variable that is
/// shown with it; a flag wins. A TIME is a whole number with a unit: 250ms, 30s, 5m, 2h, 1d.
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
    /// Serve; the same as no command.
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date.
    Migrate,
    /// Create, show and change apps (the tenants).
    #[command(subcommand)]
    App(AppCommand),
    /// Issue a token of an app, and print it.
    Token {
        /// The app key, as "org#app".
        app_key: String,
        /// How long it is to live: 1m at the least, 60d at the most.
        #[arg(long, value_name = "TIME", value_parser = config::any_duration)]
        ttl: Option<Shown<Duration>>,
    },
    /// Write an app's users, friends and blocks to files.
    Export(ExportArgs),
    /// Bring users, friends and blocks into an app.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Look at an app's callback events, and have them sent again.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Receive callbacks, for development: check their signatures and print them.
    Receiver(ReceiverArgs),
    /// Ask a running befriend whether it serves; the exit code is 0 if so.
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
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Refuses a flag of `serve` that stands before another word: it would be read and not heeded.
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

#[expect(clippy::print_stderr, reason = "the last word of a command goes to its user")]
fn complain(error: &Failure) {
    eprintln!("befriend: {}", with_causes(&**error));
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let database = cli.database;
    match cli.command {
        None => serve(database, cli.serve).await?,
        Some(Command::Serve(args)) => serve(database, *args).await?,
        Some(Command::Migrate) => {
            let database = Database::open(&database).await?;
            store::migrate(&database.url).await?;
            println!("the schema is at version {}", store::expected_version());
            database.close().await?;
        }
        Some(Command::App(command)) => {
            let credentials_key = command.credentials_key().cloned();
            let settings = ServeArgs { credentials_key, ..cli.serve };
            with_core(&database, &settings, async |core| app(core, command).await).await?;
        }
        Some(Command::Token { app_key, ttl }) => {
            with_core(&database, &cli.serve, async |core| {
                let ttl = ttl.map_or(Duration::ZERO, |ttl| ttl.0);
                token(core, &app_key, ttl).await
            })
            .await?;
        }
        Some(Command::Export(args)) => {
            with_core(&database, &cli.serve, async |core| export(core, args).await).await?;
        }
        Some(Command::Import(command)) => {
            return with_core(&database, &cli.serve, async |core| import(core, command).await)
                .await;
        }
        Some(Command::Events(command)) => {
            with_core(&database, &cli.serve, async |core| event(core, command).await).await?;
        }
        Some(Command::Receiver(args)) => receive(args).await?,
        Some(Command::Health(args)) => return health(args, cli.serve.listen).await,
    }
    Ok(ExitCode::SUCCESS)
}
