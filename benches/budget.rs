//! How many instructions and allocations a request takes, the former counted by callgrind: `make
//! budget`.
//!
//! Times on a busy machine tell little; instructions are nearly the same there. This
//! program starts a private Postgres and runs itself under valgrind, once for each sequence and two
//! lengths of it; the difference is what the requests took, without the start. It counts the service
//! from the gate to the database's socket and back, with the message's reading and writing; Postgres
//! and HTTP/2 are not in it.
//!
//! The counts are compared with those in `benches/budget.txt`: more by [`TOLERANCE`] fails. After a
//! change that is meant, `make budget ARGS=--write` notes the new ones.

use std::{
    alloc::{GlobalAlloc, Layout},
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use befriend::{
    clock::Clock,
    config::ServeArgs,
    delivery::Postman,
    domain::Secret,
    gate::Gate,
    grpc::{self, GateLayer},
    private_postgres::{PrivatePostgres, Settings},
    proto::{
        self, app_service_client::AppServiceClient, block_service_client::BlockServiceClient,
        friend_service_client::FriendServiceClient, relation_service_client::RelationServiceClient,
        token_service_client::TokenServiceClient, user_service_client::UserServiceClient,
    },
    server, store,
};
use clap::Parser;
use futures_util::future::try_join_all;
use tonic::{Request, metadata::AsciiMetadataValue};
use tower::Layer as _;

/// The allocator of the binary, with a count.
struct Counting(mimalloc::MiMalloc);

#[global_allocator]
static ALLOCATOR: Counting = Counting(mimalloc::MiMalloc);

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "allocators are unsafe; this one only counts, and passes on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { self.0.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { self.0.dealloc(old, layout) }
    }
}

/// What a request takes.
#[derive(Clone, Copy, Debug)]
struct Cost {
    instructions: f64,
    allocations: f64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} instructions, {:.0} allocations", self.instructions, self.allocations)
    }
}

impl Cost {
    /// From what [`Display`](fmt::Display) writes.
    fn read(text: &str) -> Option<Self> {
        let (instructions, allocations) = text.split_once(" instructions, ")?;
        Some(Self {
            instructions: instructions.parse().ok()?,
            allocations: allocations.strip_suffix(" allocations")?.parse().ok()?,
        })
    }

