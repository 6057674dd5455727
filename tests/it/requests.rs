//! Friend requests: asking before becoming friends.

mod endings;
mod expiry;

use befriend::{
    clock::Clock,
    proto::{self, FriendRequestDirection as Direction, FriendRequestState as State},
};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, expect_error, invariants, metadata,
    tenant::{acme, friend_limit},
};

/// A server that keeps events instead of delivering them, with one tenant and these users.
async fn recorded(usernames: &[&str]) -> (TestApp, Tenant) {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(usernames).await;
    app.keep_events(&tenant).await;
    (app, tenant)
}

#[tokio::test]
async fn a_request_waits_on_both_sides_and_makes_nobody_friends() {
    let (app, tenant) = recorded(&["alice", "bob"]).await;
    let sent = tenant.ask("ALICE", "bob", "it's me").await.unwrap();
    let names = (sent.requester.as_str(), sent.recipient.as_str(), sent.message.as_str());
    assert_eq!(names, ("alice", "bob", "it's me"));
    assert_eq!((sent.state(), sent.answer.as_str()), (State::Pending, ""));
    assert_eq!(sent.create_time, sent.update_time);
    let month = 30 * 24 * 3600;
    assert_eq!(sent.expire_time.unwrap().seconds, sent.create_time.unwrap().seconds + month);

    let outgoing = tenant.requests_of("alice", Direction::Outgoing, &[]).await.unwrap();
    let incoming = tenant.requests_of("bob", Direction::Incoming, &[]).await.unwrap();
    assert_eq!((outgoing, incoming), (vec![sent.clone()], vec![sent]));
    assert!(tenant.requests_of("alice", Direction::Incoming, &[]).await.unwrap().is_empty());
    assert_eq!(tenant.pending("alice").await, (0, 1));
    assert_eq!(tenant.pending("bob").await, (1, 0));
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert_eq!(app.told().await, ["friend.request_sent alice>bob it's me"]);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn nobody_asks_themselves_or_whoever_does_not_exist() {
    let (_app, tenant) = acme(&["alice"]).await;
    let refused = tenant.ask("alice", "Alice", "").await;
    expect_error(refused, Code::InvalidArgument, "SELF_RELATION");
    for (requester, recipient) in [("alice", "nobody"), ("nobody", "alice")] {
        let refused = tenant.ask(requester, recipient, "").await;
        let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "nobody");
    }
    let refused = tenant.ask("alice", "no body", "").await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
    assert_eq!(metadata(&details, "field"), "recipient");
}

#[tokio::test]
async fn friends_need_not_ask() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    for (requester, recipient) in [("alice", "bob"), ("bob", "alice")] {
        let refused = tenant.ask(requester, recipient, "").await;
        expect_error(refused, Code::FailedPrecondition, "ALREADY_FRIENDS");
    }
    assert_eq!(tenant.pending("alice").await, (0, 0));
}

#[tokio::test]
async fn a_blocked_user_cannot_send_a_request_and_a_blocking_one_can() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.block("bob", &["alice"]).await.unwrap();
    let refused = tenant.ask("alice", "bob", "").await;
    let details = expect_error(refused, Code::FailedPrecondition, "BLOCKED");
    assert_eq!((metadata(&details, "blocker"), metadata(&details, "blocked")), ("bob", "alice"));
    assert_eq!(tenant.ask("bob", "alice", "").await.unwrap().state(), State::Pending);
}

