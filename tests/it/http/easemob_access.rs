//! No request of one app reaches another's, on any route of Easemob's surface.

use befriend::clock::Clock;
use serde_json::{Value, json};

use crate::{
    access::{marked_tenant, rows_of},
    support::{
        TestApp,
        easemob::{Easemob, Route, expect_refusal, routes},
        http::Answer,
    },
};

/// Sends a route's request, about these users.
async fn send(client: &Easemob, route: &Route, body: Value, owner: &str, friend: &str) -> Answer {
    client.call(&route.method, &route.of(owner, friend), body).await
}

#[track_caller]
fn expect_no_leak(route: &Route, answer: &Answer) {
    let body = String::from_utf8_lossy(&answer.body);
    assert!(!body.contains("mark-of-b"), "{route:?} told of another app: {body}");
}

#[tokio::test]
async fn no_request_of_one_app_touches_or_tells_anything_of_another() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let everybody = ["alice", "bob", "carol", "erin", "frank", "only-b1", "only-b2"];
    let b = marked_tenant(&app, "b#app", &everybody, "mark-of-b").await;
    b.befriend("only-b1", "only-b2").await.unwrap();
    b.block("only-b1", &["only-b2"]).await.unwrap();
    let before = rows_of(&b, app.pool()).await;
    assert!(before.iter().any(|row| row.contains("mark-of-b")));

    for (number, route) in routes(&app.url).await.iter().enumerate() {
        let names = ["alice", "bob", "erin", "frank"];
        let a = marked_tenant(&app, &format!("a#app{number}"), &names, "mark-of-a").await;
        let own = Easemob::of(&app, &a);

        // What both apps have is read and changed in the caller's alone.
        let answer = send(&own, route, route.body(&a, "alice", "bob"), "alice", "bob").await;
        answer.ok();
        expect_no_leak(route, &answer);

        // What only the other app has is not there.
        for (owner, friend) in [("only-b1", "only-b2"), ("alice", "only-b1"), ("only-b1", "alice")]
        {
            if route.path == "/token" || (route.path == "/users" && route.method == "POST") {
                continue;
            }
            let answer = send(&own, route, route.body(&a, owner, friend), owner, friend).await;
            expect_no_leak(route, &answer);
            if answer.status != 200 {
                let why = "Service resource not found";
                expect_refusal(&answer, 404, "service_resource_not_found", why);
                continue;
            }
            // What answers of nobody, tells nothing of them but that they are nobody.
            let told = answer.json();
            let nobody = match route.path.as_str() {
                "/contacts/check" => told["entities"][0]["relation"] == "not_friend",
                "/blocks/check" => told["entities"][0]["relation"] == "not_blacklist",
                "/users/{owner}/contacts/import" => {
                    told["data"]["NotExistFailed"] == json!([friend])
                }
                _ => !told.to_string().contains("only-b"),
            };
            assert!(nobody, "{route:?}: {told}");
        }

        // The other app's address with the caller's token, and the other way round.
        let astray = Easemob { base: "/b/app".to_owned(), ..own.clone() };
        let answer = send(&astray, route, route.body(&a, "alice", "bob"), "alice", "bob").await;
        expect_no_leak(route, &answer);
        if route.path == "/token" {
            expect_refusal(&answer, 400, "invalid_grant", "client_id does not match");
        } else {
            expect_refusal(&answer, 401, "unauthorized", "Unable to authenticate (OAuth)");
        }
        assert_eq!(rows_of(&b, app.pool()).await, before, "{route:?} changed another app");
    }
    assert_eq!(b.friends_of("only-b1").await.unwrap(), ["only-b2"]);
}

#[tokio::test]
async fn a_body_or_a_header_that_names_another_app_changes_nothing() {
    let app = TestApp::start().await;
    let (a, b) = (app.tenant("a#app").await, app.tenant("b#app").await);
    for tenant in [&a, &b] {
        tenant.create(&["alice", "bob"]).await;
    }
    let client = Easemob::of(&app, &a);
    let body = json!({
        "username": "carol",
        "application": b.app.uuid,
        "org_name": "b",
        "app_name": "app",
        "uuid": "00000000-0000-0000-0000-000000000000",
    });
    let host = ("x-forwarded-host", "b.example");
    let headers = [host, ("x-app-key", "b#app"), ("org_name", "b"), ("x-original-url", "/b/app")];
    let path = "/users?org_name=b&app_name=app&appkey=b%23app";
    let created = client.send("POST", path, &headers, body.to_string().as_bytes()).await.ok();
    assert_eq!(created["application"], a.app.uuid.as_str());
    assert_ne!(created["entities"][0]["uuid"], body["uuid"]);
    a.profile("carol").await.unwrap();
    b.profile("carol").await.unwrap_err();
}
