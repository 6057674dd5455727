//! How fast befriend is, beside what this machine's Postgres and tonic can do at the best: `make bench`.
//!
//! Everything runs on one machine: the callers, the service, its private Postgres with fsync. So the
//! figures are for comparing with each other, here and now. What is compared takes turns in short
//! phases, round after round, and ratios are formed within a round: what else the machine does then
//! hits all of them alike.

mod data;
mod echo;
mod load;
mod machine;
mod operations;
mod pgbench;
mod plots;
mod report;
mod wire;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use befriend::{
    private_postgres::{PrivatePostgres, Settings},
    proto::{self, app_service_client::AppServiceClient, token_service_client::TokenServiceClient},
    store,
};
use clap::{Parser, ValueEnum as _};
use indicatif::{ProgressBar, ProgressStyle};
use sqlx::PgPool;
use tonic::{
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

use self::{
    data::Size,
    load::{Measured, Times, Work},
    machine::Process,
    operations::{Caller, Operation, authorized},
    pgbench::Pgbench,
    report::{Contender, Memory, OpenPhase, Phase, Report},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const OPERATOR: &str = "operator-token-of-the-bench-0123456789";
const APP: &str = "bench#speed";

/// How many connections an open loop uses where each caller has their own.
const OPEN_CONNECTIONS: usize = 64;

/// No user of the ring is a friend of another who is further away; until the bench adds friends.
const PAGE_TOP: i64 = 1000;

#[derive(Parser)]
#[command(about = "Measures befriend beside pgbench and a tonic echo, in one interleaved run.")]
struct Flags {
    #[command(flatten)]
    size: Size,
    /// What to measure, separated by commas; all if nothing is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    operations: Vec<Operation>,
    /// How many callers at once, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32, 64, 256])]
    callers: Vec<usize>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each phase is, in seconds; those at a fixed rate twice as long.
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// At which rates to measure with an open loop, as parts of what 64 callers reach.
    #[arg(long, value_delimiter = ',', default_values_t = [0.25, 0.5, 0.75, 0.9])]
    open: Vec<f64>,
    /// How many connections the callers share; 0 for each caller their own.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Whom to measure, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["pgbench", "echo", "befriend"])]
    contenders: Vec<Contender>,
    /// Another befriend, to be measured beside this one.
    #[arg(long)]
    other: Option<PathBuf>,
    /// Where the database is kept; the data set in it is used again.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where to write results.json, results.md and the plots.
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
    /// cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
    /// "echo" has this program serve the echo.
    #[arg(hide = true)]
    role: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let flags = Flags::parse();
    if flags.role.as_deref() == Some("echo") {
        return echo::serve().await;
    }
    let folder = flags.data.clone().unwrap_or_else(|| {
        PathBuf::from(format!("/var/tmp/befriend-bench-{}", std::process::id()))
    });
    let settings = Settings {
        data_dir: folder.clone(),
        database: "befriend".to_owned(),
        start_timeout: Duration::from_secs(60),
        fsync: true,
        max_connections: 400,
    };
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&settings)).await??;
    let done = measure(&flags, &postgres).await;
    tokio::task::spawn_blocking(move || postgres.stop()).await??;
    if flags.data.is_none() {
        fs::remove_dir_all(folder)?;
    }
    done
}

impl Flags {
    /// How many connections to make to each service.
    fn all_connections(&self) -> usize {
        match self.connections {
            0 => self.callers.iter().copied().max().unwrap_or(1).max(OPEN_CONNECTIONS),
            shared => shared,
        }
    }

    /// Those of the connections that so many callers use.
    fn used<'a>(&self, channels: &'a [Channel], callers: usize) -> &'a [Channel] {
        match self.connections {
            0 => &channels[..callers.clamp(1, channels.len())],
            _ => channels,
        }
    }
}

