//! What callbacks cost and how fast they go: `make bench-outbox`.
//!
//! Everything runs on this machine in one process: the server, its callers and the receiver, beside a
//! private Postgres with fsync. So the figures are for comparing with each other, here and now.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use befriend::{
    clock::Clock,
    config::ServeArgs,
    domain::Secret,
    private_postgres::{PrivatePostgres, Settings},
    proto::{
        self, app_service_client::AppServiceClient, friend_service_client::FriendServiceClient,
        token_service_client::TokenServiceClient, user_service_client::UserServiceClient,
    },
    server, store,
};
use clap::Parser;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const OPERATOR: &str = "operator-token-of-the-bench-0123456789";
const APP: &str = "bench#outbox";
const USERS: u64 = 20_000;
const CALLERS: u64 = 32;
const ROUNDS: usize = 3;
const PHASE: Duration = Duration::from_millis(2500);

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    serve: ServeArgs,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = format!("/var/tmp/befriend-bench-{}", std::process::id());
    let settings = Settings {
        data_dir: folder.clone().into(),
        database: "befriend".to_owned(),
        start_timeout: Duration::from_secs(60),
        fsync: true,
        max_connections: 100,
    };
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&settings)).await??;
    let done = measure(postgres.url()).await;
    tokio::task::spawn_blocking(move || postgres.stop()).await??;
    std::fs::remove_dir_all(folder)?;
    done
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
    Ok(())
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A server that only writes, its app, and a receiver that counts.
struct Bench {
    url: String,
    pool: PgPool,
    channels: Vec<Channel>,
    token: MetadataValue<Ascii>,
    rules: Vec<String>,
    received: Arc<AtomicU64>,
    pairs: Arc<AtomicU64>,
}

/// Serves on a free port in the background until the token is cancelled.
async fn serve(
    url: &str,
    deliver: bool,
) -> Result<(String, CancellationToken, tokio::task::JoinHandle<()>), Failure> {
    let deliver = if deliver { "true" } else { "false" };
    let flags = ["bench", "--listen", "127.0.0.1:0", "--deliver", deliver];
    let args = Flags::parse_from(flags.into_iter().chain(["--max-batch-users", "5000"])).serve;
    let core = server::core(url, &args, Some(Secret::presented(OPERATOR)), Clock::system())?;
    let listener = TcpListener::bind(args.listen).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let serving = tokio::spawn(async move {
        let postman = args.postman(true);
        server::serve(listener, core, &args, postman, stopping).await.expect("it serves");
    });
    Ok((address, stop, serving))
}

fn with_token<T>(token: &MetadataValue<Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}

impl Bench {
    async fn prepare(url: &str) -> Result<Self, Failure> {
        let received = Arc::new(AtomicU64::new(0));
        let receiver = receive(Arc::clone(&received)).await?;
        let (address, _, _) = serve(url, false).await?;
        let mut channels = Vec::new();
        for _ in 0..4 {
            channels.push(Endpoint::from_shared(address.clone())?.connect().await?);
        }
        let operator: MetadataValue<Ascii> = format!("Bearer {OPERATOR}").parse()?;
        let mut apps = AppServiceClient::new(channels[0].clone());
        let limits = proto::AppLimitsChange {
            friend_limit: Some(10_000),
            requests_per_second: Some(1_000_000),
            ..Default::default()
        };
        let create = proto::CreateAppRequest { app_key: APP.to_owned(), limits: Some(limits) };
        let created = apps.create_app(with_token(&operator, create)).await?.into_inner();
        let login = proto::IssueTokenRequest {
            client_id: created.app.unwrap_or_default().client_id,
            client_secret: created.client_secret,
            ttl: None,
        };
        let mut logins = TokenServiceClient::new(channels[0].clone());
        let issued = logins.issue_token(login).await?.into_inner();
        let token: MetadataValue<Ascii> = format!("Bearer {}", issued.access_token).parse()?;
        let mut users = UserServiceClient::new(channels[0].clone());
        for batch in 0..USERS / 1000 {
            let new = (batch * 1000..(batch + 1) * 1000)
                .map(|n| proto::NewUser { username: name(n), nickname: String::new() });
            let request = proto::BatchCreateUsersRequest { users: new.collect() };
            users.batch_create_users(with_token(&token, request)).await?;
        }
        let mut rules = Vec::new();
        for _ in 0..4 {
            let rule = proto::CreateCallbackRuleRequest {
                app_key: APP.to_owned(),
                url: receiver.clone(),
                ..Default::default()
            };
            let made = apps.create_callback_rule(with_token(&operator, rule)).await?.into_inner();
            rules.push(made.rule.unwrap_or_default().rule_id);
        }
        let pool = PgPool::connect(url).await?;
        let (url, pairs) = (url.to_owned(), Arc::new(AtomicU64::new(0)));
        Ok(Self { url, pool, channels, token, rules, received, pairs })
    }

    /// Has so many rules on.
    async fn enable(&self, rules: usize) -> Result<(), Failure> {
        sqlx::query("update callback_rules set enabled = rule_id::text = any($1)")
            .bind(&self.rules[..rules])
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Adds friends from all callers for a time; returns how many a second.
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
                        friends.add_friend(with_token(&token, request)).await?;
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

    /// Fills the outbox, has an instance deliver it, and returns how many events went a second.
    async fn drain(&self, events_each: i64, owners: i64) -> Result<f64, Failure> {
        sqlx::query(
            "insert into outbox (owner_key, rule_id, seq, part, app_id, message_id, type, owner_name,
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
        let (_, stop, serving) = serve(&self.url, true).await?;
        let start = Instant::now();
        while self.received.load(Ordering::Relaxed) < before + events {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let rate = per_second(events, start);
        stop.cancel();
        serving.await?;
        let left: i64 =
            sqlx::query_scalar("select count(*) from outbox").fetch_one(&self.pool).await?;
        let repeated = self.received.load(Ordering::Relaxed) - before - events;
        if left > 0 || repeated > 0 {
            return Err(format!("{left} events left, {repeated} repeated").into());
        }
        Ok(rate)
    }

    /// Adds friends while another instance delivers; returns how many a second of each.
    async fn both(&self, time: Duration) -> Result<(f64, f64), Failure> {
        let (_, stop, serving) = serve(&self.url, true).await?;
        let (before, start) = (self.received.load(Ordering::Relaxed), Instant::now());
        let added = self.add_friends(time).await?;
        let delivered = per_second(self.received.load(Ordering::Relaxed) - before, start);
        stop.cancel();
        serving.await?;
        Ok((added, delivered))
    }
}

/// A receiver that takes everything; returns its URL.
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

#[expect(clippy::cast_precision_loss, reason = "a count of what happened in seconds")]
fn per_second(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}
