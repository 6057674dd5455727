//! The commands of the binary.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{self, DatabaseArgs, ServeArgs, Shown},
    demo,
    domain::{App, AppKey, AppLimitsChange, PageSizes, Secret, SecretKind},
    embedded::{self, Keeper},
    ops::{Core, apps, tokens},
    server, store, telemetry,
};

/// How long the private Postgres may take to start: enough to recover from a crash under load.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How many connections the private Postgres takes: a service's pool, and consoles beside it.
const PRIVATE_CONNECTIONS: u16 = 100;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a command that is typed at a console may take.
const CONSOLE_TIME: Duration = Duration::from_secs(60);

/// Friends, remarks and block lists as a service, over gRPC on Postgres.
///
/// Without a command it serves. Every setting can be given as a flag or as the environment variable
/// shown with it; a flag wins.
#[derive(Debug, Parser)]
#[command(name = "befriend", version, args_conflicts_with_subcommands = false)]
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
    /// Serve (the default).
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date, and end.
    Migrate,
    /// Create, show and change apps (the tenants).
    #[command(subcommand)]
    App(AppCommand),
    /// Issue a token of an app, and print it.
    Token {
        /// The app key, as "org#app".
        app_key: String,
        /// How long it is to live [default: 1d].
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = config::any_duration)]
        ttl: Shown<Duration>,
    },
    /// Ask a running befriend for its health; the exit code is 0 when it serves.
    Health(HealthArgs),
}

#[derive(Debug, Subcommand)]
enum AppCommand {
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
    /// Delete an app with all its users and lists.
    Delete {
        /// The app key, as "org#app".
        app_key: String,
        /// Do it without being asked again.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Clone, Copy, Debug)]
struct LimitArgs {
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

impl From<LimitArgs> for AppLimitsChange {
    fn from(args: LimitArgs) -> Self {
        Self {
            friend_limit: args.friend_limit,
            block_limit: args.block_limit,
            requests_per_second: args.requests_per_second,
        }
    }
}

#[derive(Args, Debug)]
struct HealthArgs {
    /// Where it listens; https:// for TLS.
    #[arg(
        long,
        env = "BEFRIEND_HEALTH_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051"
    )]
    url: String,
    /// The authority that signed the server's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The client's certificate (PEM), where the server asks for one.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command goes to its user")]
fn complain(error: &Failure) {
    eprintln!("befriend: {error}");
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
            with_core(&database, &cli.serve, async |core| app(core, command).await).await?;
        }
        Some(Command::Token { app_key, ttl }) => {
            with_core(&database, &cli.serve, async |core| {
                let key = AppKey::parse("app_key", &app_key)?;
                let issued =
                    tokens::issue_as_operator(core, console_deadline(), &key, ttl.0).await?;
                println!("{}", issued.token.reveal());
                Ok(())
            })
            .await?;
        }
        Some(Command::Health(args)) => return health(args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The database of this run: one that was named, or our private one.
struct Database {
    url: String,
    private: Option<Keeper>,
}

impl Database {
    async fn open(args: &DatabaseArgs) -> Result<Self, Failure> {
        if let Some(url) = &args.database_url {
            return Ok(Self { url: url.clone(), private: None });
        }
        let settings = embedded::Settings {
            data_dir: data_dir(args),
            database: "befriend".to_owned(),
            start_timeout: START_TIMEOUT,
            fsync: true,
            max_connections: PRIVATE_CONNECTIONS,
        };
        let private = tokio::task::spawn_blocking(move || Keeper::start(settings)).await??;
        Ok(Self { url: private.url().to_owned(), private: Some(private) })
    }

    async fn close(self) -> Result<(), Failure> {
        if let Some(private) = self.private {
            tokio::task::spawn_blocking(move || private.stop()).await??;
        }
        Ok(())
    }
}

fn data_dir(args: &DatabaseArgs) -> PathBuf {
    args.data_dir.clone().unwrap_or_else(embedded::default_data_dir)
}

/// Runs a console command on the database.
async fn with_core(
    database: &DatabaseArgs,
    args: &ServeArgs,
    command: impl AsyncFnOnce(&Core) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let database = Database::open(database).await?;
    store::migrate(&database.url).await?;
    let core = server::core(&database.url, args, None, Clock::system())?;
    let done = command(&core).await;
    core.db.close().await;
    database.close().await?;
    done
}

fn console_deadline() -> Instant {
    Instant::now() + CONSOLE_TIME
}

async fn serve(database_args: DatabaseArgs, args: ServeArgs) -> Result<(), Failure> {
    if let Err(error) = args.check() {
        Cli::command().error(clap::error::ErrorKind::ValueValidation, error).exit();
    }
    telemetry::start(args.log_format, &args.log);
    let stop = stop_on_signal();
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|e| format!("--listen: can't listen on {}: {e}", args.listen))?;
    let database = Database::open(&database_args).await?;
    if args.migrate {
        store::migrate(&database.url).await?;
    } else {
        store::require_current(&database.url).await?;
    }
    let operator_token = match (&args.operator_token, &database.private) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(_)) => Some(kept_operator_token(&data_dir(&database_args))?),
        (None, None) => {
            tracing::warn!("AppService is shut: --operator-token is not set");
            None
        }
    };
    let core = server::core(&database.url, &args, operator_token.clone(), Clock::system())?;
    let address = listener.local_addr()?;
    tracing::info!(%address, tls = args.tls_cert.is_some(), "listening");
    if args.demo {
        demo::prepare(&core, address, operator_token.as_ref()).await?;
    } else if let (Some(token), Some(_), None) =
        (&operator_token, &database.private, &args.operator_token)
    {
        println!("operator token: {}", token.reveal());
    }
    let served = server::serve(listener, core, &args, stop).await;
    database.close().await?;
    tracing::info!("stopped");
    Ok(served?)
}

