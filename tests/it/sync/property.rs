//! Followers end with exactly the server's lists, whatever changes while they sync.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use befriend::{clock::Clock, proto, server::upkeep};
use time::{Duration, macros::datetime};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp,
    follow::Follower,
    invariants,
    race::{Dice, names, only, race},
};

/// So few users that most calls collide with others.
const USERS: usize = 8;

/// How many writes a writer makes.
const WRITES: usize = 30;

/// How many writers there are at the same time.
const WRITERS: usize = 6;

/// Makes random writes.
async fn write(tenant: Tenant, users: Vec<String>, seed: u64) -> Vec<Result<(), Status>> {
    let mut dice = Dice(seed);
    let mut answers = Vec::new();
    for step in 0..WRITES {
        let (a, b) = (dice.roll(USERS), 1 + dice.roll(USERS - 1));
        let (owner, other) = (&users[a], &users[(a + b) % USERS]);
        let answer = match dice.roll(32) {
            0..8 => tenant.befriend(owner, other).await.map(drop),
            8..12 => tenant.unfriend(owner, other).await.map(drop),
            12..15 => tenant.unfriend_and_forget(owner, other).await.map(drop),
            15..18 => tenant.remark(owner, other, &format!("{seed}/{step}")).await.map(drop),
            18 => tenant.unfriend_all(owner).await.map(drop),
            19..21 => tenant.import(owner, &[other, &users[(a + b + 1) % USERS]]).await.map(drop),
            21..24 => tenant.block(owner, &[other]).await.map(drop),
            24..26 => tenant.unblock(owner, other).await.map(drop),
            26..29 => tenant.ask(owner, other, "").await.map(drop),
            29 => tenant.accept(other, owner).await.map(drop),
            30 => tenant.reject(other, owner, "").await.map(drop),
            _ => match tenant.delete(owner).await {
                Ok(_) => tenant.create_one(owner, "").await.map(drop),
                Err(status) => Err(status),
            },
        };
        answers.push(answer);
    }
    answers
}

/// Follows a user in pages of random size, with random pauses, until `done` says that all is written.
async fn follow(tenant: Tenant, owner: String, done: Arc<AtomicBool>, seed: u64) -> Follower {
    let mut dice = Dice(seed);
    let mut follower = Follower::new(&tenant, &owner);
    while !done.load(Ordering::SeqCst) {
        for _ in 0..dice.roll(200) {
            tokio::task::yield_now().await;
        }
        let page_size = i32::try_from(1 + dice.roll(5)).unwrap();
        let step = if dice.roll(5) < 3 {
            follower.step_friends(page_size).await
        } else {
            follower.step_blocks(page_size).await
        };
        if let Err(status) = step {
            assert_eq!(
                status.code(),
                Code::NotFound,
                "only a deletion may fail a sync: {status:?}"
            );
        }
    }
    follower
}

/// Purges tombstones that are an hour old, as the hours go by.
async fn purge(app: Arc<TestApp>, clock: Clock, done: Arc<AtomicBool>) {
    while !done.load(Ordering::SeqCst) {
        clock.advance(Duration::minutes(25));
        upkeep::round(&app.core).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_of_versions_ends_with_exactly_the_servers_lists() {
    for round in 0..3 {
        followers_end_with_the_servers_lists(round * 1000).await;
    }
}

/// A server that purges tombstones after an hour, and a tenant with small limits whose token outlives
/// all the hours of the test.
async fn purging(clock: &Clock) -> (Arc<TestApp>, Tenant) {
    let flags = [
        "--tombstone-retention",
        "1h",
        "--request-expiry",
        "1h",
        "--max-token-ttl",
        "366d",
        "--db-connections",
        "16",
    ];
    let app = Arc::new(TestApp::with(&flags, clock.clone()).await);
    let limits = proto::AppLimits {
        friend_limit: Some(5),
        block_limit: Some(4),
        requests_per_second: Some(1_000_000),
    };
    let tenant = app.tenant_with("acme#chat", limits).await;
    let life = std::time::Duration::from_hours(366 * 24);
    let login = app.login(&tenant.app.client_id, &tenant.client_secret, Some(life)).await;
    let tenant = tenant.with_token(&login.unwrap().access_token);
    (app, tenant)
}

async fn followers_end_with_the_servers_lists(seed: u64) {
    let clock = Clock::stopped_at(datetime!(2026-01-01 0:00 UTC));
    let (app, tenant) = purging(&clock).await;
    let users = names("user", USERS);
    tenant.create(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;

    // No writer changes this user's list: a purge is sure to overtake a follower who has read it once.
    let quiet = "quiet".to_owned();
    tenant.create(&[&quiet, "quiet-friend"]).await;
    tenant.befriend(&quiet, "quiet-friend").await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let following: Vec<_> = (0..2 * USERS)
        .map(|number| {
            let owner = users[number % USERS].clone();
            let seed = seed + number as u64;
            tokio::spawn(follow(tenant.clone(), owner, Arc::clone(&done), seed))
        })
        .collect();
    let purging = tokio::spawn(purge(Arc::clone(&app), clock.clone(), Arc::clone(&done)));
    // These followers read once in the middle.
    let mut followers: Vec<Follower> =
        users.iter().chain([&quiet]).map(|owner| Follower::new(&tenant, owner)).collect();
    write_at_once(&tenant, &users, seed + 500).await;
    for follower in &mut followers {
        follower.catch_up(2).await.unwrap();
    }
    write_at_once(&tenant, &users, seed + 600).await;
    done.store(true, Ordering::SeqCst);
    purging.await.unwrap();
    tenant.unfriend(&quiet, "quiet-friend").await.unwrap();
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    for follower in following {
        followers.push(follower.await.unwrap());
    }
    let mut resyncs = 0;
    for mut follower in followers {
        follower.catch_up(3).await.unwrap();
        follower.expect_exact().await;
        resyncs += follower.resyncs;
    }
    assert!(resyncs > 0, "no purge has overtaken a follower: the test covers too little");
    invariants::hold(app.pool()).await;
}

/// All writers write at the same time.
async fn write_at_once(tenant: &Tenant, users: &[String], seed: u64) {
    let answers =
        race(WRITERS, |number| write(tenant.clone(), users.to_vec(), seed + number as u64)).await;
    let allowed =
        [Code::NotFound, Code::FailedPrecondition, Code::ResourceExhausted, Code::AlreadyExists];
    only(&answers.into_iter().flatten().collect::<Vec<_>>(), &allowed);
}
