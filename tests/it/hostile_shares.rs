//! Apps and callers who take what they can get: the others get their share of every bounded number of
//! places.

use befriend::{clock::Clock, proto};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, expect_error,
    follow::Watcher,
    receiver::{Answer, Receiver, rule_to},
    wire::{Begun, Wire},
};

const GET_USER: &str = "/befriend.v1.UserService/GetUser";
const ISSUE_TOKEN: &str = "/befriend.v1.TokenService/IssueToken";

/// A server, an app that takes what it can get, and another one.
async fn greedy_and_other(flags: &[&str]) -> (TestApp, Tenant, Tenant) {
    let app = TestApp::with(flags, Clock::system()).await;
    let (greedy, other) = (app.tenant("greedy#app").await, app.tenant("other#app").await);
    greedy.create(&["alice", "bob", "carol", "dave", "erin"]).await;
    other.create(&["alice", "bob"]).await;
    (app, greedy, other)
}

/// Calls whose messages never come.
async fn begin(wire: &Wire, path: &str, token: Option<&str>, count: usize) -> Vec<Begun> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    let mut begun = Vec::new();
    for _ in 0..count {
        begun.push(wire.begin(path, &headers).await);
    }
    begun
}

/// How many of the calls were refused because there is no place. All others succeeded.
async fn refused<T>(calls: Vec<tokio::task::JoinHandle<Result<T, Status>>>) -> usize {
    let mut refused = 0;
    for call in calls {
        if let Err(status) = call.await.unwrap() {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            refused += 1;
        }
    }
    refused
}

#[tokio::test]
async fn calls_whose_message_never_comes_hold_no_place_that_others_need() {
    let (app, greedy, other) = greedy_and_other(&["--max-in-flight", "4"]).await;
    let wire = Wire::connect(&app.url).await;
    // Of the 16 requests that may be coming, the app's are at most 11.
    let mut begun = begin(&wire, GET_USER, Some(&greedy.token), 12).await;
    let last = begun.pop().unwrap().refusal().await;
    expect_error(Err::<(), _>(last), Code::Unavailable, "UNAVAILABLE");
    other.befriend("alice", "bob").await.unwrap();
    assert_eq!(other.friends_of("bob").await.unwrap(), ["alice"]);

    begun.truncate(9);
    while greedy.profile("alice").await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.len(), 9, "and the app itself is served beside its own");
}

#[tokio::test]
async fn an_app_with_many_calls_in_flight_leaves_places_for_the_others() {
    let (app, greedy, other) = greedy_and_other(&["--max-in-flight", "6"]).await;
    let held = app.hold("erin").await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let greedy = greedy.clone();
            tokio::spawn(async move { greedy.befriend("erin", "bob").await })
        })
        .collect();
    while calls.iter().filter(|call| call.is_finished()).count() < 16 {
        tokio::task::yield_now().await;
    }
    other.befriend("alice", "bob").await.unwrap();
    assert_eq!(other.friends_of("bob").await.unwrap(), ["alice"]);
    held.rollback().await.unwrap();
    assert_eq!(refused(calls).await, 16, "four of six places are the most for one app");
    greedy.befriend("alice", "bob").await.unwrap();
}

#[tokio::test]
async fn logins_that_are_never_sent_keep_nobody_from_logging_in() {
    let (app, _, other) = greedy_and_other(&[]).await;
    let wire = Wire::connect(&app.url).await;
    let begun = begin(&wire, ISSUE_TOKEN, None, 200).await;
    // The last one came after them all.
    let asked = wire.post(ISSUE_TOKEN, &[], crate::support::wire::frame(&[])).await.unwrap();
    assert_eq!(asked.status().code(), Code::Unauthenticated);
    app.login(&other.app.client_id, &other.client_secret, None).await.unwrap();
    drop(begun);
}

#[tokio::test]
async fn an_app_with_many_watchers_leaves_places_for_the_others() {
    let (app, greedy, other) = greedy_and_other(&["--max-watchers", "6"]).await;
    let mut watchers = Vec::new();
    for _ in 0..4 {
        watchers.push(Watcher::start(&greedy, "alice").await.unwrap());
    }
    let fifth = Watcher::start(&greedy, "alice").await.map(drop);
    expect_error(fifth, Code::Unavailable, "UNAVAILABLE");
    let _watcher = Watcher::start(&other, "alice").await.unwrap();
    assert_eq!(app.core.watches.count(), 5);
}

#[tokio::test]
async fn receivers_that_hang_hold_up_no_rule_of_another_app_and_no_other_of_their_own() {
    let flags = ["--callback-total", "12", "--callback-poll", "10ms"];
    let (app, greedy, other) = greedy_and_other(&flags).await;
    let rule_of = |app_key: &str, url: &str| proto::CreateCallbackRuleRequest {
        app_key: app_key.to_owned(),
        ..rule_to(url)
    };
    let mut silent = Receiver::start().await;
    silent.answer(|_| Answer::Hang);
    for _ in 0..3 {
        app.rule(rule_of("greedy#app", &silent.url)).await;
    }
    for owner in ["alice", "carol", "dave", "erin"] {
        greedy.befriend(owner, "bob").await.unwrap();
    }
    // Both sides of four friendships are five owners, and there are three rules: 15 streams.
    silent.take(5).await;
    let mut own = Receiver::start().await;
    app.rule(rule_of("greedy#app", &own.url)).await;
    let mut others = Receiver::start().await;
    app.rule(rule_of("other#app", &others.url)).await;
    other.befriend("alice", "bob").await.unwrap();
    assert_eq!(others.next().await.json()["data"]["app"], "other#app");
    greedy.remark("alice", "bob", "told").await.unwrap();
    assert_eq!(own.next().await.json()["data"]["remark"], "told");
}