/// All that takes part.
struct Bench<'a> {
    flags: &'a Flags,
    pool: PgPool,
    postgres: u32,
    pgbench: Pgbench,
    caller: Caller,
    app_id: String,
    rule: Rule,
    echo: (Process, Vec<Channel>),
    service: (Process, Vec<Channel>),
    other: Option<(Process, Vec<Channel>)>,
    /// What starting pgbench takes, by operation and callers.
    starts: Mutex<HashMap<(Operation, usize), Cpu>>,
}

/// CPU time in seconds.
#[derive(Clone, Copy, Default)]
struct Cpu {
    database: f64,
    client: f64,
}

/// The callback rule that some operations run with.
struct Rule {
    apps: AppServiceClient<Channel>,
    operator: AsciiMetadataValue,
    rule_id: String,
}

impl Rule {
    async fn enable(&self, enabled: bool) -> Result<(), Failure> {
        let change = proto::UpdateCallbackRuleRequest {
            app_key: APP.to_owned(),
            rule_id: self.rule_id.clone(),
            enabled: Some(enabled),
            ..Default::default()
        };
        self.apps.clone().update_callback_rule(authorized(change, &self.operator)).await?;
        Ok(())
    }
}

async fn measure(flags: &Flags, postgres: &PrivatePostgres) -> Result<(), Failure> {
    fs::create_dir_all(&flags.output)?;
    store::migrate(postgres.url()).await?;
    let pool = PgPool::connect(postgres.url()).await?;
    let binary = Path::new(env!("CARGO_BIN_EXE_befriend"));
    let start = |binary: &Path, log: &str| {
        Process::befriend(binary, postgres.url(), &flags.output.join(log))
    };
    let service = start(binary, "befriend.log")?;
    let channels = connect(&service.url, flags.all_connections()).await?;
    let other = match &flags.other {
        Some(binary) => {
            let other = start(binary, "other.log")?;
            let channels = connect(&other.url, flags.all_connections()).await?;
            Some((other, channels))
        }
        None => None,
    };
    let echo = Process::echo()?;
    let echo_channels = connect(&echo.url, flags.all_connections()).await?;
    let (app_id, token, rule) = app(&channels[0]).await?;
    if !data::is_there(&pool, flags.size).await? {
        data::load(&pool, binary, postgres.url(), &flags.output, flags.size).await?;
    }
    let newest = data::newest_of_crowd(&pool, &app_id, flags.size).await?;
    let others = format!("{{{}}}", operations::others(flags.size).join(","));
    let pgbench = Pgbench { url: postgres.url().to_owned(), folder: flags.output.clone(), others };
    let bench = Bench {
        flags,
        pool,
        postgres: postgres.server_pid(),
        pgbench,
        caller: Caller { token, size: flags.size, newest },
        app_id,
        rule,
        echo: (echo, echo_channels),
        service: (service, channels),
        other,
        starts: Mutex::default(),
    };
    let report = bench.run().await?;
    report.write(&flags.output)?;
    plots::draw(&report, &flags.output)?;
    println!("{}", report.markdown());
    println!("Also in {0}: results.json, results.md and the plots.", flags.output.display());
    Ok(())
}

