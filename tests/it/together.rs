//! Callers who come at once share transactions, and each still gets what is theirs.

use std::collections::BTreeSet;

use befriend::{clock::Clock, proto};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, expect_error,
    follow::Follower,
    invariants,
    race::race,
    tenant::{acme, block_limit, friend_limit},
};

/// As many as make several groups.
const CALLERS: usize = 80;

async fn remark_by(tenant: Tenant, number: usize) -> Result<proto::Friend, Status> {
    tenant.remark("owner", "friend", &format!("remark {number}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_one_entry_by_callers_at_once_is_told_and_has_a_version_of_its_own() {
    let (app, tenant) = acme(&["owner", "friend"]).await;
    tenant.befriend("owner", "friend").await.unwrap();
    let before = tenant.head("owner").await.unwrap().version;
    let answers = race(CALLERS, |number| {
        let tenant = tenant.clone();
        async move { remark_by(tenant, number).await }
    })
    .await;
    let mut entries: Vec<proto::Friend> =
        answers.into_iter().map(|answer| answer.unwrap()).collect();
    entries.sort_by_key(|entry| entry.version);
    let versions: Vec<i64> = entries.iter().map(|entry| entry.version).collect();
    let expected: Vec<i64> = (before + 1..).take(CALLERS).collect();
    assert_eq!(versions, expected, "one version for each change");
    let remarks: BTreeSet<&str> = entries.iter().map(|entry| entry.remark.as_str()).collect();
    assert_eq!(remarks.len(), CALLERS, "everybody was answered with their own remark");
    let last = entries.last().unwrap();
    let request =
        proto::GetFriendRequest { owner: "owner".to_owned(), friend: "friend".to_owned() };
    let kept = tenant.friends().get_friend(request).await.unwrap().into_inner().friend.unwrap();
    assert_eq!((&kept.remark, kept.version), (&last.remark, last.version));
    assert_eq!(tenant.head("owner").await.unwrap().version, last.version);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_callers_at_once_each_is_refused_for_their_own_reason() {
    let (app, tenant) = acme(&["owner", "friend", "stranger"]).await;
    tenant.befriend("owner", "friend").await.unwrap();
    let answers = race(CALLERS, |number| {
        let tenant = tenant.clone();
        async move {
            let answer = match number % 9 {
                0 => tenant.befriend("owner", "nobody").await.map(drop),
                1 => tenant.befriend("nobody", "owner").await.map(drop),
                2 => tenant.remark("owner", "stranger", "who?").await.map(drop),
                3 => tenant.remark("owner", "friend", &format!("remark {number}")).await.map(drop),
                4 => tenant.block("owner", &["friend", "nobody"]).await.map(drop),
                5 => tenant.block("nobody", &["owner"]).await.map(drop),
                6 => tenant.block("owner", &["stranger", "owner"]).await.map(drop),
                7 => tenant.block("friend", &["stranger", "owner"]).await.map(drop),
                _ => tenant.befriend("owner", "friend").await.map(drop),
            };
            (number % 9, answer)
        }
    })
    .await;
    for (kind, answer) in answers {
        let code = answer.map_or_else(|status| status.code(), |()| Code::Ok);
        let expected = match kind {
            0 | 1 | 4 | 5 => Code::NotFound,
            2 => Code::FailedPrecondition,
            6 => Code::InvalidArgument,
            _ => Code::Ok,
        };
        assert_eq!(code, expected, "of kind {kind}");
    }
    assert_eq!(tenant.head("owner").await.unwrap().friend_count, 1);
    assert!(tenant.blocked_by("owner").await.unwrap().is_empty());
    let mut blocked = tenant.blocked_by("friend").await.unwrap();
    blocked.sort();
    assert_eq!(blocked, ["owner", "stranger"]);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_limit_is_exact_for_callers_at_once_and_each_block_is_told_once() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant_with("acme#chat", block_limit(i32::try_from(CALLERS).unwrap())).await;
    app.keep_events(&tenant).await;
    tenant.create(&["owner"]).await;
    let others = tenant.crowd("other", CALLERS + 20).await;
    let before = tenant.head("owner").await.unwrap().version;
    // Each blocks two, and shares one of them with the next.
    let answers = race(CALLERS + 19, |number| {
        let (tenant, two) = (tenant.clone(), [others[number].clone(), others[number + 1].clone()]);
        async move { tenant.block("owner", &[&two[0], &two[1]]).await }
    })
    .await;
    let mut done = BTreeSet::new();
    for answer in answers {
        match answer {
            Ok(names) => done.extend(names),
            refused => drop(expect_error(refused, Code::ResourceExhausted, "BLOCK_LIMIT_EXCEEDED")),
        }
    }
    // The last may all have wanted two places where one was left: then that one stays free.
    let blocked: BTreeSet<String> = tenant.blocked_by("owner").await.unwrap().into_iter().collect();
    assert_eq!(blocked, done, "who was answered is blocked, and nobody else");
    assert!((CALLERS - 1..=CALLERS).contains(&blocked.len()), "{} of {CALLERS}", blocked.len());
    let head = tenant.head("owner").await.unwrap();
    assert_eq!(usize::try_from(head.version - before).unwrap(), blocked.len());
    let mut told = app.told().await;
    told.sort();
    let expected: Vec<String> =
        blocked.iter().map(|name| format!("block.added owner>{name}")).collect();
    assert_eq!(told, expected);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_blocks_many_or_whoever_asks_them_does_so_beside_the_others() {
    // On the slowest machine too nobody gives up waiting for the two whom all want.
    let patient = ["--db-acquire-timeout", "2m", "--db-lock-timeout", "2m", "--max-duration", "5m"];
    let app = TestApp::with(&patient, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["asked", "many"]).await;
    let others = tenant.crowd("other", CALLERS).await;
    for other in &others[..10] {
        tenant.ask(other, "asked", "please").await.unwrap();
    }
    let answers = race(CALLERS, |number| {
        let (tenant, others) = (tenant.clone(), others.clone());
        async move {
            let names: Vec<&str> = others.iter().map(String::as_str).collect();
            match number % 4 {
                0 => tenant.block("many", &names).await.map(|blocked| blocked.len() == CALLERS),
                1 => tenant.block("asked", &[names[number / 4]]).await.map(|b| b.len() == 1),
                _ => tenant.block(names[number], &["asked", "many"]).await.map(|b| b.len() == 2),
            }
        }
    })
    .await;
    for answer in answers {
        assert!(answer.unwrap(), "everybody was answered with their own");
    }
    assert_eq!(tenant.head("many").await.unwrap().block_count, i32::try_from(CALLERS).unwrap());
    assert_eq!(tenant.head("asked").await.unwrap().block_count, 20);
    assert_eq!(tenant.pending("asked").await, (0, 0), "who is blocked does not ask any more");
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_two_apps_at_once_get_into_neither_others_lists_nor_limits() {
    let app = TestApp::start().await;
    let (small, large) = (
        app.tenant_with("a#small", friend_limit(5)).await,
        app.tenant_with("a#large", friend_limit(50)).await,
    );
    let mut others = Vec::new();
    for tenant in [&small, &large] {
        tenant.create(&["owner"]).await;
        others = tenant.crowd("other", CALLERS / 2).await;
    }
    let answers = race(CALLERS, |number| {
        let tenant = if number % 2 == 0 { small.clone() } else { large.clone() };
        let other = others[number / 2].clone();
        async move { (number % 2, tenant.befriend("owner", &other).await.is_ok()) }
    })
    .await;
    let made: Vec<usize> =
        answers.into_iter().filter_map(|(app, made)| made.then_some(app)).collect();
    assert_eq!(made.iter().filter(|app| **app == 0).count(), 5);
    assert_eq!(made.iter().filter(|app| **app == 1).count(), CALLERS / 2);
    assert_eq!(small.friends_of("owner").await.unwrap().len(), 5);
    assert_eq!(large.friends_of("owner").await.unwrap().len(), CALLERS / 2);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_callers_of_two_apps_block_at_once_is_told_to_their_own_apps_rules() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let (told, untold) = (app.tenant("a#told").await, app.tenant("a#untold").await);
    app.keep_events(&told).await;
    let mut others = Vec::new();
    for tenant in [&told, &untold] {
        tenant.create(&["owner"]).await;
        others = tenant.crowd("other", CALLERS / 2).await;
    }
    let answers = race(CALLERS, |number| {
        let tenant = if number % 2 == 0 { told.clone() } else { untold.clone() };
        let other = others[number / 2].clone();
        async move { tenant.block("owner", &[&other]).await }
    })
    .await;
    for answer in answers {
        answer.unwrap();
    }
    for tenant in [&told, &untold] {
        let count = tenant.head("owner").await.unwrap().block_count;
        assert_eq!(count, i32::try_from(CALLERS / 2).unwrap());
    }
    let mut events = app.told().await;
    events.sort();
    let mut expected: Vec<String> =
        others.iter().map(|name| format!("block.added owner>{name}")).collect();
    expected.sort();
    assert_eq!(events, expected);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_row_that_is_locked_holds_up_nobody_else() {
    // Long enough for the slowest machine: those who wait are still to be waiting at the end.
    let patient =
        ["--db-lock-timeout", "2m", "--db-statement-timeout", "2m", "--max-duration", "5m"];
    let app = TestApp::with(&patient, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["held"]).await;
    let crowd = tenant.crowd("free", CALLERS).await;
    let held = app.hold("held").await;
    let waiting: Vec<_> = (0..4)
        .map(|number| {
            // Not of the pairs below: who waits has locked one of the two already.
            let (tenant, friend) = (tenant.clone(), crowd[CALLERS - 1 - number].clone());
            tokio::spawn(async move { tenant.befriend("held", &friend).await })
        })
        .collect();
    app.until_somebody_waits_for_a_lock().await;
    let answers = race(CALLERS / 2 - 2, |number| {
        let (tenant, pair) =
            (tenant.clone(), [crowd[number * 2].clone(), crowd[number * 2 + 1].clone()]);
        async move { tenant.befriend(&pair[0], &pair[1]).await }
    })
    .await;
    for answer in answers {
        answer.unwrap();
    }
    assert!(waiting.iter().all(|call| !call.is_finished()), "the row is still locked");
    drop(held);
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    assert_eq!(tenant.head("held").await.unwrap().friend_count, 4);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_checks_that_are_asked_for_at_once_are_each_ones_own() {
    let (app, tenant) = acme(&[]).await;
    let users = tenant.crowd("user", 20).await;
    for (at, user) in users.iter().enumerate() {
        for friend in &users[at + 1..] {
            // Friends are those whose distance is odd.
            if (friend.len() + at + users.iter().position(|u| u == friend).unwrap()) % 2 == 0 {
                tenant.befriend(user, friend).await.unwrap();
            }
        }
    }
    let mut lists = Vec::new();
    for user in &users {
        lists.push(tenant.friends_of(user).await.unwrap());
    }
    let answers = race(CALLERS, |number| {
        let (tenant, users, lists) = (tenant.clone(), users.clone(), lists.clone());
        async move {
            let (user, other) = (number % 20, (number * 7 + 3) % 20);
            let request = proto::ListFriendsRequest {
                owner: users[user].clone(),
                page_size: 50,
                ..Default::default()
            };
            let page = tenant.friends().list_friends(request).await.unwrap().into_inner().entries;
            let page: Vec<String> = page.into_iter().map(|entry| entry.username).collect();
            let request = proto::CheckRelationsRequest {
                username: users[user].clone(),
                others: vec![users[other].clone()],
            };
            let checked = tenant.relations().check_relations(request).await.unwrap().into_inner();
            let is_friend = checked.relations[0].is_friend;
            page == lists[user] && is_friend == lists[user].contains(&users[other])
        }
    })
    .await;
    assert!(answers.into_iter().all(|right| right));
    drop(app);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follow_different_lists_at_once_get_each_their_own() {
    let (_app, tenant) = acme(&[]).await;
    let users = tenant.crowd("user", 10).await;
    for (at, user) in users.iter().enumerate() {
        for friend in &users[..at] {
            tenant.befriend(user, friend).await.unwrap();
        }
        let usernames = users[..at / 2].to_vec();
        let request = proto::BlockUsersRequest { owner: user.clone(), usernames };
        if at > 1 {
            tenant.blocks().block_users(request).await.unwrap();
        }
    }
    let followers = race(CALLERS, |number| {
        let (tenant, users) = (tenant.clone(), users.clone());
        async move {
            // Some follow nobody, and must not move the others' answers.
            let owner = users.get(number % 11).map_or("nobody", String::as_str);
            let mut follower = Follower::new(&tenant, owner);
            let page_size = i32::try_from(number % 4 + 1).unwrap();
            let caught_up = follower.catch_up(page_size).await;
            (owner == "nobody", follower, caught_up)
        }
    })
    .await;
    for (nobody, follower, caught_up) in followers {
        if nobody {
            assert_eq!(caught_up.unwrap_err().code(), Code::NotFound);
        } else {
            caught_up.unwrap();
            follower.expect_exact().await;
        }
    }
}