    fn is_within(self, budget: Self) -> bool {
        self.instructions <= budget.instructions * (1.0 + TOLERANCE)
            && self.allocations <= budget.allocations * (1.0 + TOLERANCE)
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

const OPERATOR: &str = "operator-token-of-the-bench-0123456789";
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/budget.txt");

/// By how much more than was noted a request may take.
const TOLERANCE: f64 = 0.15;

/// The two lengths of each sequence, in requests. Whole groups of both sizes fit into them.
const SHORT: usize = 64;
const LONG: usize = 1088;

/// How often each is counted; the median counts. A run differs by some percent from another: whether
/// an answer of the database is there already when we look decides whether we wait for it.
const RUNS: usize = 3;

const USERS: usize = 400;

/// What is counted: a call, and how many callers make it at once. Not a change by one caller: its many
/// round trips, each of which is waited for or not, differ too much.
const SEQUENCES: [(&str, usize); 8] = [
    ("check", 1),
    ("check", 16),
    ("list", 1),
    ("list", 16),
    ("sync", 16),
    ("add", 16),
    ("remark", 16),
    ("block", 16),
];

#[derive(Parser)]
struct Flags {
    /// Note what is counted as the budget.
    #[arg(long)]
    write: bool,
    /// Makes the requests: "check/16/320" are 320 of 16 callers.
    #[arg(hide = true)]
    sequence: Option<String>,
    /// cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Parser)]
struct Serving {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> Result<(), Failure> {
    let flags = Flags::parse();
    if let Some(sequence) = &flags.sequence {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(requests(sequence))?;
        println!("allocations: {}", ALLOCATIONS.load(Ordering::Relaxed));
        return Ok(());
    }
    let folder = PathBuf::from(format!("/var/tmp/befriend-budget-{}", std::process::id()));
    let postgres = PrivatePostgres::start(&Settings {
        data_dir: folder.clone(),
        database: "befriend".to_owned(),
        start_timeout: Duration::from_secs(60),
        fsync: false,
        max_connections: 50,
    })?;
    let counted = count_all(postgres.url(), &folder);
    postgres.stop()?;
    fs::remove_dir_all(folder)?;
    compare(&counted?, flags.write)
}

fn count_all(url: &str, folder: &Path) -> Result<BTreeMap<String, Cost>, Failure> {
    let mut counted = BTreeMap::new();
    for (number, (call, callers)) in SEQUENCES.into_iter().enumerate() {
        let count = |length| {
            // An app of its own for each, so that all begin alike.
            let sequence = format!("{call}/{callers}/{length}/{number}");
            let count = |_| count(url, &sequence, &folder.join("callgrind.out"));
            let counts: Result<Vec<(u64, u64)>, Failure> = (0..RUNS).map(count).collect();
            counts.map(|mut counts| {
                counts.sort_unstable();
                counts[RUNS / 2]
            })
        };
        let (long, short) = (count(LONG)?, count(SHORT)?);
        #[expect(clippy::cast_precision_loss, reason = "numbers of instructions and the like")]
        let each = |long: u64, short: u64| (long - short) as f64 / (LONG - SHORT) as f64;
        let cost = Cost { instructions: each(long.0, short.0), allocations: each(long.1, short.1) };
        counted.insert(format!("{call} by {callers}"), cost);
    }
    Ok(counted)
}

/// How many instructions and allocations this program takes for a sequence.
fn count(url: &str, sequence: &str, output: &Path) -> Result<(u64, u64), Failure> {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(std::env::current_exe()?)
        .arg(sequence)
        .env("DATABASE_URL", url)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
    }
    let written = fs::read_to_string(output)?;
    let total = written.lines().find_map(|line| {
        line.strip_prefix("summary: ")
            .or_else(|| line.strip_prefix("totals: "))?
            .trim()
            .parse()
            .ok()
    });
    let instructions = total.ok_or("callgrind has written no total")?;
    let said = String::from_utf8_lossy(&done.stdout);
    let allocations =
        said.lines().find_map(|line| line.strip_prefix("allocations: ")?.parse().ok());
    Ok((instructions, allocations.ok_or("the sequence has told no allocations")?))
}

fn compare(counted: &BTreeMap<String, Cost>, write: bool) -> Result<(), Failure> {
    let recorded: BTreeMap<String, Cost> = fs::read_to_string(RECORDED)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let (name, cost) = line.split_once(": ")?;
            Some((name.to_owned(), Cost::read(cost)?))
        })
        .collect();
    let (mut text, mut over) = (String::new(), Vec::new());
    for (name, cost) in counted {
        writeln!(text, "{name}: {cost}")?;
        match recorded.get(name) {
            Some(budget) => println!("{name:14} {cost}; the budget: {budget}"),
            None => println!("{name:14} {cost}; no budget that can be read"),
        }
        if !recorded.get(name).is_some_and(|budget| cost.is_within(*budget)) {
            over.push(name.as_str());
        }
    }
    if write {
        fs::write(RECORDED, text)?;
        return Ok(());
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not within the budget of benches/budget.txt and {} %: {}. If that is meant: make budget \
         ARGS=--write",
        TOLERANCE * 100.0,
        over.join(", ")
    )
    .into())
}