async fn connect(url: &str, connections: usize) -> Result<Vec<Channel>, Failure> {
    let mut channels = Vec::new();
    for _ in 0..connections {
        let endpoint = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// The app of the data set, made at the first run: its id, a token of it, and its callback rule.
async fn app(channel: &Channel) -> Result<(String, AsciiMetadataValue, Rule), Failure> {
    let operator: AsciiMetadataValue = format!("Bearer {OPERATOR}").parse()?;
    let mut apps = AppServiceClient::new(channel.clone());
    let limits = proto::AppLimitsChange {
        friend_limit: Some(10_000),
        block_limit: Some(10_000),
        requests_per_second: Some(1_000_000),
    };
    let create = proto::CreateAppRequest { app_key: APP.to_owned(), limits: Some(limits) };
    let (app, secret) = match apps.create_app(authorized(create, &operator)).await {
        Ok(created) => {
            let created = created.into_inner();
            let rule = proto::CreateCallbackRuleRequest {
                app_key: APP.to_owned(),
                url: "http://127.0.0.1:9/".to_owned(),
                ..Default::default()
            };
            apps.create_callback_rule(authorized(rule, &operator)).await?;
            (created.app, created.client_secret)
        }
        Err(_) => {
            let rotate =
                proto::RotateSecretRequest { app_key: APP.to_owned(), revoke_tokens: false };
            let rotated = apps.rotate_secret(authorized(rotate, &operator)).await?.into_inner();
            (rotated.app, rotated.client_secret)
        }
    };
    let app = app.unwrap_or_default();
    let login =
        proto::IssueTokenRequest { client_id: app.client_id, client_secret: secret, ttl: None };
    let issued = TokenServiceClient::new(channel.clone()).issue_token(login).await?.into_inner();
    let token = format!("Bearer {}", issued.access_token).parse()?;
    let list = proto::ListCallbackRulesRequest { app_key: APP.to_owned() };
    let rules = apps.list_callback_rules(authorized(list, &operator)).await?.into_inner().rules;
    let rule_id = rules.into_iter().next().ok_or("the app has no rule")?.rule_id;
    Ok((app.uuid, token, Rule { apps, operator, rule_id }))
}

impl Bench<'_> {
    async fn run(&self) -> Result<Report, Failure> {
        let flags = self.flags;
        let operations = match flags.operations.as_slice() {
            [] => Operation::value_variants(),
            named => named,
        };
        let contenders: Vec<Contender> = flags
            .contenders
            .iter()
            .copied()
            .chain(self.other.as_ref().map(|_| Contender::Other))
            .collect();
        let phases = operations.len() * flags.callers.len() * flags.rounds;
        // Fixed rates are for what gRPC callers wait.
        let open_contenders: Vec<Contender> =
            contenders.iter().copied().filter(|of| *of != Contender::Pgbench).collect();
        let open = operations.len() * flags.open.len() * open_contenders.len();
        let bar = ProgressBar::new(u64::try_from(phases * contenders.len() + open)?).with_style(
            ProgressStyle::with_template("measuring {msg:40} {wide_bar} {pos}/{len} {elapsed}")?,
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut memory =
            Memory { idle: machine::resident(self.service.0.pid()), ..Memory::default() };
        let mut report = Report { size: flags.size, ..Report::default() };
        for round in 0..flags.rounds {
            for &operation in operations {
                self.rule.enable(operation.with_rule()).await?;
                let sizes = self.warm_up(operation).await?;
                for &callers in &flags.callers {
                    bar.set_message(format!("{} from {callers}", operation.name()));
                    for &contender in &contenders {
                        let phase = self.phase(contender, operation, sizes, callers, round).await?;
                        report.phases.push(phase);
                        bar.inc(1);
                    }
                    if callers == 256 {
                        memory.at_256 = memory.at_256.max(machine::resident(self.service.0.pid()));
                    }
                }
                if operation.with_rule() {
                    sqlx::query("truncate outbox").execute(&self.pool).await?;
                }
            }
        }
        for &operation in operations {
            let Some(reached) = report.rate(operation, Contender::Befriend, 64) else { continue };
            self.rule.enable(operation.with_rule()).await?;
            let sizes = self.warm_up(operation).await?;
            for &part in &flags.open {
                bar.set_message(format!("{} at {part} of its rate", operation.name()));
                for &contender in &open_contenders {
                    let rate = reached * part;
                    let measured = self.open(contender, operation, sizes, rate).await?;
                    let (left, times) = (measured.left, Times::of(&measured.times));
                    let phase = OpenPhase { operation, contender, part, rate, left, times };
                    report.open.push(phase);
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        report.memory = memory;
        Ok(report)
    }

    /// Prepares statements everywhere and learns how large the messages are.
    async fn warm_up(&self, operation: Operation) -> Result<(usize, usize), Failure> {
        let mut dice = data::Dice::new(7);
        let work = Work::Call(operation, self.caller.clone());
        let sizes = work.once(&self.service.1[0], &mut dice).await?;
        let time = Duration::from_millis(300);
        for (_, channels) in [Some(&self.service), self.other.as_ref()].into_iter().flatten() {
            load::closed(self.flags.used(channels, 32), &work, 32, time).await?;
        }
        Ok(sizes)
    }

    /// The process to call, with its connections; none for pgbench.
    fn process(&self, contender: Contender) -> Option<&(Process, Vec<Channel>)> {
        match contender {
            Contender::Pgbench => None,
            Contender::Echo => Some(&self.echo),
            Contender::Befriend => Some(&self.service),
            Contender::Other => self.other.as_ref(),
        }
    }

    fn work(&self, contender: Contender, operation: Operation, sizes: (usize, usize)) -> Work {
        match contender {
            Contender::Echo => Work::Echo(sizes.0, sizes.1, self.caller.clone()),
            _ => Work::Call(operation, self.caller.clone()),
        }
    }

    /// Calls at a fixed rate: befriend's is the echo's too, which shows what the machine and gRPC
    /// alone make of the times.
    async fn open(
        &self,
        contender: Contender,
        operation: Operation,
        sizes: (usize, usize),
        rate: f64,
    ) -> Result<Measured, Failure> {
        let (_, channels) = self.process(contender).ok_or("pgbench is no service")?;
        let work = self.work(contender, operation, sizes);
        let time = Duration::from_secs(self.flags.seconds * 2);
        load::open(self.flags.used(channels, OPEN_CONNECTIONS), &work, rate, time).await
    }

    fn cpu(&self) -> Cpu {
        Cpu { database: machine::cpu_of_family(self.postgres), client: machine::cpu_of_caller() }
    }

    /// CPU time that pgbench and Postgres take until all connections are made and the statement is
    /// prepared on each. befriend's and the echo's callers are connected before they are measured, so
    /// it is no part of pgbench's work either; with 256 connections it is as much as the work.
    fn start_of_pgbench(&self, operation: Operation, callers: usize) -> Result<Cpu, Failure> {
        let known = || self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&(operation, callers)).copied();
        if let Some(found) = found {
            return Ok(found);
        }
        let before = self.cpu();
        self.pgbench.start(&operation.script(&self.app_id, &self.caller), callers)?;
        // Server processes end after their client.
        std::thread::sleep(Duration::from_millis(200));
        let after = self.cpu();
        let start = Cpu {
            database: after.database - before.database,
            client: after.client - before.client,
        };
        known().insert((operation, callers), start);
        Ok(start)
    }

    async fn phase(
        &self,
        contender: Contender,
        operation: Operation,
        sizes: (usize, usize),
        callers: usize,
        round: usize,
    ) -> Result<Phase, Failure> {
        let time = Duration::from_secs(self.flags.seconds);
        let process = self.process(contender);
        let start = match process {
            None => tokio::task::block_in_place(|| self.start_of_pgbench(operation, callers))?,
            Some(_) => Cpu::default(),
        };
        let before = self.cpu();
        let service = process.map_or(0.0, |(process, _)| machine::cpu(process.pid()));
        let measured: Measured = match process {
            None => {
                let script = operation.script(&self.app_id, &self.caller);
                tokio::task::block_in_place(|| self.pgbench.run(&script, callers, time))?
            }
            Some((_, channels)) => {
                let work = self.work(contender, operation, sizes);
                load::closed(self.flags.used(channels, callers), &work, callers, time).await?
            }
        };
        let after = self.cpu();
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let each = |seconds: f64| seconds.max(0.0) * 1e6 / measured.calls.max(1) as f64;
        Ok(Phase {
            operation,
            callers,
            round,
            contender,
            rate: measured.rate(),
            times: Times::of(&measured.times),
            service_cpu: process
                .map_or(0.0, |(process, _)| each(machine::cpu(process.pid()) - service)),
            database_cpu: each(after.database - before.database - start.database),
            client_cpu: each(after.client - before.client - start.client),
        })
    }
}
