//! Every error of Easemob's surface that is not of one call: who may call, and what goes wrong
//! besides the request.

use befriend::{clock::Clock, proto};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::{
    Tenant, TestApp,
    app::OPERATOR_TOKEN,
    easemob::{Easemob, expect_refusal, routes},
    http::{Answer, ask},
    tenant::acme,
};

const UNAUTHORIZED: &str = "Unable to authenticate (OAuth)";

#[track_caller]
fn expect_unauthorized(answer: &Answer) {
    expect_refusal(answer, 401, "unauthorized", UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

/// Looks that an answer says when to come back.
#[track_caller]
fn expect_retry_after(answer: &Answer) {
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn every_route_is_shut_without_a_token_of_the_app() {
    let app = TestApp::with(&["--failed-logins", "100000"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let other = app.tenant("other#app").await;
    let revoked = {
        let (id, secret) = (&tenant.app.client_id, &tenant.client_secret);
        let token = app.login(id, secret, None).await.unwrap().access_token;
        tenant.revoke(&token).await.unwrap();
        token
    };
    let client = Easemob::of(&app, &tenant);
    let wrong = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer rubbish".to_owned(),
        format!("Bearer bft_{}", "A".repeat(43)),
        format!("Bearer {}", tenant.client_secret),
        format!("Bearer {revoked}"),
        format!("Bearer {}", other.token),
        format!("Bearer {OPERATOR_TOKEN}"),
        format!("Bearer {}x", tenant.token),
        format!("Bearer {0}, Bearer {0}", tenant.token),
        format!("Basic {}", tenant.token),
        tenant.token.clone(),
    ];
    for route in routes(&app.url).await.iter().filter(|route| route.path != "/token") {
        let (path, body) = (route.of("alice", "bob"), route.body(&tenant, "alice", "bob"));
        let full = format!("{}{path}", client.base);
        let bare = ask(&app.url, &route.method, &full, &[], body.to_string().as_bytes()).await;
        expect_unauthorized(&bare);
        for authorization in &wrong {
            let shut = Easemob { authorization: authorization.clone(), ..client.clone() };
            expect_unauthorized(&shut.call(&route.method, &path, body.clone()).await);
        }
    }
    assert!(tenant.friends_of("alice").await.unwrap().is_empty(), "nothing was done");
    tenant.profile("newcomer").await.unwrap_err();
}

#[tokio::test]
async fn an_expired_token_is_no_token() {
    let start = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let clock = Clock::stopped_at(start);
    let app = TestApp::with(&[], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let client = Easemob::of(&app, &tenant);
    client.get("/users/alice").await.ok();
    clock.advance(Duration::days(1) + Duration::MINUTE);
    expect_unauthorized(&client.get("/users/alice").await);
}

#[tokio::test]
async fn an_app_that_is_not_there_is_told_before_a_wrong_token() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let client = Easemob::of(&app, &tenant);
    let long = "x".repeat(65);
    for route in routes(&app.url).await {
        let (path, body) = (route.of("alice", "bob"), route.body(&tenant, "alice", "bob"));
        for base in ["/acme/nothing", "/nobody/chat", "/ACME/chat", "/a.b/c", &format!("/{long}/a")]
        {
            let why = format!("Could not find application for {}", &base[1..]);
            for authorization in [client.authorization.as_str(), "Bearer rubbish"] {
                let lost = Easemob {
                    base: base.to_owned(),
                    authorization: authorization.to_owned(),
                    ..client.clone()
                };
                let answer = lost.call(&route.method, &path, body.clone()).await;
                expect_refusal(&answer, 404, "organization_application_not_found", &why);
            }
        }
    }
    tenant.profile("newcomer").await.unwrap_err();
}

#[tokio::test]
async fn other_methods_are_refused_and_the_right_ones_named() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let client = Easemob::of(&app, &tenant);
    let routes = routes(&app.url).await;
    for route in &routes {
        let taken = routes.iter().filter(|other| other.path == route.path);
        let taken: Vec<&str> = taken.map(|other| other.method.as_str()).collect();
        let path = route.of("alice", "bob");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
        {
            if taken.contains(&method) || (method == "HEAD" && taken.contains(&"GET")) {
                continue;
            }
            let answer = client.send(method, &path, &[], b"").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            for method in &taken {
                assert!(answer.header("allow").contains(method), "{answer:?}");
            }
            if method != "HEAD" {
                let why = "the method is not allowed here";
                expect_refusal(&answer, 405, "method_not_allowed", why);
            }
        }
    }
    // The start of an answer is the start of the same answer.
    let head = client.send("HEAD", "/users/alice", &[], b"").await;
    assert_eq!((head.status, head.header("content-type")), (200, "application/json"));
    assert!(head.header("content-length").parse::<usize>().unwrap() > 100);
}

#[tokio::test]
async fn a_path_of_nobody_is_not_found() {
    let (app, tenant) = acme(&["alice"]).await;
    let client = Easemob::of(&app, &tenant);
    for path in [
        "/users/alice/contacts/nobody",
        "/users/alice/contacts/users/bob/x",
        "/user/alice",
        "/user/alice/contacts/users",
        "/Users/alice",
        "/contacts",
        "/messages",
        "",
    ] {
        let answer = client.get(path).await;
        let why = "Service resource not found";
        expect_refusal(&answer, 404, "service_resource_not_found", why);
    }
    for path in ["/", "/acme", "/favicon.ico", "/.git/config", "/a/b/c/d/e/f/g/h"] {
        let answer = ask(&app.url, "GET", path, &[], b"").await;
        let why = "Service resource not found";
        expect_refusal(&answer, 404, "service_resource_not_found", why);
    }
}

#[tokio::test]
async fn over_the_rate_the_answer_says_when_to_come_back() {
    let app = TestApp::start().await;
    let limits = proto::AppLimits { requests_per_second: Some(1), ..proto::AppLimits::default() };
    // The limiter's clock can't be stopped: on a machine so slow that a second passes between two
    // calls, another app is another try.
    let mut shared = false;
    for number in 0..20 {
        let tenant = app.tenant_with(&format!("acme#app{number}"), limits).await;
        let client = Easemob::of(&app, &tenant);
        // There is nobody; the call counts all the same.
        tenant.profile("alice").await.unwrap_err();
        let answer = client.get("/users/alice").await;
        if answer.status == 429 {
            expect_refusal(&answer, 429, "reach_limit", "This request has reached api limit");
            expect_retry_after(&answer);
            // Another operation has a rate of its own.
            assert_eq!(client.get("/users/alice/contacts/users").await.status, 404);
            shared = true;
            break;
        }
    }
    assert!(shared, "a call by gRPC did not count over HTTP");
}

#[tokio::test]
async fn guessing_secrets_is_braked() {
    let app = TestApp::with(&["--failed-logins", "3"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let client = Easemob::of(&app, &tenant);
    let mut login = json!({
        "grant_type": "client_credentials",
        "client_id": tenant.app.client_id,
        "client_secret": "a guess",
    });
    for _ in 0..3 {
        let answer = client.call("POST", "/token", login.clone()).await;
        expect_refusal(&answer, 400, "invalid_grant", "client_secret does not match");
    }
    let answer = client.call("POST", "/token", login.clone()).await;
    expect_refusal(&answer, 429, "reach_limit", "This request has reached api limit");
    expect_retry_after(&answer);
    login["client_id"] = "someone else's".into();
    let answer = client.call("POST", "/token", login).await;
    assert!([400, 429].contains(&answer.status));
    client.get("/users").await.ok(); // Tokens that were given out are not affected.
}

#[tokio::test]
async fn credentials_of_another_app_are_none() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    let other = app.tenant("other#app").await;
    let client = Easemob::of(&app, &tenant);
    let login = json!({
        "grant_type": "client_credentials",
        "client_id": other.app.client_id,
        "client_secret": other.client_secret,
    });
    let answer = client.call("POST", "/token", login).await;
    expect_refusal(&answer, 400, "invalid_grant", "client_id does not match");
}

#[tokio::test]
async fn a_login_of_another_kind_is_refused() {
    let (app, tenant) = acme(&[]).await;
    let client = Easemob::of(&app, &tenant);
    for grant in
        [json!("password"), json!("inherit"), json!("agora"), json!(""), json!(1), json!(null)]
    {
        let login = json!({ "grant_type": grant, "username": "alice", "password": "x" });
        let answer = client.call("POST", "/token", login).await;
        let why = "grant_type must be client_credentials";
        expect_refusal(&answer, 400, "illegal_argument", why);
    }
}

#[tokio::test]
async fn without_its_database_every_route_says_to_come_back() {
    // Nothing listens on port 1.
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let app = TestApp::on(nowhere, &["--db-acquire-timeout", "50ms"], Clock::system()).await;
    let tenant = Tenant {
        channel: app.channel.clone(),
        app: proto::App {
            app_key: "acme#chat".to_owned(),
            client_id: format!("bfc_{}", "A".repeat(22)),
            ..proto::App::default()
        },
        client_secret: "x".to_owned(),
        token: format!("bft_{}", "A".repeat(43)),
    };
    let client = Easemob::of(&app, &tenant);
    for route in routes(&app.url).await {
        let (path, body) = (route.of("alice", "bob"), route.body(&tenant, "alice", "bob"));
        let answer = client.call(&route.method, &path, body).await;
        let why = answer.json()["error_description"].as_str().unwrap().to_owned();
        expect_refusal(&answer, 503, "service_unavailable", &why);
        expect_retry_after(&answer);
        assert!(!why.contains("127.0.0.1"), "{why}");
    }
}

#[tokio::test]
async fn what_waits_too_long_for_a_row_is_told_to_come_back_or_ends_at_the_deadline() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let _held = app.hold("alice").await;
    for (flags, status, error) in [
        (["--db-lock-timeout", "20ms"], 503, "service_unavailable"),
        (["--max-duration", "50ms"], 504, "gateway_timeout"),
    ] {
        let hasty = TestApp::on(&app.database_url, &flags, Clock::system()).await;
        let client = Easemob::of(&hasty, &tenant);
        let path = "/users/alice/contacts/users/bob";
        let answer = client.call("POST", path, Value::Null).await;
        let why = answer.json()["error_description"].as_str().unwrap().to_owned();
        expect_refusal(&answer, status, error, &why);
        if status == 503 {
            expect_retry_after(&answer);
        }
    }
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_are_told_to_come_back() {
    let app = TestApp::with(&["--max-in-flight", "1"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let client = Easemob::of(&app, &tenant);
    let held = app.hold("alice").await;
    let waiting = {
        let client = client.clone();
        let path = "/users/alice/contacts/users/bob";
        tokio::spawn(async move { client.call("POST", path, Value::Null).await })
    };
    app.until_somebody_waits_for_a_lock().await;
    let answer = client.get("/users/bob").await;
    let why = answer.json()["error_description"].as_str().unwrap().to_owned();
    expect_refusal(&answer, 503, "service_unavailable", &why);
    expect_retry_after(&answer);
    held.rollback().await.unwrap();
    waiting.await.unwrap().ok();
    client.get("/users/bob").await.ok();
}

#[tokio::test]
async fn something_unforeseen_is_told_in_one_fixed_sentence() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let client = Easemob::of(&app, &tenant);
    sqlx::query("alter table friends rename to hidden_friends").execute(app.pool()).await.unwrap();
    for (method, path) in [
        ("POST", "/users/alice/contacts/users/bob"),
        ("GET", "/users/alice/contacts/users"),
        ("GET", "/user/alice/contacts"),
    ] {
        let answer = client.call(method, path, Value::Null).await;
        let why = "an internal error happened; the service's log tells more";
        expect_refusal(&answer, 500, "internal_server_error", why);
        assert!(!answer.header("x-request-id").is_empty(), "by which to find it in the log");
        assert!(!String::from_utf8(answer.body).unwrap().contains("friends"));
    }
    client.get("/users/alice").await.ok(); // The rest goes on.
}
