//! What callbacks cost and how fast they go: `make bench-outbox`.
//!
//! The server, its callers and the receiver run in one process, beside a private Postgres with fsync
//! on the same machine. So the figures of one run compare with each other only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use befriend::{
    proto::{
        self, callback_rule_service_client::CallbackRuleServiceClient,
        friend_service_client::FriendServiceClient,
    },
    store,
};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

use self::common::{
    app::{Failure, Token, authorized, operator},
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

const APP: &str = "bench#outbox";
const USERS: u64 = 20_000;
const CALLERS: u64 = 32;
const ROUNDS: usize = 3;
const PHASE: Duration = Duration::from_millis(2500);

fn main() -> Result<(), Failure> {
    let options = Options { data_dir: None, fsync: true, max_connections: 100 };
    with_postgres(options, |postgres, _| {
        tokio::runtime::Runtime::new()?.block_on(measure(postgres.url()))
    })
}

async fn measure(url: &str) -> Result<(), Failure> {
    store::migrate(url).await?;
    let bench = Bench::prepare(url).await?;
    let mut writing: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (at, rules) in [0, 1, 4].into_iter().enumerate() {
            bench.enable(rules).await?;
            writing[at].push(bench.add_friends(PHASE).await?);
            sqlx::query("truncate outbox").execute(&bench.pool).await?;
        }
    }
    println!(
        "| AddFriend, {CALLERS} callers, nothing delivered | a second, by round | median | of none |"
    );
    println!("| --- | --- | --- | --- |");
    let none = median(&writing[0]);
    for (rules, rates) in ["no rule", "one rule", "four rules"].iter().zip(&writing) {
        let rounds: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
        let (median, share) = (median(rates), median(rates) / none * 100.0);
        println!("| {rules} | {} | {median:.0} | {share:.0} % |", rounds.join(", "));
    }
    println!();

    println!("| delivered to a receiver that answers at once | events | a second |");
    println!("| --- | --- | --- |");
    bench.enable(1).await?;
    for (events_each, owners) in [(1, 20_000), (10, 3000), (10_000, 2)] {
        let events = events_each * owners;
        let rate = bench.drain(events_each, owners).await?;
        println!("| a backlog of {owners} users with {events_each} each | {events} | {rate:.0} |");
    }
    let (added, delivered) = bench.both(PHASE * 2).await?;
    println!("| while {CALLERS} callers add {added:.0} friends a second | | {delivered:.0} |");
    bench.server.stop().await
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A server that delivers nothing, its app, and a receiver that counts.
struct Bench {
    url: String,
    pool: PgPool,
    server: Listening,
    channels: Vec<Channel>,
    token: Token,
    /// The ids of the app's callback rules.
    rules: Vec<String>,
    /// The events that the receiver has got.
    received: Arc<AtomicU64>,
    /// The pairs that were befriended.
    pairs: Arc<AtomicU64>,
}

impl Bench {
    async fn prepare(url: &str) -> Result<Self, Failure> {
        let received = Arc::new(AtomicU64::new(0));
        let receiver = receive(Arc::clone(&received)).await?;
        let server = Listening::start(url, &["--deliver", "false"]).await?;
        let mut channels = Vec::new();
        for _ in 0..4 {
            channels.push(Endpoint::from_shared(server.address.clone())?.connect().await?);
        }
        let names: Vec<String> = (0..USERS).map(name).collect();
        let token = app_with_users(channels[0].clone(), APP, &names).await?;
        let mut rule_service = CallbackRuleServiceClient::new(channels[0].clone());
        let mut rules = Vec::new();
        for _ in 0..4 {
            let rule = proto::CreateCallbackRuleRequest {
                app_key: APP.to_owned(),
                url: receiver.clone(),
                ..Default::default()
            };
            let created = rule_service.create_callback_rule(authorized(&operator(), rule)).await?;
            rules.push(created.into_inner().rule.unwrap_or_default().rule_id);
        }
        let pool = PgPool::connect(url).await?;
        let (url, pairs) = (url.to_owned(), Arc::new(AtomicU64::new(0)));
        Ok(Self { url, pool, server, channels, token, rules, received, pairs })
    }

    /// Enables the first so many of the app's callback rules, and disables the others.
    async fn enable(&self, rules: usize) -> Result<(), Failure> {
        sqlx::query("update callback_rules set enabled = rule_id::text = any($1)")
            .bind(&self.rules[..rules])
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Adds friends from all callers for a time. Returns how many a second.
    async fn add_friends(&self, time: Duration) -> Result<f64, Failure> {
        let start = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let channel = self.channels[caller as usize % self.channels.len()].clone();
                let (token, pairs) = (self.token.clone(), Arc::clone(&self.pairs));
                tokio::spawn(async move {
                    let mut friends = FriendServiceClient::new(channel);
                    let mut added = 0;
                    while start.elapsed() < time {
                        let pair = pairs.fetch_add(1, Ordering::Relaxed);
                        let (at, distance) = (pair % USERS, pair / USERS + 1);
                        let request = proto::AddFriendRequest {
                            owner: name(at),
                            friend: name((at + distance) % USERS),
                            server_extension: String::new(),
                        };
                        friends.add_friend(authorized(&token, request)).await?;
                        added += 1;
                    }
                    Ok::<u64, tonic::Status>(added)
                })
            })
            .collect();
        let mut added = 0;
        for caller in callers {
            added += caller.await??;
        }
        Ok(per_second(added, start))
    }

    /// Fills the outbox and starts an instance that delivers it. Returns how many events a second.
    async fn drain(&self, events_each: i64, owners: i64) -> Result<f64, Failure> {
        sqlx::query(
            "insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                                 friend_name, detail, next_attempt_at, created_at)
             select u.owner_key, r.rule_id, 1000000 + n,
                    ('x' || left(u.owner_key::text, 2))::bit(8)::int, u.app_id, n, 'friend.added',
                    u.username, 'friend', '', now(), now()
             from (select * from users order by owner_key limit $1) u, callback_rules r,
                  generate_series(1, $2) n
             where r.enabled",
        )
        .bind(owners)
        .bind(events_each)
        .execute(&self.pool)
        .await?;
        sqlx::query("analyze outbox").execute(&self.pool).await?;
        let events = u64::try_from(events_each * owners)?;
        let before = self.received.load(Ordering::Relaxed);
        let delivering = Listening::start(&self.url, &[]).await?;
        let start = Instant::now();
        while self.received.load(Ordering::Relaxed) < before + events {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let rate = per_second(events, start);
        delivering.stop().await?;
        let left: i64 =
            sqlx::query_scalar("select count(*) from outbox").fetch_one(&self.pool).await?;
        let repeated = self.received.load(Ordering::Relaxed) - before - events;
        if left > 0 || repeated > 0 {
            return Err(format!("{left} events left, {repeated} repeated").into());
        }
        Ok(rate)
    }

    /// Adds friends while another instance delivers. Returns how many friends and how many events a
    /// second.
    async fn both(&self, time: Duration) -> Result<(f64, f64), Failure> {
        let delivering = Listening::start(&self.url, &[]).await?;
        let (before, start) = (self.received.load(Ordering::Relaxed), Instant::now());
        let added = self.add_friends(time).await?;
        let delivered = per_second(self.received.load(Ordering::Relaxed) - before, start);
        delivering.stop().await?;
        Ok((added, delivered))
    }
}

/// Starts a receiver that answers every event at once with success. Returns its URL.
async fn receive(received: Arc<AtomicU64>) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let counting = move |_: axum::body::Bytes| {
        received.fetch_add(1, Ordering::Relaxed);
        async {}
    };
    let router = axum::Router::new().fallback(counting);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

fn name(number: u64) -> String {
    format!("user{number:05}")
}

#[expect(clippy::cast_precision_loss, reason = "counts of some seconds are small")]
fn per_second(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}