/// Serves in this process, without a socket, and makes the requests of a sequence.
async fn requests(sequence: &str) -> Result<(), Failure> {
    let parts: Vec<&str> = sequence.split('/').collect();
    let [call, callers, length, number] = parts[..] else { return Err("no sequence".into()) };
    let (callers, length): (usize, usize) = (callers.parse()?, length.parse()?);
    let url = std::env::var("DATABASE_URL")?;
    store::migrate(&url).await?;
    let args = Serving::parse_from(["bench"]).serve;
    let core = server::core(&url, &args, Some(Secret::presented(OPERATOR)), Clock::system())?;
    let postman = std::sync::Arc::new(Postman::new(args.postman(false)));
    let routes = grpc::routes(&core, &postman, args.max_message.get()).routes();
    let service = GateLayer::new(Gate::new(core, args.gate())).layer(routes.prepare());

    let operator: AsciiMetadataValue = format!("Bearer {OPERATOR}").parse()?;
    let limits = proto::AppLimitsChange {
        requests_per_second: Some(1_000_000),
        ..proto::AppLimitsChange::default()
    };
    let app_key = format!("bench#{call}-{callers}-{length}-{number}-{}", std::process::id());
    let create = proto::CreateAppRequest { app_key, limits: Some(limits) };
    let mut apps = AppServiceClient::new(service.clone());
    let created = apps.create_app(with(&operator, create)).await?.into_inner();
    let login = proto::IssueTokenRequest {
        client_id: created.app.unwrap_or_default().client_id,
        client_secret: created.client_secret,
        ttl: None,
    };
    let issued = TokenServiceClient::new(service.clone()).issue_token(login).await?.into_inner();
    let token: AsciiMetadataValue = format!("Bearer {}", issued.access_token).parse()?;
    let names: Vec<String> = (0..USERS).map(|n| format!("user{n:03}")).collect();
    for batch in names.chunks(50) {
        let new = |name: &String| proto::NewUser { username: name.clone(), ..Default::default() };
        let request = proto::BatchCreateUsersRequest { users: batch.iter().map(new).collect() };
        UserServiceClient::new(service.clone()).batch_create_users(with(&token, request)).await?;
    }
    let friends = FriendServiceClient::new(service.clone());
    let add = async |owner: usize, distance: usize| {
        let request = proto::AddFriendRequest {
            owner: names[owner % USERS].clone(),
            friend: names[(owner + distance) % USERS].clone(),
            server_extension: String::new(),
        };
        friends.clone().add_friend(with(&token, request)).await.map(drop)
    };
    for friend in 0..50 {
        add(0, friend + 1).await?;
    }
    for first in (0..length).step_by(callers) {
        let at_once = (first..first + callers).map(async |n| match call {
            "check" => {
                let request = proto::CheckRelationsRequest {
                    username: names[0].clone(),
                    others: vec![names[n % USERS].clone()],
                };
                let mut relations = RelationServiceClient::new(service.clone());
                relations.check_relations(with(&token, request)).await.map(drop)
            }
            "list" => {
                let request = proto::ListFriendsRequest {
                    owner: names[0].clone(),
                    page_size: 50,
                    include_remark: true,
                    ..Default::default()
                };
                friends.clone().list_friends(with(&token, request)).await.map(drop)
            }
            "sync" => {
                let request = proto::SyncFriendsRequest {
                    owner: names[0].clone(),
                    since_version: 50,
                    ..Default::default()
                };
                friends.clone().sync_friends(with(&token, request)).await.map(drop)
            }
            "add" => add(n, 60 + n / USERS).await,
            "block" => {
                let request = proto::BlockUsersRequest {
                    owner: names[n % USERS].clone(),
                    usernames: vec![names[(n + 1 + n / USERS) % USERS].clone()],
                };
                let mut blocks = BlockServiceClient::new(service.clone());
                blocks.block_users(with(&token, request)).await.map(drop)
            }
            _ => {
                let request = proto::SetRemarkRequest {
                    owner: names[0].clone(),
                    friend: names[n % 50 + 1].clone(),
                    remark: format!("remark {n:04}"),
                };
                friends.clone().set_remark(with(&token, request)).await.map(drop)
            }
        });
        try_join_all(at_once).await?;
    }
    Ok(())
}

fn with<T>(token: &AsciiMetadataValue, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}
