//! How many instructions and allocations a request takes: `make budget`.
//!
//! On a busy machine times differ from run to run; counts of instructions hardly do. This program
//! starts a private Postgres and runs itself under valgrind's callgrind, with a short and a long
//! sequence of each call. The difference between the two is what the requests took, without the start
//! of the process. Counted is the service, from the gate to the database's socket and back, with the
//! reading and writing of messages; Postgres and HTTP/2 are not.
//!
//! The counts are compared with those of `benches/budget.txt`: [`TOLERANCE`] more is an error. After an
//! intended change, `make budget ARGS=--write` writes the new counts there.

use std::{
    alloc::{GlobalAlloc, Layout},
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use befriend::{
    delivery::WebhookClient,
    gate::Gate,
    grpc::{self, GateLayer},
    proto::{
        self, block_service_client::BlockServiceClient, friend_service_client::FriendServiceClient,
        relation_service_client::RelationServiceClient,
    },
    store,
};
use clap::Parser;
use futures_util::future::try_join_all;
use tonic::Status;
use tower::Layer as _;

use self::common::{
    app::{Failure, Server, Token, authorized},
    in_process::{app_with_users, core},
    postgres::{Options, with_postgres},
};

mod common {
    pub mod app;
    pub mod in_process;
    pub mod postgres;
}

/// The allocator of the binary, with a count of its allocations.
struct Counting(mimalloc::MiMalloc);

#[global_allocator]
static ALLOCATOR: Counting = Counting(mimalloc::MiMalloc);

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one counts and calls the other"
)]
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

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/budget.txt");

/// How much more than its budget a request may take.
const TOLERANCE: f64 = 0.15;

/// The two lengths of each sequence, in requests: multiples of every number of callers.
const SHORT: usize = 64;
const LONG: usize = 1088;

/// How often each sequence is run; the median counts. Two runs differ by some percent: an answer of the
/// database that is there when it is first looked for costs no wait.
const RUNS: usize = 3;

const USERS: usize = 400;

/// How many friends the first user has, before the requests of a sequence.
const FRIENDS: usize = 50;

/// What is counted: a call, and how many callers make it at once. Changes by one caller are left out:
/// with their many round trips, each waited for or not, runs differ too much.
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
    /// Write the counts to benches/budget.txt, as the new budget.
    #[arg(long)]
    write: bool,
    /// Makes the requests of a sequence, for the program that counts them: "check/16/320/1" are 320
    /// checks by 16 callers.
    #[arg(hide = true)]
    sequence: Option<String>,
    /// cargo passes this flag to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Failure> {
    let flags = Flags::parse();
    if let Some(sequence) = &flags.sequence {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(requests(sequence))?;
        println!("allocations: {}", ALLOCATIONS.load(Ordering::Relaxed));
        return Ok(());
    }
    let options = Options { data_dir: None, fsync: false, max_connections: 50 };
    let counted = with_postgres(options, |postgres, folder| count_all(postgres.url(), folder))?;
    compare(&counted, flags.write)
}

