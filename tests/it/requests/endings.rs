//! How a request ends: by an answer, by what else happens between the two, or with one of them.

use befriend::{
    proto::{self, FriendRequestDirection as Direction, FriendRequestState as State},
    server::upkeep,
};
use tonic::Code;

use super::recorded;
use crate::support::{
    TestApp, expect_error, invariants, metadata,
    tenant::{acme, friend_limit},
};

#[tokio::test]
async fn an_accepted_request_makes_two_friends_and_tells_who_asked_first() {
    let (app, tenant) = recorded(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "please").await.unwrap();
    app.told().await;
    let accepted = tenant.accept_saying("alice", "bob", "sure").await.unwrap();
    assert_eq!((accepted.state(), accepted.answer.as_str()), (State::Accepted, "sure"));
    assert_eq!((accepted.message.as_str(), accepted.expire_time), ("please", None));
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
    assert_eq!((tenant.pending("alice").await, tenant.pending("bob").await), ((0, 0), (0, 0)));
    let events = ["friend.request_accepted bob>alice sure", "friend.added alice>bob"];
    assert_eq!(app.told().await, events);

    let heads = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    let entry = tenant.accept("alice", "bob").await.unwrap();
    assert_eq!(entry, tenant.entry("bob", "alice").await.unwrap());
    let after = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    assert_eq!(after, heads, "agreeing again changes nothing");
    assert!(app.told().await.is_empty());
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_request_is_declined_by_the_one_and_taken_back_by_the_other() {
    let (app, tenant) = recorded(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "please").await.unwrap();
    app.told().await;
    let rejected = tenant.reject("alice", "bob", "no").await.unwrap();
    assert_eq!((rejected.state(), rejected.answer.as_str()), (State::Rejected, "no"));
    assert_eq!(app.told().await, ["friend.request_rejected bob>alice no"]);
    tenant.ask("alice", "bob", "really").await.unwrap();
    app.told().await;
    let cancelled = tenant.cancel("alice", "bob", "never mind").await.unwrap();
    assert_eq!((cancelled.state(), cancelled.answer.as_str()), (State::Cancelled, "never mind"));
    assert_eq!(app.told().await, ["friend.request_cancelled alice>bob never mind"]);

    let heads = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    assert_eq!(tenant.cancel("alice", "bob", "again").await.unwrap(), cancelled);
    let after = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    assert_eq!(after, heads, "the same answer again changes nothing");
    assert!(app.told().await.is_empty());
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn only_what_waits_can_be_answered_and_only_once() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    tenant.ask("alice", "carol", "").await.unwrap();
    tenant.ask("alice", "dave", "").await.unwrap();
    tenant.accept("alice", "bob").await.unwrap();
    tenant.reject("alice", "carol", "").await.unwrap();
    tenant.cancel("alice", "dave", "").await.unwrap();
    let refusals = [
        tenant.reject("alice", "bob", "").await,
        tenant.cancel("alice", "bob", "").await,
        tenant.accept_saying("alice", "carol", "").await,
        tenant.cancel("alice", "carol", "").await,
        tenant.accept_saying("alice", "dave", "").await,
        tenant.reject("alice", "dave", "").await,
        // Nobody answers their own request, nor one that was never sent.
        tenant.accept_saying("bob", "alice", "").await,
        tenant.reject("carol", "alice", "").await,
        tenant.cancel("bob", "carol", "").await,
        tenant.accept_saying("alice", "alice", "").await,
    ];
    for refused in refusals {
        expect_error(refused, Code::NotFound, "FRIEND_REQUEST_NOT_FOUND");
    }
    let refused = tenant.accept_saying("nobody", "alice", "").await;
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_request_can_be_sent_anew_whatever_became_of_the_last_one() {
    let (app, tenant) = recorded(&["alice", "bob"]).await;
    for round in 0..3 {
        let sent = tenant.ask("alice", "bob", &format!("try {round}")).await.unwrap();
        assert_eq!((sent.state(), sent.answer.as_str()), (State::Pending, ""));
        assert_eq!(app.told().await.len(), 1, "it is told like the first");
        match round {
            0 => drop(tenant.reject("alice", "bob", "no").await.unwrap()),
            1 => drop(tenant.cancel("alice", "bob", "hm").await.unwrap()),
            _ => {
                tenant.accept("alice", "bob").await.unwrap();
                tenant.unfriend("bob", "alice").await.unwrap();
            }
        }
        app.told().await;
    }
    // What was agreed to is over: it makes nobody friends again.
    let refused = tenant.accept_saying("alice", "bob", "").await;
    expect_error(refused, Code::NotFound, "FRIEND_REQUEST_NOT_FOUND");
    assert_eq!(tenant.ask("alice", "bob", "").await.unwrap().state(), State::Pending);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_request_for_which_a_list_has_no_room_waits_on() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(1)).await;
    tenant.create(&["alice", "bob", "carol", "dave"]).await;
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.befriend("bob", "dave").await.unwrap();
    tenant.ask("alice", "bob", "").await.unwrap();
    for (full, friend) in [("alice", "carol"), ("bob", "dave")] {
        let refused = tenant.accept("alice", "bob").await;
        let details = expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
        assert_eq!(metadata(&details, "username"), full);
        assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Pending));
        invariants::hold(app.pool()).await;
        tenant.unfriend(full, friend).await.unwrap();
    }
    tenant.accept("alice", "bob").await.unwrap();
}

