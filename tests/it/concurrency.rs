//! Many callers at once: limits hold, lists agree, nothing deadlocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use befriend::{clock::Clock, proto};
use sqlx::PgPool;
use tokio::sync::Barrier;
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, invariants};

/// How many callers race.
const CALLERS: usize = 64;

/// Starts `count` tasks, lets all begin in the same moment, and returns what each came to.
async fn race<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (start, work) = (Arc::clone(&start), task(number));
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// How often each code was answered.
fn codes<T>(answers: &[Result<T, Status>]) -> BTreeMap<String, usize> {
    let mut codes = BTreeMap::new();
    for answer in answers {
        let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        *codes.entry(format!("{code:?}")).or_default() += 1;
    }
    codes
}

/// The codes and how often each is expected.
fn expected(codes: &[(Code, usize)]) -> BTreeMap<String, usize> {
    codes.iter().map(|(code, times)| (format!("{code:?}"), *times)).collect()
}

/// Every answer is one of these codes.
#[track_caller]
fn only<T>(answers: &[Result<T, Status>], allowed: &[Code]) {
    for answer in answers {
        if let Err(status) = answer {
            assert!(allowed.contains(&status.code()), "{status:?}");
        }
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:03}")).collect()
}

async fn create(tenant: &Tenant, usernames: &[String]) {
    tenant.create(&usernames.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// An app with these limits on a server with connections enough for a crowd.
async fn crowd(friend_limit: i32, block_limit: i32) -> (TestApp, Tenant) {
    let app = TestApp::with(&["--db-connections", "32"], Clock::system()).await;
    let limits = proto::AppLimitsChange {
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

async fn delete(tenant: Tenant, username: &'static str) -> Result<(), Status> {
    let request = proto::DeleteUserRequest { username: username.to_owned() };
    tenant.users().delete_user(request).await.map(drop)
}

/// Whether anything in anybody's list still names this user.
async fn traces_of(pool: &PgPool, username: &str) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from friends where friend_name = $1 and not deleted)
              + (select count(*) from blocks where blocked_name = $1 and not deleted)
              + (select count(*) from blocked_by where blocker_name = $1)
              + (select count(*) from users u join friends f using (owner_key)
                 where u.username = $1 and not f.deleted)
              + (select count(*) from users u join blocks b using (owner_key)
                 where u.username = $1 and not b.deleted)
              + (select count(*) from users u join blocked_by y using (owner_key)
                 where u.username = $1)",
    )
    .bind(username)
    .fetch_one(pool)
    .await
    .unwrap()
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
async fn a_user_deleted_amid_calls_that_name_them_stands_nowhere_afterwards() {
    let (app, tenant) = crowd(3000, 500).await;
    let others = names("other", 150);
    create(&tenant, &[vec!["victim".to_owned(), "owner".to_owned()], others.clone()].concat())
        .await;
    for chunk in others[..120].chunks(10) {
        import(tenant.clone(), "victim".to_owned(), chunk.to_vec()).await.unwrap();
    }
    for other in &others[100..] {
        tenant.block(other, &["victim"]).await.unwrap();
    }
    let answers = race(CALLERS, |number| {
        let (tenant, other) = (tenant.clone(), others[number].clone());
        let late = others[149 - number].clone();
        async move {
            match number % 8 {
                _ if number == 32 => delete(tenant, "victim").await,
                0 => tenant.befriend("victim", &late).await.map(drop),
                1 => tenant.befriend(&late, "victim").await.map(drop),
                2 => tenant.block(&other, &["victim", "owner"]).await.map(drop),
                3 => tenant.block("victim", &[&other, &late]).await.map(drop),
                4 => import(tenant, other, vec!["victim".to_owned(), late]).await.map(drop),
                5 => tenant.remark(&other, "victim", "gone soon").await.map(drop),
                6 => tenant.unfriend("victim", &other).await.map(drop),
                _ => unblock(tenant, late, "victim".to_owned()).await,
            }
        }
    })
    .await;
    only(&answers, &[Code::NotFound, Code::FailedPrecondition]);
    assert!(answers[32].is_ok());
    assert_eq!(tenant.head("victim").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(traces_of(app.pool(), "victim").await, 0);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_who_delete_and_clear_at_once_do_not_get_into_each_others_way() {
    let (app, tenant) = crowd(3000, 500).await;
    let circle = ["a", "b", "c", "d", "e", "f", "g", "h"];
    tenant.create(&circle).await;
    for a in circle {
        for b in circle {
            if a < b {
                tenant.befriend(a, b).await.unwrap();
                tenant.block(a, &[b]).await.unwrap();
                tenant.block(b, &[a]).await.unwrap();
            }
        }
    }
    // Half of the circle is deleted while the other half empties its lists of them.
    let answers = race(8, |number| {
        let (tenant, user) = (tenant.clone(), circle[number]);
        async move {
            if number % 2 == 0 {
                delete(tenant, user).await
            } else {
                remove_all(tenant, user).await.map(drop)
            }
        }
    })
    .await;
    only(&answers, &[]);
    for gone in ["a", "c", "e", "g"] {
        assert_eq!(traces_of(app.pool(), gone).await, 0, "{gone}");
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn remove_all_friends_does_not_wait_for_a_deleted_friend_to_be_cleaned_up() {
    let (app, tenant) = crowd(3000, 500).await;
    tenant.create(&["owner", "gone", "other"]).await;
    tenant.befriend("owner", "gone").await.unwrap();
    tenant.befriend("owner", "other").await.unwrap();
    // As if the service had been killed between the deletion and the cleaning of lists.
    sqlx::query("update users set deleted_at = now(), leaving = true where username = 'gone'")
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(remove_all(tenant.clone(), "owner").await.unwrap(), 2);
    assert_eq!(tenant.head("owner").await.unwrap().friend_count, 0);
    befriend::upkeep::round(&app.core).await;
    assert_eq!(traces_of(app.pool(), "gone").await, 0);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_comes_and_goes_amid_calls_keeps_all_lists_in_agreement() {
    let (app, tenant) = crowd(3000, 500).await;
    let others = names("other", 8);
    create(&tenant, &[vec!["phoenix".to_owned()], others.clone()].concat()).await;
    let answers = race(32, |number| {
        let (tenant, other) = (tenant.clone(), others[number % 8].clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..6 {
                answers.push(match (number + step) % 6 {
                    0 => delete(tenant.clone(), "phoenix").await,
                    1 | 2 => {
                        let user = proto::NewUser {
                            username: "phoenix".to_owned(),
                            nickname: String::new(),
                        };
                        let request = proto::CreateUserRequest { user: Some(user) };
                        tenant.users().create_user(request).await.map(drop)
                    }
                    3 => tenant.befriend("phoenix", &other).await.map(drop),
                    4 => tenant.block(&other, &["phoenix"]).await.map(drop),
                    _ => tenant.block("phoenix", &[&other]).await.map(drop),
                });
            }
            answers
        }
    })
    .await
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    only(&answers, &[Code::NotFound, Code::AlreadyExists]);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_batches_with_users_in_common_one_creates_all_and_the_other_none() {
    let (app, tenant) = crowd(3000, 500).await;
    for round in 0..8 {
        let answers = race(2, |number| {
            let mut batch = names(&format!("round{round}-"), 60);
            if number == 1 {
                batch.reverse();
            }
            let users = batch
                .into_iter()
                .map(|username| proto::NewUser { username, nickname: format!("of {number}") });
            let request = proto::BatchCreateUsersRequest { users: users.collect() };
            let tenant = tenant.clone();
            async move { tenant.users().batch_create_users(request).await.map(drop) }
        })
        .await;
        assert_eq!(codes(&answers), expected(&[(Code::Ok, 1), (Code::AlreadyExists, 1)]));
        let winner = answers.iter().position(Result::is_ok).unwrap();
        let of_winner: i64 = sqlx::query_scalar(
            "select count(*) from users where username like $1 and nickname = $2",
        )
        .bind(format!("round{round}-%"))
        .bind(format!("of {winner}"))
        .fetch_one(app.pool())
        .await
        .unwrap();
        assert_eq!(of_winner, 60);
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
