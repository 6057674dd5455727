//! How watching fares: 1,000 watchers on one instance while 500 changes a second are made, for 20
//! seconds, in an open loop. Server, clients and load share one process; Postgres is a private one.
//! Prints Markdown.

#![expect(clippy::unwrap_used, reason = "in a measurement a panic is the report")]

use std::{
    collections::BTreeSet,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use befriend::{
    clock::Clock,
    config::ServeArgs,
    domain::Secret,
    private_postgres::{PrivatePostgres, Settings},
    proto::{
        self, app_service_client::AppServiceClient, friend_change::Change,
        friend_service_client::FriendServiceClient, token_service_client::TokenServiceClient,
        user_service_client::UserServiceClient,
    },
    server, store,
};
use clap::Parser;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

const WATCHERS: usize = 1000;
const WRITES_PER_SECOND: u32 = 500;
const SECONDS: u32 = 20;
/// Streams of one connection: fewer than a server takes.
const PER_CONNECTION: usize = 50;
const OPERATOR: &str = "operator-token-of-the-measurement-0123456789";

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() {
    let data_dir = format!("/var/tmp/befriend-bench-watch-{}", std::process::id());
    let settings = Settings {
        data_dir: data_dir.clone().into(),
        database: "befriend".to_owned(),
        start_timeout: Duration::from_secs(60),
        fsync: true,
        max_connections: 100,
    };
    let postgres = PrivatePostgres::start(&settings).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(postgres.url()));
    drop(runtime);
    postgres.stop().unwrap();
    std::fs::remove_dir_all(data_dir).unwrap();
}

async fn measure(url: &str) {
    store::migrate(url).await.unwrap();
    let args = Flags::parse_from(["befriend", "--listen", "127.0.0.1:0", "--deliver", "false"]);
    let args = args.serve;
    let core =
        server::core(url, &args, Some(Secret::presented(OPERATOR)), Clock::system()).unwrap();
    let listener = TcpListener::bind(args.listen).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let (served, stopping) = (Arc::clone(&core), stop.clone());
    let serving = tokio::spawn(async move {
        server::serve(listener, served, &args, args.postman(true), stopping).await.unwrap();
    });
    let channels: Vec<Channel> = (0..=WATCHERS / PER_CONNECTION)
        .map(|_| Endpoint::from_shared(address.clone()).unwrap().connect_lazy())
        .collect();
    let token = tenant(&channels[0]).await;

    let before = resident_kib();
    let seen = Arc::new(Seen::default());
    let mut watchers = Vec::new();
    for user in 0..WATCHERS {
        let channel = channels[1 + user / PER_CONNECTION].clone();
        watchers.push(tokio::spawn(watch(channel, token.clone(), user, Arc::clone(&seen))));
    }
    while seen.begun.load(Ordering::SeqCst) < WATCHERS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let watching = resident_kib();

    let began = Instant::now();
    let behind = write(&channels[0], &token).await;
    let took = began.elapsed();
    let peak = resident_kib();

    // The last version of everybody, which their watchers must come to.
    let mut lists = Vec::new();
    for user in 0..WATCHERS {
        let request = proto::GetUserRequest { username: name(user) };
        let mut users = UserServiceClient::new(channels[0].clone());
        let head = users.get_user(with(request, &token)).await.unwrap().into_inner().list_head;
        let request = proto::ListAllFriendsRequest { owner: name(user) };
        let mut friends = FriendServiceClient::new(channels[0].clone());
        let list = friends.list_all_friends(with(request, &token)).await.unwrap().into_inner();
        lists.push((head.unwrap().version, list.usernames));
    }
    seen.goal(&lists);
    let mut right = 0;
    for (watcher, (_, list)) in watchers.into_iter().zip(lists) {
        let copy = tokio::time::timeout(Duration::from_secs(30), watcher).await.unwrap().unwrap();
        right += usize::from(copy.into_iter().eq(list));
    }
    let mut latencies = std::mem::take(&mut *seen.latencies.lock().unwrap());
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        latencies[index.min(latencies.len() - 1)] as f64 / 1000.0
    };
    println!("| watching | |\n| --- | --- |");
    println!("| watchers that end with the right list | {right} of {WATCHERS} |");
    println!("| changes wanted, and made in | {}, {took:.1?} |", WRITES_PER_SECOND * SECONDS);
    println!("| calls under way at most | {behind} |");
    println!("| upserts that watchers saw | {} |", latencies.len());
    println!("| from the write's transaction to the watcher, p50 | {:.1} ms |", at(0.5));
    println!("| p99 | {:.1} ms |", at(0.99));
    println!("| at most | {:.1} ms |", at(1.0));
    println!("| memory before anybody watches | {} MiB |", before / 1024);
    println!("| with {WATCHERS} watchers, clients included | {} MiB |", watching / 1024);
    println!("| a watcher, client included | {} KiB |", (watching - before) / WATCHERS as i64);
    println!("| after the writes | {} MiB |", peak / 1024);
    stop.cancel();
    serving.await.unwrap();
}

/// What watchers saw.
#[derive(Default)]
struct Seen {
    begun: AtomicUsize,
    /// Microseconds.
    latencies: Mutex<Vec<i64>>,
    /// The version at which each watcher has seen all; 0 while that is open.
    goals: Mutex<Vec<Arc<AtomicI64>>>,
    told: tokio::sync::Notify,
}