#[tokio::test]
async fn a_block_cancels_what_the_blocked_one_asked() {
    let (app, tenant) = recorded(&["alice", "bob", "carol", "dave"]).await;
    tenant.ask("alice", "dave", "").await.unwrap();
    tenant.ask("bob", "dave", "").await.unwrap();
    tenant.ask("carol", "dave", "").await.unwrap();
    app.told().await;
    tenant.block("dave", &["alice", "bob"]).await.unwrap();
    assert_eq!(tenant.state_of("alice", "dave").await, Some(State::Cancelled));
    assert_eq!(tenant.state_of("bob", "dave").await, Some(State::Cancelled));
    assert_eq!(tenant.state_of("carol", "dave").await, Some(State::Pending));
    let mut told = app.told().await;
    told.sort();
    let events = [
        "block.added dave>alice",
        "block.added dave>bob",
        "friend.request_cancelled dave>alice",
        "friend.request_cancelled dave>bob",
    ];
    assert_eq!(told, events);
    tenant.unblock("dave", "alice").await.unwrap();
    let refused = tenant.accept("alice", "dave").await;
    expect_error(refused, Code::NotFound, "FRIEND_REQUEST_NOT_FOUND");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_request_cannot_be_accepted_while_the_requester_blocks_the_recipient() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    tenant.block("alice", &["bob"]).await.unwrap();
    let refused = tenant.accept("alice", "bob").await;
    let details = expect_error(refused, Code::FailedPrecondition, "BLOCKED");
    assert_eq!((metadata(&details, "blocker"), metadata(&details, "blocked")), ("alice", "bob"));
    assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Pending), "it still waits");
    tenant.unblock("alice", "bob").await.unwrap();
    tenant.accept("alice", "bob").await.unwrap();
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn whoever_is_added_or_imported_has_answered() {
    let (app, tenant) = recorded(&["alice", "bob", "carol", "dave", "erin"]).await;
    tenant.ask("bob", "alice", "").await.unwrap();
    tenant.ask("alice", "carol", "").await.unwrap();
    tenant.ask("dave", "alice", "").await.unwrap();
    tenant.ask("erin", "alice", "").await.unwrap();
    app.told().await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.import("alice", &["dave"]).await.unwrap();
    for (requester, recipient) in [("bob", "alice"), ("alice", "carol"), ("dave", "alice")] {
        let state = tenant.state_of(requester, recipient).await;
        assert_eq!(state, Some(State::Accepted), "{requester}");
    }
    assert_eq!(tenant.pending("alice").await, (1, 0), "erin still waits");
    let events = ["friend.added alice>bob", "friend.added alice>carol"];
    assert_eq!(app.told().await, events);
    tenant.accept("bob", "alice").await.unwrap();
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_deleted_users_requests_are_gone_on_both_sides() {
    let (app, tenant) = recorded(&["alice", "bob", "carol", "dave"]).await;
    let fans = tenant.crowd("fan", 120).await;
    for fan in &fans {
        tenant.ask(fan, "alice", "").await.unwrap();
        tenant.ask("dave", fan, "").await.unwrap();
    }
    tenant.ask("alice", "bob", "").await.unwrap();
    tenant.ask("carol", "alice", "").await.unwrap();
    tenant.reject("carol", "alice", "").await.unwrap();
    let before = tenant.head("bob").await.unwrap();
    app.told().await;

    tenant.delete("alice").await.unwrap();
    for fan in &fans {
        assert_eq!(tenant.pending(fan).await, (1, 0), "only dave's waits");
    }
    for (user, direction) in [("bob", Direction::Incoming), ("carol", Direction::Outgoing)] {
        assert!(tenant.requests_of(user, direction, &[]).await.unwrap().is_empty());
        assert_eq!(tenant.pending(user).await, (0, 0));
    }
    assert_eq!(tenant.head("bob").await.unwrap().version, before.version + 1);
    let told = app.told().await;
    assert_eq!(told.len(), 121, "all that waited, and nothing else");
    assert!(told.iter().all(|event| event.starts_with("friend.request_cancelled alice>")));
    invariants::hold(app.pool()).await;

    tenant.create(&["alice"]).await;
    assert_eq!(tenant.pending("alice").await, (0, 0));
    tenant.ask("carol", "alice", "").await.unwrap();
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_deletion_left_half_done_takes_the_requests_along_in_the_upkeep() {
    let (app, tenant) = recorded(&["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    tenant.ask("bob", "carol", "").await.unwrap();
    app.told().await;
    sqlx::query("update users set deleted_at = now(), leaving = true where username <> 'carol'")
        .execute(app.pool())
        .await
        .unwrap();
    let refused = tenant.reject("bob", "carol", "").await;
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    upkeep::round(&app.core).await;
    assert_eq!(tenant.pending("carol").await, (0, 0));
    assert_eq!(app.told().await.len(), 2, "one for each request");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_deleted_apps_requests_are_gone_too() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    let app_key = tenant.app.app_key.clone();
    app.apps().delete_app(proto::DeleteAppRequest { app_key }).await.unwrap();
    upkeep::round(&app.core).await;
    let left: i64 = sqlx::query_scalar("select count(*) from friend_requests")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
}