/// The operator's token of a private Postgres: made at the first start, kept beside the data, for
/// its owner's eyes only.
fn kept_operator_token(data_dir: &Path) -> Result<Secret, Failure> {
    let path = data_dir.join("operator-token");
    let in_words =
        |error: io::Error| format!("can't keep the operator token in {}: {error}", path.display());
    match fs::read_to_string(&path) {
        Ok(token) => Ok(Secret::presented(token.trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = Secret::generate(SecretKind::OperatorToken);
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(in_words)?;
            io::Write::write_all(&mut file, token.reveal().as_bytes()).map_err(in_words)?;
            Ok(token)
        }
        Err(error) => Err(in_words(error).into()),
    }
}

/// Is cancelled by SIGINT or SIGTERM. A second signal ends the process at once.
fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tracing::error!("can't listen for signals");
            return;
        };
        for times in 1.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if times > 1 {
                std::process::exit(1);
            }
            stopping.cancel();
        }
    });
    stop
}

async fn app(core: &Core, command: AppCommand) -> Result<(), Failure> {
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
        AppCommand::Delete { app_key, yes } => {
            if !yes {
                return Err(
                    format!("{app_key} goes with all its users: repeat it with --yes").into()
                );
            }
            apps::delete(core, deadline, &parse(&app_key)?).await?;
            apps::purge_deleted(core, Instant::now() + Duration::from_secs(3600)).await?;
            println!("{app_key} is deleted");
        }
    }
    Ok(())
}

/// Prints an app as "name: value" lines with an empty line after, for eyes and for `awk` alike.
fn show(app: &App, secret: Option<&Secret>) {
    println!("app_key: {}", app.key);
    println!("uuid: {}", app.id);
    println!("client_id: {}", app.client_id);
    if let Some(secret) = secret {
        println!("client_secret: {}", secret.reveal());
    }
    println!("friend_limit: {}", app.limits.friend_limit);
    println!("block_limit: {}", app.limits.block_limit);
    println!("requests_per_second: {}", app.limits.requests_per_second);
    println!();
}

async fn health(args: HealthArgs) -> Result<ExitCode, Failure> {
    use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    let mut endpoint = Endpoint::from_shared(args.url.clone())?
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(3));
    if args.url.starts_with("https:") {
        let mut tls = ClientTlsConfig::new();
        if let Some(ca) = &args.ca {
            tls = tls.ca_certificate(Certificate::from_pem(fs::read(ca)?));
        }
        if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
            tls = tls.identity(Identity::from_pem(fs::read(cert)?, fs::read(key)?));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    let channel = endpoint.connect().await.map_err(|e| format!("{}: {e}", args.url))?;
    let request = HealthCheckRequest { service: String::new() };
    let status = HealthClient::new(channel).check(request).await?.into_inner().status();
    println!("{}", status.as_str_name());
    Ok(if status == ServingStatus::Serving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
