//! Requests that nobody answered in time: from that moment on they are as good as gone, whether the
//! upkeep has come by or not.

use befriend::{
    clock::Clock,
    proto::{self, FriendRequestDirection as Direction, FriendRequestState as State},
    server::upkeep,
};
use time::{Duration, macros::datetime};
use tonic::Code;

use crate::support::{Tenant, TestApp, expect_error, invariants};

/// A server where requests wait for a day unless told otherwise, its clock, and a tenant with these users, whose events
/// are kept.
async fn stopped(flags: &[&str], usernames: &[&str]) -> (TestApp, Clock, Tenant) {
    let clock = Clock::stopped_at(datetime!(2026-01-01 0:00 UTC));
    let always = ["--max-token-ttl", "60d", "--deliver", "false"];
    let day = ["--request-expiry", "1d"];
    let day = if flags.contains(&"--request-expiry") { &[][..] } else { &day };
    let flags = [&always, day, flags].concat();
    let app = TestApp::with(&flags, clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    let login = app.login(
        &tenant.app.client_id,
        &tenant.client_secret,
        Some(std::time::Duration::from_hours(60 * 24)),
    );
    let tenant = tenant.with_token(&login.await.unwrap().access_token);
    tenant.create(usernames).await;
    app.keep_events(&tenant).await;
    (app, clock, tenant)
}

#[tokio::test]
async fn a_request_that_nobody_answers_expires_to_the_second() {
    let (app, clock, tenant) = stopped(&[], &["alice", "bob"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    app.told().await;
    clock.advance(Duration::DAY - Duration::SECOND);
    upkeep::round(&app.core).await;
    assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Pending));

    clock.advance(Duration::SECOND);
    assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Expired), "before the upkeep");
    assert_eq!((tenant.pending("alice").await, tenant.pending("bob").await), ((0, 0), (0, 0)));
    let waiting = tenant.requests_of("bob", Direction::Incoming, &[State::Pending]).await.unwrap();
    assert!(waiting.is_empty());
    let expired = tenant.requests_of("bob", Direction::Incoming, &[State::Expired]).await.unwrap();
    assert_eq!((expired.len(), expired[0].expire_time), (1, None));

    upkeep::round(&app.core).await;
    assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Expired));
    assert_eq!((tenant.pending("alice").await, tenant.pending("bob").await), ((0, 0), (0, 0)));
    assert!(app.told().await.is_empty(), "nobody did anything");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn an_overdue_request_can_be_answered_no_more_but_sent_anew() {
    let (app, clock, tenant) = stopped(&[], &["alice", "bob"]).await;
    tenant.ask("alice", "bob", "first").await.unwrap();
    app.told().await;
    clock.advance(Duration::DAY);
    let refusals = [
        tenant.accept_saying("alice", "bob", "").await,
        tenant.reject("alice", "bob", "").await,
        tenant.cancel("alice", "bob", "").await,
    ];
    for refused in refusals {
        expect_error(refused, Code::NotFound, "FRIEND_REQUEST_NOT_FOUND");
    }
    tenant.ask("alice", "bob", "first").await.unwrap();
    assert_eq!(app.told().await, ["friend.request_sent alice>bob first"], "a new request");
    assert_eq!(tenant.pending("bob").await, (1, 0));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn an_overdue_request_does_not_cross_with_another() {
    let (app, clock, tenant) = stopped(&[], &["alice", "bob"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    clock.advance(Duration::DAY);
    assert_eq!(tenant.ask("bob", "alice", "").await.unwrap().state(), State::Pending);
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert_eq!((tenant.pending("alice").await, tenant.pending("bob").await), ((1, 0), (0, 1)));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn overdue_requests_take_no_place() {
    let users = ["a", "b", "c", "d", "e"];
    let (app, clock, tenant) = stopped(&["--max-pending-requests", "2"], &users).await;
    for (requester, recipient) in [("a", "b"), ("a", "c"), ("d", "c")] {
        tenant.ask(requester, recipient, "").await.unwrap();
    }
    expect_error(
        tenant.ask("e", "c", "").await,
        Code::ResourceExhausted,
        "FRIEND_REQUEST_LIMIT_EXCEEDED",
    );
    clock.advance(Duration::DAY);
    tenant.ask("a", "d", "").await.unwrap();
    tenant.ask("e", "c", "").await.unwrap();
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn what_ends_pending_requests_leaves_overdue_ones_expired_and_untold() {
    let users = ["alice", "bob", "carol", "dave", "erin"];
    let (app, clock, tenant) = stopped(&[], &users).await;
    for recipient in ["bob", "carol", "dave", "erin"] {
        tenant.ask("alice", recipient, "").await.unwrap();
    }
    app.told().await;
    clock.advance(Duration::DAY);
    tenant.befriend("bob", "alice").await.unwrap();
    tenant.import("carol", &["alice"]).await.unwrap();
    tenant.block("dave", &["alice"]).await.unwrap();
    for recipient in ["bob", "carol", "dave"] {
        let state = tenant.state_of("alice", recipient).await;
        assert_eq!(state, Some(State::Expired), "{recipient}");
    }
    tenant.delete("erin").await.unwrap();
    assert_eq!(app.told().await, ["friend.added bob>alice", "block.added dave>alice"]);
    assert_eq!(tenant.pending("alice").await, (0, 0));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn requests_wait_for_ever_when_the_operator_says_so() {
    let (app, clock, tenant) = stopped(&["--request-expiry", "0s"], &["alice", "bob"]).await;
    assert_eq!(tenant.ask("alice", "bob", "").await.unwrap().expire_time, None);
    clock.advance(Duration::days(50));
    upkeep::round(&app.core).await;
    tenant.accept("alice", "bob").await.unwrap();
}

#[tokio::test]
async fn ended_requests_are_forgotten_on_both_sides_after_their_time() {
    let flags = ["--tombstone-retention", "10d", "--request-expiry", "30d"];
    let (app, clock, tenant) = stopped(&flags, &["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    tenant.ask("alice", "carol", "").await.unwrap();
    tenant.reject("alice", "bob", "").await.unwrap();
    clock.advance(Duration::days(10) - Duration::SECOND);
    upkeep::round(&app.core).await;
    assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Rejected));
    clock.advance(Duration::SECOND);
    upkeep::round(&app.core).await;
    assert_eq!(tenant.state_of("alice", "bob").await, None);
    assert_eq!(tenant.state_of("alice", "carol").await, Some(State::Pending));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn overdue_requests_of_a_deleted_app_hold_up_nothing() {
    let (app, clock, tenant) = stopped(&[], &["idol"]).await;
    let fans = tenant.crowd("fan", 101).await;
    for fan in &fans {
        tenant.ask(fan, "idol", "").await.unwrap();
    }
    let other = app.tenant("other#app").await;
    other.create(&["alice", "bob"]).await;
    clock.advance(Duration::HOUR);
    other.ask("alice", "bob", "").await.unwrap();
    let app_key = tenant.app.app_key.clone();
    app.apps().delete_app(proto::DeleteAppRequest { app_key }).await.unwrap();
    clock.advance(Duration::DAY - Duration::SECOND);
    let login = app.login(&other.app.client_id, &other.client_secret, None).await.unwrap();
    let other = other.with_token(&login.access_token);
    clock.advance(Duration::SECOND);
    upkeep::round(&app.core).await;
    assert_eq!(other.pending("bob").await, (0, 0));
    let left: i64 = sqlx::query_scalar("select count(*) from friend_requests")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(left, 2, "the other app's");
}