#[tokio::test]
async fn a_message_and_an_answer_hold_256_characters() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    let (full, long) = ("好".repeat(256), "好".repeat(257));
    for bad in [long.as_str(), "a\0b"] {
        let refusals = [
            tenant.ask("alice", "bob", bad).await,
            tenant.accept_saying("alice", "bob", bad).await,
            tenant.reject("alice", "bob", bad).await,
            tenant.cancel("alice", "bob", bad).await,
        ];
        for refused in refusals {
            let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
            assert_eq!(metadata(&details, "field"), "message");
        }
    }
    for friend in ["bob", "carol", "dave"] {
        assert_eq!(tenant.ask("alice", friend, &full).await.unwrap().message, full);
    }
    let answers = [
        tenant.accept_saying("alice", "bob", &full).await,
        tenant.reject("alice", "carol", &full).await,
        tenant.cancel("alice", "dave", &full).await,
    ];
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!((answer.message, answer.answer), (full.clone(), full.clone()));
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_second_request_replaces_the_message_and_is_not_told() {
    let (app, tenant) = recorded(&["alice", "bob"]).await;
    let first = tenant.ask("alice", "bob", "hello?").await.unwrap();
    app.told().await;
    let second = tenant.ask("alice", "bob", "it's Alice").await.unwrap();
    assert_eq!(second.message, "it's Alice");
    assert_eq!((second.create_time, second.expire_time), (first.create_time, first.expire_time));
    assert_eq!(tenant.state_of("alice", "bob").await, Some(State::Pending));
    assert_eq!((tenant.pending("alice").await, tenant.pending("bob").await), ((0, 1), (1, 0)));
    assert!(app.told().await.is_empty());

    let heads = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    assert_eq!(tenant.ask("alice", "bob", "it's Alice").await.unwrap(), second);
    let after = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    assert_eq!(after, heads, "the same again changes nothing");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn who_asks_whoever_has_asked_them_is_their_friend_at_once() {
    let (app, tenant) = recorded(&["alice", "bob"]).await;
    tenant.ask("bob", "alice", "do you?").await.unwrap();
    app.told().await;
    let crossed = tenant.ask("alice", "bob", "I do").await.unwrap();
    assert_eq!((crossed.requester.as_str(), crossed.recipient.as_str()), ("bob", "alice"));
    assert_eq!(crossed.state(), State::Accepted);
    assert_eq!((crossed.message.as_str(), crossed.answer.as_str()), ("do you?", "I do"));
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    assert_eq!(tenant.state_of("alice", "bob").await, None, "only one request was made");
    assert_eq!((tenant.pending("alice").await, tenant.pending("bob").await), ((0, 0), (0, 0)));
    let events = ["friend.request_accepted alice>bob I do", "friend.added bob>alice"];
    assert_eq!(app.told().await, events);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn requests_that_cross_make_no_friends_beyond_a_limit() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(1)).await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.ask("bob", "alice", "").await.unwrap();
    tenant.befriend("bob", "carol").await.unwrap();
    let refused = tenant.ask("alice", "bob", "").await;
    let details = expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
    assert_eq!(metadata(&details, "username"), "bob");
    assert_eq!(tenant.state_of("bob", "alice").await, Some(State::Pending), "it still waits");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn pending_requests_are_limited_on_both_sides() {
    let app = TestApp::with(&["--max-pending-requests", "2"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["a", "b", "c", "d", "e"]).await;
    tenant.ask("a", "b", "").await.unwrap();
    tenant.ask("a", "c", "").await.unwrap();
    tenant.ask("d", "c", "").await.unwrap();
    for (requester, recipient, full) in [("a", "d", "a"), ("e", "c", "c")] {
        let refused = tenant.ask(requester, recipient, "").await;
        let details =
            expect_error(refused, Code::ResourceExhausted, "FRIEND_REQUEST_LIMIT_EXCEEDED");
        assert_eq!((metadata(&details, "username"), metadata(&details, "limit")), (full, "2"));
        let quota = details.quota_failure().unwrap();
        assert_eq!(quota.violations[0].subject, format!("user:{full}"));
        assert_eq!(tenant.state_of(requester, recipient).await, None);
    }
    // What a user got takes no place of what they send; nor does what has ended.
    tenant.ask("c", "d", "").await.unwrap();
    tenant.reject("a", "c", "").await.unwrap();
    tenant.ask("a", "d", "").await.unwrap();
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn who_got_more_requests_than_a_lowered_limit_may_still_send_some() {
    let (app, tenant) = acme(&["a", "b", "c", "d"]).await;
    for requester in ["b", "c"] {
        tenant.ask(requester, "a", "").await.unwrap();
    }
    let flags = ["--max-pending-requests", "1"];
    let lowered = TestApp::on(&app.database_url, &flags, Clock::system()).await;
    let there = Tenant { channel: lowered.channel.clone(), ..tenant };
    there.ask("a", "d", "").await.unwrap();
    let refused = there.ask("d", "b", "").await;
    assert!(refused.is_ok(), "{refused:?}");
}

/// A page of requests that a user got.
async fn page(
    tenant: &Tenant,
    size: i32,
    token: &str,
    states: &[State],
) -> Result<(Vec<String>, String), Status> {
    let request = proto::ListFriendRequestsRequest {
        username: "idol".to_owned(),
        direction: Direction::Incoming.into(),
        states: states.iter().map(|state| i32::from(*state)).collect(),
        page_size: size,
        page_token: token.to_owned(),
    };
    let page = tenant.friends().list_friend_requests(request).await?.into_inner();
    Ok((page.friend_requests.into_iter().map(|r| r.requester).collect(), page.next_page_token))
}

#[tokio::test]
async fn requests_are_listed_newest_first_by_page_direction_and_state() {
    let (_app, tenant) = acme(&["idol"]).await;
    let fans = tenant.crowd("fan", 7).await;
    for fan in &fans {
        tenant.ask(fan, "idol", "").await.unwrap();
    }
    tenant.reject("fan003", "idol", "").await.unwrap();
    tenant.cancel("fan005", "idol", "").await.unwrap();
    tenant.accept("fan006", "idol").await.unwrap();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let (names, next) = page(&tenant, 3, &token, &[]).await.unwrap();
        assert!(names.len() <= 3);
        seen.extend(names);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert_eq!(seen, fans.iter().rev().cloned().collect::<Vec<_>>());
    let ended = [State::Rejected, State::Cancelled];
    assert_eq!(page(&tenant, 0, "", &ended).await.unwrap().0, ["fan005", "fan003"]);
    let waiting = page(&tenant, 2, "", &[State::Pending]).await.unwrap();
    assert_eq!(waiting.0, ["fan004", "fan002"]);
    let rest = page(&tenant, 2, &waiting.1, &[State::Pending]).await.unwrap();
    assert_eq!(rest, (vec!["fan001".to_owned(), "fan000".to_owned()], String::new()));
    // Asked again, it is new.
    tenant.ask("fan003", "idol", "").await.unwrap();
    assert_eq!(page(&tenant, 1, "", &[]).await.unwrap().0, ["fan003"]);
    assert!(tenant.requests_of("idol", Direction::Outgoing, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_of_requests_refuses_what_it_does_not_know() {
    let (_app, tenant) = acme(&["idol", "fan1", "fan2"]).await;
    for fan in ["fan1", "fan2"] {
        tenant.ask(fan, "idol", "").await.unwrap();
    }
    let (_, token) = page(&tenant, 1, "", &[]).await.unwrap();
    let elsewhere = page(&tenant, 1, &token, &[State::Pending]).await;
    expect_error(elsewhere, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    for size in [-1, 51] {
        let refused = page(&tenant, size, "", &[]).await;
        expect_error(refused, Code::InvalidArgument, "PAGE_SIZE_OUT_OF_RANGE");
    }
    let refused = page(&tenant, 1, "", &[State::Unspecified]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(metadata(&details, "field"), "states");
    let refused = tenant.requests_of("idol", Direction::Unspecified, &[]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(metadata(&details, "field"), "direction");
    let refused = tenant.requests_of("nobody", Direction::Incoming, &[]).await;
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
}
