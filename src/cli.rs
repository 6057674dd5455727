//! The commands of the binary.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    error::ErrorKind, parser::ValueSource,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    clock::Clock,
    config::{self, DatabaseArgs, ServeArgs, Shown},
    demo,
    domain::{
        App, AppKey, AppLimitsChange, Event, EventFilter, EventId, EventPosition, EventState,
        EventType, PageSizes, Secret, SecretKind, StateName, Username,
    },
    embedded::{self, Keeper},
    ops::{Call, Core, apps, events, tokens},
    receiver::{self, ReceiverArgs},
    server, store, telemetry,
};

/// How long the private Postgres may take to start: enough to recover from a crash under load.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How many connections the private Postgres takes: a service's pool, and consoles beside it.
const PRIVATE_CONNECTIONS: u16 = 100;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a command that is typed at a console may take.
const CONSOLE_TIME: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  befriend --demo                         try it: a private Postgres, a demo app, commands to paste
  befriend --database-url postgres://...  serve on a Postgres of your own
  befriend app create 'acme#chat'         create an app (a tenant) and see its credentials
  befriend token 'acme#chat'              issue a token of that app";

/// Friends, remarks and block lists as a service, over gRPC on Postgres.
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
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = config::any_duration)]
        ttl: Shown<Duration>,
    },
    /// Look at an app's callback events, and have them sent again.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Receive callbacks, for development: check their signatures and print them.
    Receiver(ReceiverArgs),
    /// Ask a running befriend whether it serves; the exit code is 0 if so.
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

#[derive(Debug, Subcommand)]
enum EventsCommand {
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
        /// How many events at the most.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
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
    #[arg(long, env = "BEFRIEND_HEALTH_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The client's certificate (PEM), where the server asks for one.
    #[arg(long, env = "BEFRIEND_HEALTH_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM).
    #[arg(long, env = "BEFRIEND_HEALTH_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
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
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors say their cause themselves.
        if !words.contains(&error.to_string()) {
            words = format!("{words}: {error}");
        }
        cause = error.source();
    }
    eprintln!("befriend: {words}");
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
        Some(Command::Events(command)) => {
            with_core(&database, &cli.serve, async |core| event(core, command).await).await?;
        }
        Some(Command::Receiver(args)) => receive(args).await?,
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
    command: impl AsyncFnOnce(&Arc<Core>) -> Result<(), Failure>,
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
        Cli::command().error(ErrorKind::ValueValidation, error).exit();
    }
    telemetry::start(args.log_format, &args.log);
    let stop = stop_on_signal();
    let listener = TcpListener::bind(args.listen).await.map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => format!(
            "--listen: {} is taken by another program; choose another port, such as --listen \
                 127.0.0.1:50052, or 0 for any",
            args.listen
        ),
        _ => format!("--listen: can't listen on {}: {e}", args.listen),
    })?;
    let database = Database::open(&database_args).await?;
    let operator_token = match (&args.operator_token, &database.private) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(_)) => Some(kept_operator_token(&data_dir(&database_args))?),
        (None, None) => {
            tracing::warn!("AppService is shut: --operator-token is not set");
            None
        }
    };
    let core = server::core(&database.url, &args, operator_token.clone(), Clock::system())?;
    wait_for_database(&core, args.db_wait.0).await;
    if args.migrate {
        store::migrate(&database.url).await?;
    } else {
        store::require_current(&database.url).await?;
    }
    let address = listener.local_addr()?;
    tracing::info!(%address, tls = args.tls_cert.is_some(), "listening");
    if args.demo {
        let tls = args.tls_cert.is_some();
        demo::prepare(&core, address, tls, operator_token.as_ref(), stop.clone()).await?;
    } else if let (Some(token), Some(_), None) =
        (&operator_token, &database.private, &args.operator_token)
    {
        println!("operator token: {}", token.reveal());
    }
    let postman = args.postman(database.private.is_some());
    if args.deliver && postman.allow_private {
        tracing::warn!(
            "callbacks may go to loopback and private addresses: --callback-allow-private"
        );
    }
    let served = server::serve(listener, core, &args, postman, stop).await;
    database.close().await?;
    tracing::info!("stopped");
    Ok(served?)
}

/// Gives a database that starts together with us the time for it. Whoever comes next says what is
/// wrong if it never answers.
async fn wait_for_database(core: &Core, longest: Duration) {
    let deadline = Instant::now() + longest;
    while !core.db.is_reachable().await && Instant::now() < deadline {
        tracing::info!("waiting for the database");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
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

async fn event(core: &Arc<Core>, command: EventsCommand) -> Result<(), Failure> {
    let call = async |app_key: &str| {
        let app = apps::get(core, &AppKey::parse("app_key", app_key)?).await?;
        let (core, app) = (Arc::clone(core), Arc::new(app));
        Ok::<Call, Failure>(Call { core, app, deadline: console_deadline() })
    };
    let parse = |id: &str| EventId::parse(id).ok_or_else(|| format!("{id} is no event's id"));
    match command {
        EventsCommand::List { app_key, rule, user, event_type, state, limit } => {
            let call = call(&app_key).await?;
            let user = user.map(|name| Username::parse("--user", &name)).transpose()?;
            let filter = EventFilter {
                rule_id: rule,
                owner: user.map(|name| call.owner_key(&name)),
                event_type: event_type.map(|t| EventType::parse("--type", &t)).transpose()?,
                state: state.map(StateName::from),
                from: None,
                to: None,
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
fn show_event(event: &Event) {
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

async fn receive(args: ReceiverArgs) -> Result<(), Failure> {
    let stop = stop_on_signal();
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|e| format!("--listen: can't listen on {}: {e}", args.listen))?;
    println!("receiving callbacks on http://{}", listener.local_addr()?);
    Ok(receiver::serve(listener, args, stop).await?)
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
    let channel = endpoint.connect().await?;
    let request = HealthCheckRequest { service: String::new() };
    let status = HealthClient::new(channel).check(request).await?.into_inner().status();
    println!("{}", status.as_str_name());
    Ok(if status == ServingStatus::Serving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
