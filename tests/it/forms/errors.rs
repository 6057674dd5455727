//! Errors by JSON: code, status, reason and details.

use befriend::{clock::Clock, proto};
use serde_json::{Value, json};

use super::alice_and_bob;
use crate::support::{TestApp, connect::Caller};

/// A call, and the status, code and reason of its refusal.
type Case = (&'static str, Value, (u16, &'static str, &'static str));

#[tokio::test]
async fn each_code_has_the_status_that_the_protocol_gives_it() {
    let limits = proto::AppLimits {
        friend_limit: Some(1),
        requests_per_second: Some(1_000_000),
        ..proto::AppLimits::default()
    };
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", limits).await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let pair = |friend: &str| json!({ "owner": "alice", "friend": friend });
    let cases: [Case; 7] = [
        ("FriendService/AddFriend", pair("nobody"), (404, "not_found", "USER_NOT_FOUND")),
        (
            "FriendService/AddFriend",
            pair("carol"),
            (429, "resource_exhausted", "FRIEND_LIMIT_EXCEEDED"),
        ),
        ("FriendService/AddFriend", pair("no name"), (400, "invalid_argument", "INVALID_USERNAME")),
        ("FriendService/GetFriend", pair("carol"), (400, "failed_precondition", "NOT_FRIENDS")),
        (
            "UserService/CreateUser",
            json!({ "user": { "username": "bob" } }),
            (409, "already_exists", "USER_ALREADY_EXISTS"),
        ),
        (
            "FriendService/ListFriends",
            json!({ "owner": "alice", "pageToken": "?" }),
            (400, "invalid_argument", "INVALID_PAGE_TOKEN"),
        ),
        ("AppService/ListApps", json!({}), (403, "permission_denied", "TOKEN_SCOPE")),
    ];
    let caller = Caller::new(&app.url, &tenant.token);
    for (method, message, expected) in cases {
        let refused = caller.call(method, &message).await;
        assert_eq!(refused.refusal(), expected, "{method} {message}");
        assert!(!refused.json["message"].as_str().unwrap().is_empty());
        assert!(!refused.headers.contains_key("retry-after"), "no time to wait is known");
    }
    let stranger = Caller::new(&app.url, "no-token").call("UserService/GetUser", &json!({})).await;
    assert_eq!(stranger.refusal(), (401, "unauthenticated", "UNAUTHENTICATED"));
    assert_eq!(stranger.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_refusal_for_the_rate_says_when_to_come_again() {
    let app = TestApp::start().await;
    let limits = proto::AppLimits { requests_per_second: Some(1), ..proto::AppLimits::default() };
    let tenant = app.tenant_with("acme#chat", limits).await;
    let caller = Caller::new(&app.url, &tenant.token);
    let refused = loop {
        let reply = caller.call("UserService/GetUser", &json!({ "username": "alice" })).await;
        if reply.status != 404 {
            break reply;
        }
    };
    assert_eq!(refused.refusal(), (429, "resource_exhausted", "RATE_LIMITED"));
    assert_eq!(refused.header("retry-after"), "1");
    let delay = refused.detail("google.rpc.RetryInfo")["retryDelay"].as_str().unwrap();
    assert!(delay.ends_with('s'), "{delay}");
}

#[tokio::test]
async fn the_callers_timeout_is_the_calls_deadline() {
    let (app, _tenant, caller) = alice_and_bob().await;
    let held = app.hold("alice").await;
    let pair = json!({ "owner": "alice", "friend": "bob" }).to_string();
    let (method, late) = ("FriendService/AddFriend", [("connect-timeout-ms", "50")]);
    let refused = caller.call_with(method, &late, pair.as_bytes()).await;
    assert_eq!(refused.refusal(), (504, "deadline_exceeded", "DEADLINE_EXCEEDED"));
    held.rollback().await.unwrap();
    for wrong in ["", "-1", "1.5", "12345678901", "5s"] {
        let headers = [("connect-timeout-ms", wrong)];
        let refused = caller.call_with(method, &headers, pair.as_bytes()).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"), "{wrong:?}");
        let violation = &refused.detail("google.rpc.BadRequest")["fieldViolations"][0];
        assert_eq!(violation["field"], "connect-timeout-ms");
    }
    // A timeout of gRPC is none of Connect's.
    let headers = [("grpc-timeout", "1n"), ("connect-timeout-ms", "9999999999")];
    assert_eq!(caller.call_with(method, &headers, pair.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn an_outage_is_unavailable_and_says_when_to_come_again() {
    let app = TestApp::with(&["--max-arriving", "100000"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let caller = Caller::new(&app.url, &tenant.token);
    // More than the app's share of what may be there of requests that are coming.
    let large = format!("{{\"username\":\"{}\"}}", "a".repeat(300_000));
    let refused = caller.call_with("UserService/GetUser", &[], large.as_bytes()).await;
    assert_eq!(refused.refusal(), (503, "unavailable", "UNAVAILABLE"));
    assert_eq!(refused.header("retry-after"), "1");
}
