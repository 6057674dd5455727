//! What watching costs, and how fast watchers see changes: `make bench-watch`.
//!
//! 1,000 watchers of one instance, while 500 changes a second begin for 20 seconds, each at its time,
//! whether earlier ones have ended or not. The server, the watchers and the writers run in one
//! process, beside a private Postgres with fsync on the same machine.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use befriend::{
    clock::Clock,
    proto::{
        self, friend_change::Change, friend_service_client::FriendServiceClient,
        user_service_client::UserServiceClient,
    },
    store,
};
use tokio::{sync::Notify, task::JoinHandle};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use self::common::{
    app::{Failure, Token, authorized},
    in_process::app_with_users,
    listening::Listening,
    postgres::{Options, with_postgres},
};

mod common {
    pub mod app;
    pub mod in_process;
    pub mod listening;
    pub mod postgres;
}

const WATCHERS: usize = 1000;
/// Between the beginnings of two changes.
const EVERY: Duration = Duration::from_millis(2);
const CHANGES: usize = 10_000;
/// Pairs of users: each is befriended at its first turn, parted at its second, and so on.
const PAIRS: usize = 3 * WATCHERS;
/// Streams of one connection: fewer than a server takes.
const PER_CONNECTION: usize = 50;

fn main() -> Result<(), Failure> {
    let options = Options { data_dir: None, fsync: true, max_connections: 100 };
    with_postgres(options, |postgres, _| {
        tokio::runtime::Runtime::new()?.block_on(measure(postgres.url()))
    })
}