impl Seen {
    fn goal(&self, lists: &[(i64, Vec<String>)]) {
        let versions = lists.iter().map(|(version, _)| Arc::new(AtomicI64::new(*version)));
        *self.goals.lock().unwrap() = versions.collect();
        self.told.notify_waiters();
    }

    fn has_all(&self, user: usize, version: i64) -> bool {
        let goals = self.goals.lock().unwrap();
        goals.get(user).is_some_and(|goal| version >= goal.load(Ordering::SeqCst))
    }
}

/// Watches a user until all is seen, and returns the copy.
async fn watch(channel: Channel, token: Token, user: usize, seen: Arc<Seen>) -> BTreeSet<String> {
    let mut friends = FriendServiceClient::new(channel);
    let request = proto::WatchFriendsRequest { owner: name(user), since_version: 0 };
    let mut stream = friends.watch_friends(with(request, &token)).await.unwrap().into_inner();
    let (mut copy, mut version) = (BTreeSet::new(), 0);
    let mut begun = false;
    loop {
        let told = seen.told.notified();
        if seen.has_all(user, version) {
            return copy;
        }
        let message = tokio::select! {
            message = stream.message() => message.unwrap().expect("the stream goes on"),
            () = told => continue,
        };
        let now = Clock::system().now().unix_timestamp_nanos() / 1000;
        version = message.version;
        for change in message.changes {
            match change.change.unwrap() {
                Change::Upserted(friend) => {
                    let at = friend.update_time.unwrap();
                    let at = i128::from(at.seconds) * 1_000_000 + i128::from(at.nanos) / 1000;
                    seen.latencies.lock().unwrap().push(i64::try_from(now - at).unwrap());
                    copy.insert(friend.username);
                }
                Change::Removed(name) => drop(copy.remove(&name)),
            }
        }
        if !std::mem::replace(&mut begun, true) {
            seen.begun.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Begins a change every two milliseconds, whether the ones before have ended or not; returns how
/// many were under way at most.
async fn write(channel: &Channel, token: &Token) -> usize {
    let under_way = Arc::new(AtomicUsize::new(0));
    let mut most = 0;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / WRITES_PER_SECOND);
    let mut calls = Vec::new();
    for number in 0..(WRITES_PER_SECOND * SECONDS) as usize {
        ticks.tick().await;
        most = most.max(under_way.fetch_add(1, Ordering::SeqCst));
        let mut friends = FriendServiceClient::new(channel.clone());
        let (token, under_way) = (token.clone(), Arc::clone(&under_way));
        calls.push(tokio::spawn(async move {
            // Every pair is befriended, and at its second turn parted, with others between.
            let pair = number % 3000;
            let (owner, friend) = (name(pair % WATCHERS), name((pair * 7 + 1) % WATCHERS));
            let done: Result<(), Status> = if number / 3000 % 2 == 0 {
                let request = proto::AddFriendRequest { owner, friend, ..Default::default() };
                friends.add_friend(with(request, &token)).await.map(drop)
            } else {
                let request = proto::RemoveFriendRequest { owner, friend, clear_remark: true };
                friends.remove_friend(with(request, &token)).await.map(drop)
            };
            under_way.fetch_sub(1, Ordering::SeqCst);
            done
        }));
    }
    for call in calls {
        if let Err(status) = call.await.unwrap() {
            assert_eq!(
                status.code(),
                Code::InvalidArgument,
                "only nobody's own friend: {status:?}"
            );
        }
    }
    most
}

type Token = MetadataValue<Ascii>;

fn with<T>(message: T, token: &Token) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}

fn name(user: usize) -> String {
    format!("user{user:04}")
}

/// Makes an app and its users; returns its token.
async fn tenant(channel: &Channel) -> Token {
    let operator: Token = format!("Bearer {OPERATOR}").parse().unwrap();
    let limits = proto::AppLimitsChange {
        requests_per_second: Some(1_000_000),
        ..proto::AppLimitsChange::default()
    };
    let request = proto::CreateAppRequest { app_key: "acme#chat".to_owned(), limits: Some(limits) };
    let mut apps = AppServiceClient::new(channel.clone());
    let created = apps.create_app(with(request, &operator)).await.unwrap().into_inner();
    let login = proto::IssueTokenRequest {
        client_id: created.app.unwrap().client_id,
        client_secret: created.client_secret,
        ttl: None,
    };
    let issued = TokenServiceClient::new(channel.clone()).issue_token(login).await.unwrap();
    let token: Token = format!("Bearer {}", issued.into_inner().access_token).parse().unwrap();
    let users: Vec<usize> = (0..WATCHERS).collect();
    for chunk in users.chunks(50) {
        let users = chunk
            .iter()
            .map(|user| proto::NewUser { username: name(*user), nickname: String::new() })
            .collect();
        let request = proto::BatchCreateUsersRequest { users };
        let mut service = UserServiceClient::new(channel.clone());
        service.batch_create_users(with(request, &token)).await.unwrap();
    }
    token
}

/// The memory of this process, in KiB.
fn resident_kib() -> i64 {
    let pid = std::process::id().to_string();
    let ps = Command::new("ps").args(["-o", "rss=", "-p", &pid]).output().unwrap();
    String::from_utf8(ps.stdout).unwrap().trim().parse().unwrap()
}