fn count_all(url: &str, folder: &Path) -> Result<BTreeMap<String, Cost>, Failure> {
    let mut counted = BTreeMap::new();
    for (number, (call, callers)) in SEQUENCES.into_iter().enumerate() {
        let count = |length| {
            // Each sequence has an app of its own, so that all begin with the same lists.
            let sequence = format!("{call}/{callers}/{length}/{number}");
            let count = |_| count(url, &sequence, &folder.join("callgrind.out"));
            let counts: Result<Vec<(u64, u64)>, Failure> = (0..RUNS).map(count).collect();
            counts.map(|mut counts| {
                counts.sort_unstable();
                counts[RUNS / 2]
            })
        };
        let (long, short) = (count(LONG)?, count(SHORT)?);
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
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
    let printed = String::from_utf8_lossy(&done.stdout);
    let allocations =
        printed.lines().find_map(|line| line.strip_prefix("allocations: ")?.parse().ok());
    Ok((instructions, allocations.ok_or("the sequence has printed no allocations")?))
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
            None => println!("{name:14} {cost}; no budget"),
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
        "more than {} % above the budget of benches/budget.txt: {}. If the change is intended: make \
         budget ARGS=--write",
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
    let (core, args) = core(&url, &[])?;
    let client = Arc::new(WebhookClient::new(args.callbacks.webhook(false)));
    let routes = grpc::routes(&core, &client, args.listener.max_message.get()).routes();
    let server = GateLayer::new(Gate::new(core, args.gate())).layer(routes.prepare());

    let names: Vec<String> = (0..USERS).map(|n| format!("user{n:03}")).collect();
    let app_key = format!("bench#{call}-{callers}-{length}-{number}-{}", std::process::id());
    let token = app_with_users(server.clone(), &app_key, &names).await?;
    let caller = Caller { server, token, names };
    for friend in 1..=FRIENDS {
        caller.add_friend(0, friend).await?;
    }
    for first in (0..length).step_by(callers) {
        try_join_all((first..first + callers).map(|n| caller.call(call, n))).await?;
    }
    Ok(())
}

/// Makes the calls that are counted. The first user has [`FRIENDS`] friends.
struct Caller<S> {
    server: S,
    token: Token,
    names: Vec<String>,
}

impl<S: Server> Caller<S> {
    /// Makes the call of this name for the `n`th time.
    async fn call(&self, call: &str, n: usize) -> Result<(), Status> {
        match call {
            "check" => self.check(n).await,
            "list" => self.list().await,
            "sync" => self.sync().await,
            "add" => self.add_friend(n, FRIENDS + 10 + n / USERS).await,
            "remark" => self.set_remark(n).await,
            "block" => self.block(n).await,
            _ => Err(Status::unimplemented(call)),
        }
    }

    fn name(&self, n: usize) -> String {
        self.names[n % USERS].clone()
    }

    async fn check(&self, n: usize) -> Result<(), Status> {
        let request =
            proto::CheckRelationsRequest { username: self.name(0), others: vec![self.name(n)] };
        let mut relations = RelationServiceClient::new(self.server.clone());
        relations.check_relations(authorized(&self.token, request)).await.map(drop)
    }

    async fn list(&self) -> Result<(), Status> {
        let request = proto::ListFriendsRequest {
            owner: self.name(0),
            page_size: 50,
            include_remark: true,
            ..Default::default()
        };
        self.friends().list_friends(authorized(&self.token, request)).await.map(drop)
    }

    async fn sync(&self) -> Result<(), Status> {
        let request = proto::SyncFriendsRequest {
            owner: self.name(0),
            since_version: 50,
            ..Default::default()
        };
        self.friends().sync_friends(authorized(&self.token, request)).await.map(drop)
    }

    async fn add_friend(&self, owner: usize, distance: usize) -> Result<(), Status> {
        let request = proto::AddFriendRequest {
            owner: self.name(owner),
            friend: self.name(owner + distance),
            server_extension: String::new(),
        };
        self.friends().add_friend(authorized(&self.token, request)).await.map(drop)
    }

    async fn set_remark(&self, n: usize) -> Result<(), Status> {
        let request = proto::SetRemarkRequest {
            owner: self.name(0),
            friend: self.name(n % FRIENDS + 1),
            remark: format!("remark {n:04}"),
        };
        self.friends().set_remark(authorized(&self.token, request)).await.map(drop)
    }

    async fn block(&self, n: usize) -> Result<(), Status> {
        let request = proto::BlockUsersRequest {
            owner: self.name(n),
            usernames: vec![self.name(n + 1 + n / USERS)],
        };
        let mut blocks = BlockServiceClient::new(self.server.clone());
        blocks.block_users(authorized(&self.token, request)).await.map(drop)
    }

    fn friends(&self) -> FriendServiceClient<S> {
        FriendServiceClient::new(self.server.clone())
    }
}
