//! Imports while a service runs: limits and symmetry hold, and no call waits forever.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use befriend::clock::Clock;
use tonic::Code;

use super::{Ran, folder, import};
use crate::support::{
    Tenant, TestApp, invariants,
    race::{Dice, names, only},
    tenant::friend_limit,
};

/// Users, and lines that would make more friends for each than the limit allows.
const USERS: usize = 120;
const LIMIT: i32 = 20;

async fn crowd() -> (TestApp, Tenant, Vec<String>) {
    let patient =
        [["--db-acquire-timeout", "1m"], ["--db-lock-timeout", "1m"], ["--max-duration", "2m"]];
    let app = TestApp::with(patient.as_flattened(), Clock::system()).await;
    let mut limits = friend_limit(LIMIT);
    limits.block_limit = Some(LIMIT);
    let tenant = app.tenant_with("acme#chat", limits).await;
    let users = names("user", USERS);
    tenant.create(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (app, tenant, users)
}

/// Random pairs under these column names.
fn pairs(columns: &str, users: &[String], count: usize, seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut text = format!("{columns}\n");
    for _ in 0..count {
        let (one, other) = (dice.roll(USERS), dice.roll(USERS - 1));
        let other = (one + 1 + other) % USERS;
        text += &format!("{},{}\n", users[one], users[other]);
    }
    text
}

/// Makes calls that change friends at random, until it is told to stop. Returns how many.
async fn callers(tenant: &Tenant, users: &[String], stop: &Arc<AtomicBool>) -> usize {
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (tenant, users, stop) = (tenant.clone(), users.to_vec(), Arc::clone(stop));
            tokio::spawn(async move {
                let mut dice = Dice(caller);
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    let (one, other) = (dice.roll(USERS), dice.roll(USERS - 1));
                    let (one, other) = (&users[one], &users[(one + 1 + other) % USERS]);
                    let answer = match dice.roll(5) {
                        0 => tenant.unfriend(one, other).await.map(drop),
                        1 => tenant.block(one, &[other]).await.map(drop),
                        _ => tenant.befriend(one, other).await.map(drop),
                    };
                    only(&[answer], &[Code::ResourceExhausted]);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_symmetry_hold_while_others_add_and_remove() {
    let (app, tenant, users) = crowd().await;
    let files = folder(&[
        ("friends.csv", &pairs("owner,friend", &users, 6000, 7)),
        ("blocks.csv", &pairs("owner,blocked", &users, 6000, 8)),
    ]);
    let stop = Arc::new(AtomicBool::new(false));
    let imports = async {
        let app = &app;
        let ran: Vec<Ran> = tokio::task::block_in_place(|| {
            (0..3).map(|_| import(app, "acme#chat", files.path(), &[])).collect()
        });
        stop.store(true, Ordering::Relaxed);
        ran
    };
    let (calls, ran) = tokio::join!(callers(&tenant, &users, &stop), imports);
    assert!(calls > 0);
    for ran in &ran {
        assert!(ran.printed.lines().count() == 3, "each went through: {}", ran.stderr);
    }
    for user in &users {
        let head = tenant.head(user).await.unwrap();
        assert!(head.friend_count <= LIMIT && head.block_count <= LIMIT, "{user}: {head:?}");
    }
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_that_meet_all_come_through() {
    let (app, tenant, users) = crowd().await;
    let files = folder(&[
        ("friends.csv", &pairs("owner,friend", &users, 3000, 1)),
        ("blocks.csv", &pairs("owner,blocked", &users, 3000, 2)),
    ]);
    let (app, path) = (&app, files.path());
    let ran: Vec<Ran> = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let imports: Vec<_> =
                (0..3).map(|_| scope.spawn(|| import(app, "acme#chat", path, &[]))).collect();
            imports.into_iter().map(|import| import.join().unwrap()).collect()
        })
    });
    for ran in &ran {
        assert!(ran.printed.lines().count() == 3, "{}", ran.stderr);
    }
    let full = tenant.head(&users[0]).await.unwrap().friend_count;
    assert!(full > LIMIT / 2, "{full}");
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}