async fn measure(url: &str) -> Result<(), Failure> {
    store::migrate(url).await?;
    let server = Listening::start(url, &["--deliver", "false"]).await?;
    let endpoint = Endpoint::from_shared(server.address.clone())?;
    let channels: Vec<Channel> =
        (0..=WATCHERS / PER_CONNECTION).map(|_| endpoint.connect_lazy()).collect();
    let names: Vec<String> = (0..WATCHERS).map(name).collect();
    let token = app_with_users(channels[0].clone(), "bench#watch", &names).await?;

    let before = resident_kib()?;
    let seen = Arc::new(Seen::default());
    let mut watchers: Vec<JoinHandle<Result<_, Failure>>> = Vec::new();
    for user in 0..WATCHERS {
        let channel = channels[1 + user / PER_CONNECTION].clone();
        watchers.push(tokio::spawn(watch(channel, token.clone(), user, Arc::clone(&seen))));
    }
    while seen.begun.load(Ordering::SeqCst) < WATCHERS {
        if watchers.iter().any(JoinHandle::is_finished) {
            return Err("a watcher has ended before the first change".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let watching = resident_kib()?;

    let began = Instant::now();
    let under_way = write(&channels[0], &token).await?;
    let took = began.elapsed();
    let peak = resident_kib()?;

    let lists = lists(&channels[0], &token).await?;
    seen.set_goals(lists.iter().map(|(version, _)| *version));
    let mut right = 0;
    for (watcher, (_, list)) in watchers.into_iter().zip(lists) {
        let copy = tokio::time::timeout(Duration::from_secs(30), watcher).await???;
        right += usize::from(copy.into_iter().eq(list));
    }
    println!("| watching | |\n| --- | --- |");
    println!("| watchers that end with the right list | {right} of {WATCHERS} |");
    println!("| changes, and the time they took | {CHANGES}, {took:.1?} |");
    println!("| calls under way at most | {under_way} |");
    seen.print_latencies();
    println!("| memory before the first watcher | {} MiB |", before / 1024);
    println!("| with {WATCHERS} watchers, clients included | {} MiB |", watching / 1024);
    println!("| a watcher, client included | {} KiB |", (watching - before) / WATCHERS as i64);
    println!("| after the writes | {} MiB |", peak / 1024);
    server.stop().await
}

/// What the watchers saw.
#[derive(Default)]
struct Seen {
    /// Watchers that have got their first message.
    begun: AtomicUsize,
    /// From a write's transaction to its watcher, in microseconds.
    latencies: Mutex<Vec<i64>>,
    /// The version at which each watcher has seen everything; empty until all changes are made.
    goals: Mutex<Vec<i64>>,
    goals_are_set: Notify,
}

impl Seen {
    fn set_goals(&self, versions: impl Iterator<Item = i64>) {
        *locked(&self.goals) = versions.collect();
        self.goals_are_set.notify_waiters();
    }

    fn has_everything(&self, user: usize, version: i64) -> bool {
        locked(&self.goals).get(user).is_some_and(|goal| version >= *goal)
    }

    fn print_latencies(&self) {
        let mut latencies = locked(&self.latencies);
        latencies.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts and microseconds of half a minute are small"
        )]
        let at = |part: f64| {
            let index = (latencies.len() as f64 * part) as usize;
            latencies.get(index).or(latencies.last()).map_or(f64::NAN, |us| *us as f64 / 1000.0)
        };
        println!("| upserts that watchers saw | {} |", latencies.len());
        println!("| from the write's transaction to the watcher, p50 | {:.1} ms |", at(0.5));
        println!("| p99 | {:.1} ms |", at(0.99));
        println!("| at most | {:.1} ms |", at(1.0));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a user until everything is seen. Returns the user's friends, as the watcher knows them.
async fn watch(
    channel: Channel,
    token: Token,
    user: usize,
    seen: Arc<Seen>,
) -> Result<BTreeSet<String>, Failure> {
    let mut friends = FriendServiceClient::new(channel);
    let request = proto::WatchFriendsRequest { owner: name(user), since_version: 0 };
    let mut stream = friends.watch_friends(authorized(&token, request)).await?.into_inner();
    let (mut copy, mut version) = (BTreeSet::new(), 0);
    let mut begun = false;
    loop {
        let goals_are_set = seen.goals_are_set.notified();
        if seen.has_everything(user, version) {
            return Ok(copy);
        }
        let message = tokio::select! {
            message = stream.message() => message?.ok_or("the server has ended a stream")?,
            () = goals_are_set => continue,
        };
        let now = Clock::system().now().unix_timestamp_nanos() / 1000;
        version = message.next_version;
        for change in message.changes {
            match change.change.ok_or("a change of no kind")? {
                Change::Upserted(friend) => {
                    let at = friend.update_time.unwrap_or_default();
                    let at = i128::from(at.seconds) * 1_000_000 + i128::from(at.nanos) / 1000;
                    locked(&seen.latencies).push(i64::try_from(now - at)?);
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

/// Begins a change at each tick, whether earlier ones have ended or not. Returns how many
/// were under way at most.
async fn write(channel: &Channel, token: &Token) -> Result<usize, Failure> {
    let under_way = Arc::new(AtomicUsize::new(0));
    let mut most = 0;
    let mut ticks = tokio::time::interval(EVERY);
    let mut calls: Vec<JoinHandle<Result<(), Status>>> = Vec::new();
    for number in 0..CHANGES {
        ticks.tick().await;
        most = most.max(under_way.fetch_add(1, Ordering::SeqCst));
        let mut friends = FriendServiceClient::new(channel.clone());
        let (token, under_way) = (token.clone(), Arc::clone(&under_way));
        calls.push(tokio::spawn(async move {
            let (turn, pair) = (number / PAIRS, number % PAIRS);
            let distance = 1 + pair / WATCHERS;
            let (owner, friend) = (name(pair % WATCHERS), name((pair + distance) % WATCHERS));
            let done = if turn % 2 == 0 {
                let request = proto::AddFriendRequest { owner, friend, ..Default::default() };
                friends.add_friend(authorized(&token, request)).await.map(drop)
            } else {
                let request = proto::RemoveFriendRequest { owner, friend, clear_remark: true };
                friends.remove_friend(authorized(&token, request)).await.map(drop)
            };
            under_way.fetch_sub(1, Ordering::SeqCst);
            done
        }));
    }
    for call in calls {
        call.await??;
    }
    Ok(most)
}

/// The version of each user's lists, and the friends.
async fn lists(channel: &Channel, token: &Token) -> Result<Vec<(i64, Vec<String>)>, Failure> {
    let mut users = UserServiceClient::new(channel.clone());
    let mut friends = FriendServiceClient::new(channel.clone());
    let mut lists = Vec::new();
    for user in 0..WATCHERS {
        let request = proto::GetUserRequest { username: name(user) };
        let head = users.get_user(authorized(token, request)).await?.into_inner().list_summary;
        let request = proto::ListAllFriendsRequest { owner: name(user) };
        let list = friends.list_all_friends(authorized(token, request)).await?.into_inner();
        lists.push((head.unwrap_or_default().version, list.usernames));
    }
    Ok(lists)
}

fn name(user: usize) -> String {
    format!("user{user:04}")
}

/// The memory of this process, in KiB.
fn resident_kib() -> Result<i64, Failure> {
    let pid = std::process::id().to_string();
    let ps = Command::new("ps").args(["-o", "rss=", "-p", &pid]).output()?;
    Ok(String::from_utf8(ps.stdout)?.trim().parse()?)
}
