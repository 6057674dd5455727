//! Many callers at once: limits hold, lists agree, nothing deadlocks.

mod deletion;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use befriend::{clock::Clock, proto};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, invariants,
    race::{codes, expected, names, only, race},
};

/// How many callers race.
const CALLERS: usize = 64;

async fn create(tenant: &Tenant, usernames: &[String]) {
    tenant.create(&usernames.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// An app with these limits on a server with connections enough for a crowd.
async fn crowd(friend_limit: i32, block_limit: i32) -> (TestApp, Tenant) {
    // Whoever waits for a turn on a slow machine must not give up: it would be told apart from what
    // is looked for here only by luck.
    let patient = [
        ["--db-connections", "32"],
        ["--db-acquire-timeout", "1m"],
        ["--db-lock-timeout", "1m"],
        ["--db-statement-timeout", "1m"],
        ["--max-duration", "2m"],
    ];
    let app = TestApp::with(patient.as_flattened(), Clock::system()).await;
    let limits = proto::AppLimits {
        friend_limit: Some(friend_limit),
        block_limit: Some(block_limit),
        requests_per_second: Some(1_000_000),
    };
    let tenant = app.tenant_with("acme#chat", limits).await;
    (app, tenant)
}

async fn import(
    tenant: Tenant,
    owner: String,
    usernames: Vec<String>,
) -> Result<proto::ImportFriendsResponse, Status> {
    let request = proto::ImportFriendsRequest { owner, usernames, notify: false };
    Ok(tenant.friends().import_friends(request).await?.into_inner())
}

async fn remove_all(tenant: Tenant, owner: &'static str) -> Result<i32, Status> {
    let request = proto::RemoveAllFriendsRequest { owner: owner.to_owned() };
    Ok(tenant.friends().remove_all_friends(request).await?.into_inner().removed_count)
}

async fn unblock(tenant: Tenant, owner: String, username: String) -> Result<(), Status> {
    let request = proto::UnblockUserRequest { owner, username };
    tenant.blocks().unblock_user(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_race_for_the_last_places_in_an_owners_list_as_many_get_in_as_are_free() {
    for free in [1, 7] {
        let (app, tenant) = crowd(9, 500).await;
        let (first, racers) = (names("first", 9 - free), names("racer", CALLERS));
        create(&tenant, &[vec!["owner".to_owned()], first.clone(), racers.clone()].concat()).await;
        for name in &first {
            tenant.befriend("owner", name).await.unwrap();
        }
        let answers = race(CALLERS, |number| {
            let (tenant, racer) = (tenant.clone(), racers[number].clone());
            async move { tenant.befriend("owner", &racer).await }
        })
        .await;
        let wanted = [(Code::Ok, free), (Code::ResourceExhausted, CALLERS - free)];
        assert_eq!(codes(&answers), expected(&wanted));
        assert_eq!(tenant.friends_of("owner").await.unwrap().len(), 9);
        invariants::hold(app.pool()).await;
        invariants::heads_are_the_newest_entries(app.pool()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_race_for_the_last_places_in_a_friends_list_as_many_get_in_as_are_free() {
    for free in [1, 7] {
        let (app, tenant) = crowd(9, 500).await;
        let (first, racers) = (names("first", 9 - free), names("racer", CALLERS));
        create(&tenant, &[vec!["idol".to_owned()], first.clone(), racers.clone()].concat()).await;
        for name in &first {
            tenant.befriend(name, "idol").await.unwrap();
        }
        let answers = race(CALLERS, |number| {
            let (tenant, racer) = (tenant.clone(), racers[number].clone());
            async move { tenant.befriend(&racer, "idol").await }
        })
        .await;
        let wanted = [(Code::Ok, free), (Code::ResourceExhausted, CALLERS - free)];
        assert_eq!(codes(&answers), expected(&wanted));
        assert_eq!(tenant.head("idol").await.unwrap().friend_count, 9);
        invariants::hold(app.pool()).await;
        invariants::heads_are_the_newest_entries(app.pool()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_imports_fill_a_list_to_the_last_place_and_not_beyond() {
    let (app, tenant) = crowd(100, 500).await;
    let others = names("other", 160);
    create(&tenant, &[vec!["owner".to_owned()], others.clone()].concat()).await;
    // Everybody is asked for four times, in different company.
    let answers = race(CALLERS, |number| {
        let wanted = (0..10).map(|at| others[(number * 7 + at * 13) % 160].clone()).collect();
        import(tenant.clone(), "owner".to_owned(), wanted)
    })
    .await;
    only(&answers, &[Code::ResourceExhausted]);
    let told: BTreeSet<String> =
        answers.into_iter().flatten().flat_map(|outcome| outcome.succeeded).collect();
    assert_eq!(told, tenant.friends_of("owner").await.unwrap().into_iter().collect());
    assert_eq!(told.len(), 100);
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_race_for_the_last_places_in_a_block_list_as_many_get_in_as_are_free() {
    for free in [1, 7] {
        let (app, tenant) = crowd(3000, 9).await;
        let (first, racers) = (names("first", 9 - free), names("racer", CALLERS));
        create(&tenant, &[vec!["owner".to_owned()], first.clone(), racers.clone()].concat()).await;
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        tenant.block("owner", &first).await.unwrap();
        let answers = race(CALLERS, |number| {
            let (tenant, racer) = (tenant.clone(), racers[number].clone());
            async move { tenant.block("owner", &[&racer]).await }
        })
        .await;
        let wanted = [(Code::Ok, free), (Code::ResourceExhausted, CALLERS - free)];
        assert_eq!(codes(&answers), expected(&wanted));
        assert_eq!(tenant.blocked_by("owner").await.unwrap().len(), 9);
        invariants::hold(app.pool()).await;
        invariants::heads_are_the_newest_entries(app.pool()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_blocks_that_races_for_room_gets_in_whole_or_not_at_all() {
    let (app, tenant) = crowd(3000, 20).await;
    let others = names("other", 3 * CALLERS);
    create(&tenant, &[vec!["owner".to_owned()], others.clone()].concat()).await;
    let answers =
        race(CALLERS, |number| {
            let (tenant, batch) = (tenant.clone(), others[3 * number..3 * number + 3].to_vec());
            async move {
                tenant.block("owner", &batch.iter().map(String::as_str).collect::<Vec<_>>()).await
            }
        })
        .await;
    assert_eq!(codes(&answers), expected(&[(Code::Ok, 6), (Code::ResourceExhausted, CALLERS - 6)]));
    let told: BTreeSet<String> = answers.into_iter().flatten().flatten().collect();
    assert_eq!(told, tenant.blocked_by("owner").await.unwrap().into_iter().collect());
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adds_and_removals_that_cross_leave_both_sides_in_agreement() {
    let (app, tenant) = crowd(4, 500).await;
    let users = names("user", 6);
    create(&tenant, &users).await;
    // Every caller goes over all ordered pairs, each from another place on, so that A adds B while B
    // adds A, removes A, or sets a remark; the limit of 4 of 5 possible friends is hit too.
    let pairs: Vec<(String, String)> = users
        .iter()
        .flat_map(|a| users.iter().map(|b| (a.clone(), b.clone())))
        .filter(|(a, b)| a != b)
        .collect();
    let answers = race(32, |number| {
        let (tenant, pairs) = (tenant.clone(), pairs.clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..pairs.len() {
                let (a, b) = &pairs[(number * 11 + step * 7) % pairs.len()];
                answers.push(match (number + step) % 4 {
                    0 | 1 => tenant.befriend(a, b).await.map(drop),
                    2 => tenant.unfriend(a, b).await.map(drop),
                    _ => tenant.remark(a, b, &format!("{number}/{step}")).await.map(drop),
                });
            }
            answers
        }
    })
    .await
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    only(&answers, &[Code::ResourceExhausted, Code::FailedPrecondition]);
    for (a, b) in &pairs {
        let there = tenant.friends_of(a).await.unwrap().contains(b);
        assert_eq!(there, tenant.friends_of(b).await.unwrap().contains(a), "{a} and {b}");
    }
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_unblocks_that_cross_leave_both_sides_in_agreement() {
    let (app, tenant) = crowd(3000, 4).await;
    let users = names("user", 6);
    create(&tenant, &users).await;
    let answers = race(32, |number| {
        let (tenant, users) = (tenant.clone(), users.clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..20 {
                let owner = &users[(number + step) % 6];
                let other = |ahead: usize| &users[(number + step + ahead) % 6];
                answers.push(match (number * 3 + step) % 5 {
                    0 => tenant.block(owner, &[other(1), other(2)]).await.map(drop),
                    1 => tenant.block(owner, &[other(5), other(4), other(1)]).await.map(drop),
                    2 => tenant.befriend(owner, other(3)).await.map(drop),
                    ahead => unblock(tenant.clone(), owner.clone(), other(ahead - 2).clone()).await,
                });
            }
            answers
        }
    })
    .await
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    only(&answers, &[Code::ResourceExhausted]);
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remove_all_friends_and_adds_at_once_leave_both_sides_in_agreement() {
    let (app, tenant) = crowd(3000, 500).await;
    let others = names("other", 40);
    create(&tenant, &[vec!["owner".to_owned(), "second".to_owned()], others.clone()].concat())
        .await;
    let answers = race(CALLERS, |number| {
        let (tenant, others) = (tenant.clone(), others.clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..5 {
                let other = &others[(number * 5 + step * 3) % 40];
                answers.push(match (number + step) % 4 {
                    0 => tenant.befriend("owner", other).await.map(drop),
                    1 => tenant.befriend(other, "second").await.map(drop),
                    2 => tenant.befriend("owner", "second").await.map(drop),
                    _ => {
                        let owner = if number % 2 == 0 { "owner" } else { "second" };
                        remove_all(tenant.clone(), owner).await.map(drop)
                    }
                });
            }
            answers
        }
    })
    .await
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    only(&answers, &[]);
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remove_all_friends_clears_a_remark_that_an_add_at_once_brings_back() {
    let (_app, tenant) = crowd(3000, 500).await;
    let others = names("other", 30);
    create(&tenant, &[vec!["owner".to_owned()], others.clone()].concat()).await;
    for other in &others {
        // The remark outlasts the friendship, and comes back with it.
        tenant.befriend("owner", other).await.unwrap();
        tenant.remark("owner", other, "from work").await.unwrap();
        tenant.unfriend("owner", other).await.unwrap();
        race(2, |number| {
            let (tenant, other) = (tenant.clone(), other.clone());
            async move {
                match number {
                    0 => tenant.befriend("owner", &other).await.map(drop).unwrap(),
                    _ => remove_all(tenant, "owner").await.map(drop).unwrap(),
                }
            }
        })
        .await;
        tenant.befriend("owner", other).await.unwrap();
        assert_eq!(tenant.entry("owner", other).await.unwrap().remark, "", "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_the_same_names_in_opposite_order_all_succeed() {
    let (app, tenant) = crowd(3000, 500).await;
    let (owners, others) = (names("owner", 8), names("other", 10));
    create(&tenant, &[owners.clone(), others.clone()].concat()).await;
    let answers = race(32, |number| {
        // Owners are among the names too, so that imports cross.
        let mut wanted = [others[..6].to_vec(), owners[..4].to_vec()].concat();
        if number % 2 == 1 {
            wanted.reverse();
        }
        import(tenant.clone(), owners[number % 8].clone(), wanted)
    })
    .await;
    only(&answers, &[]);
    for owner in &owners[4..] {
        assert_eq!(tenant.head(owner).await.unwrap().friend_count, 10, "{owner}");
    }
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_an_owners_versions_misses_no_change() {
    let (app, tenant) = crowd(3000, 500).await;
    let others = names("other", 30);
    create(&tenant, &[vec!["owner".to_owned()], others.clone()].concat()).await;
    let done = Arc::new(AtomicBool::new(false));
    let follower = {
        let (pool, done) = (app.pool().clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut list = BTreeSet::new();
            let mut since = 0_i64;
            loop {
                // Asked before the look: what was written by then must be seen by it.
                let last_look = done.load(Ordering::SeqCst);
                let changes: Vec<(String, bool, i64)> = sqlx::query_as(
                    "select f.friend_name, f.deleted, f.version
                     from friends f
                     join users u using (owner_key)
                     where u.username = 'owner'
                       and f.version > $1
                     order by f.version",
                )
                .bind(since)
                .fetch_all(&pool)
                .await
                .unwrap();
                for (name, deleted, version) in changes {
                    since = version;
                    if deleted {
                        list.remove(&name);
                    } else {
                        list.insert(name);
                    }
                }
                if last_look {
                    return list;
                }
            }
        })
    };
    let answers = race(30, |number| {
        let (tenant, other) = (tenant.clone(), others[number].clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..8 {
                answers.push(if (number + step) % 3 == 0 {
                    tenant.unfriend(&other, "owner").await.map(drop)
                } else {
                    tenant.befriend("owner", &other).await.map(drop)
                });
            }
            answers
        }
    })
    .await
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    only(&answers, &[]);
    done.store(true, Ordering::SeqCst);
    let followed: Vec<String> = follower.await.unwrap().into_iter().collect();
    assert_eq!(followed, tenant.friends_of("owner").await.unwrap());
    invariants::hold(app.pool()).await;
}
