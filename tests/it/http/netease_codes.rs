//! Every code of NetEase's API that means something went wrong, as it comes about.

use befriend::{clock::Clock, proto};
use serde_json::Value;
use time::Duration;

use crate::support::{
    Tenant, TestApp,
    netease::{CREDENTIALS_KEY, NOON, NetEase, code, netease, netease_with},
    tenant::{block_limit, friend_limit},
};

const ADD: &str = "/friend/add.action";
const GET: &str = "/friend/get.action";
const GET_BY_ACCID: &str = "/friend/getByAccid.action";
const ALICE: &[(&str, &str)] = &[("accid", "alice")];
const PAIR: &[(&str, &str)] = &[("accid", "alice"), ("faccid", "bob")];

/// A form with more members.
fn and<'a>(form: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [form, more].concat()
}

/// The same app's client of another server on the same database, with the same clock.
async fn beside(app: &TestApp, client: &NetEase, flags: &[&str]) -> (TestApp, NetEase) {
    let flags = [&["--credentials-key", CREDENTIALS_KEY], flags].concat();
    let other = TestApp::on(&app.database_url, &flags, app.core.clock.clone()).await;
    let client = NetEase::new(&other, &client.app_key, &client.app_secret);
    (other, client)
}

#[tokio::test]
async fn what_is_not_allowed_is_403() {
    let (_app, tenant, client) = netease(&["alice", "bob", "carol"]).await;
    tenant.block("bob", &["alice"]).await.unwrap();
    let ask = and(PAIR, &[("type", "2")]);
    assert_eq!(client.code(ADD, &ask).await, 403, "to ask whoever blocks the one who asks");

    let ask_alice = [("accid", "carol"), ("faccid", "alice"), ("type", "2")];
    client.taken(ADD, &ask_alice).await;
    tenant.block("carol", &["alice"]).await.unwrap();
    let accept = [("accid", "alice"), ("faccid", "carol"), ("type", "3")];
    assert_eq!(client.code(ADD, &accept).await, 403, "to accept across a block");
    tenant.unblock("carol", "alice").await.unwrap();
    client.taken(ADD, &accept).await;
    assert_eq!(client.code(ADD, &ask_alice).await, 403, "to ask a friend");
}

/// A call, the members that name its two users, and the others.
type Naming = (&'static str, [&'static str; 2], &'static [(&'static str, &'static str)]);

#[tokio::test]
async fn who_is_not_there_is_404_wherever_named() {
    let (_app, _tenant, client) = netease(&["alice", "bob"]).await;
    let calls: [Naming; 8] = [
        (ADD, ["accid", "faccid"], &[("type", "1")]),
        (ADD, ["accid", "faccid"], &[("type", "2")]),
        (ADD, ["accid", "faccid"], &[("type", "3")]),
        (ADD, ["accid", "faccid"], &[("type", "4")]),
        ("/friend/update.action", ["accid", "faccid"], &[("alias", "x")]),
        ("/friend/delete.action", ["accid", "faccid"], &[]),
        (GET_BY_ACCID, ["accid", "faccid"], &[]),
        (
            "/user/setSpecialRelation.action",
            ["accid", "targetAcc"],
            &[("relationType", "1"), ("value", "1")],
        ),
    ];
    for (path, names, more) in calls {
        for pair in [["alice", "nobody"], ["nobody", "bob"]] {
            let form: Vec<_> = names.into_iter().zip(pair).collect();
            let answer = client.call(path, &and(&form, more)).await;
            assert_eq!(code(&answer), 404, "{path} {form:?} {more:?}");
            assert!(answer["desc"].is_string(), "{path}: {answer}");
        }
    }
    for path in [GET, "/user/listBlackAndMuteList.action"] {
        assert_eq!(client.code(path, &[("accid", "nobody")]).await, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_between_two_users_is_404() {
    let (_app, _tenant, client) = netease(&["alice", "bob"]).await;
    let update = and(PAIR, &[("alias", "x")]);
    assert_eq!(client.code("/friend/update.action", &update).await, 404, "they are no friends");
    assert_eq!(client.code("/friend/update.action", PAIR).await, 404, "nothing to change either");
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 404);
    assert_eq!(client.code(ADD, &and(PAIR, &[("type", "4")])).await, 404, "nobody asked");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_408_and_changes_nothing() {
    let (app, tenant, client) = netease(&["alice", "bob"]).await;
    let (_hasty, hasty) = beside(&app, &client, &["--max-duration", "100ms"]).await;
    let held = app.hold("alice").await;
    assert_eq!(hasty.code(ADD, &and(PAIR, &[("type", "1")])).await, 408);
    held.rollback().await.unwrap();
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 404);
    assert!(tenant.friends_of("bob").await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_is_full_is_419() {
    let (app, tenant, client) = netease(&["alice", "bob", "carol"]).await;
    app.set_limits(&tenant, friend_limit(1)).await;
    client.taken(ADD, &and(PAIR, &[("type", "1")])).await;
    for (accid, faccid) in [("alice", "carol"), ("carol", "alice")] {
        for add in ["1", "3"] {
            let form = [("accid", accid), ("faccid", faccid), ("type", add)];
            assert_eq!(client.code(ADD, &form).await, 419, "{form:?}");
        }
    }
    client.taken(ADD, &[("accid", "carol"), ("faccid", "alice"), ("type", "2")]).await;
    let accept = [("accid", "alice"), ("faccid", "carol"), ("type", "3")];
    assert_eq!(client.code(ADD, &accept).await, 419, "a request does not make room");

    app.set_limits(&tenant, block_limit(1)).await;
    let path = "/user/setSpecialRelation.action";
    let block =
        |target| [("accid", "alice"), ("targetAcc", target), ("relationType", "1"), ("value", "1")];
    client.taken(path, &block("bob")).await;
    assert_eq!(client.code(path, &block("carol")).await, 419);
    client.taken(path, &block("bob")).await;
}

#[tokio::test]
async fn more_pending_requests_than_allowed_are_419() {
    let flags = ["--max-pending-requests", "1"];
    let (_app, tenant, client) = netease_with(&flags, Clock::stopped_at(NOON)).await;
    tenant.create(&["alice", "bob", "carol"]).await;
    client.taken(ADD, &and(PAIR, &[("type", "2")])).await;
    let form = [("accid", "alice"), ("faccid", "carol"), ("type", "2")];
    assert_eq!(client.code(ADD, &form).await, 419);
}

#[tokio::test]
async fn what_nobody_foresaw_is_500_in_one_fixed_sentence() {
    let (app, _tenant, client) = netease(&["alice", "bob"]).await;
    sqlx::query("alter table friends rename to hidden_friends").execute(app.pool()).await.unwrap();
    let add = client.call(ADD, &and(PAIR, &[("type", "1")])).await;
    let get = client.call(GET, ALICE).await;
    assert_eq!(add, get);
    let told = "an internal error happened; the service's log tells more";
    assert_eq!((code(&get), get["desc"].as_str().unwrap()), (500, told));
    // The rest goes on.
    client.taken("/user/listBlackAndMuteList.action", ALICE).await;
}

#[tokio::test]
async fn what_may_be_repeated_later_is_503() {
    let (app, _tenant, client) = netease(&["alice", "bob"]).await;
    let add = and(PAIR, &[("type", "1")]);
    let (_other, impatient) = beside(&app, &client, &["--db-lock-timeout", "20ms"]).await;
    let held = app.hold("alice").await;
    assert_eq!(impatient.code(ADD, &add).await, 503, "a row that somebody else holds");

    let (_narrow, narrow) = beside(&app, &client, &["--max-in-flight", "1"]).await;
    let narrow = std::sync::Arc::new(narrow);
    let waiting = {
        let narrow = std::sync::Arc::clone(&narrow);
        tokio::spawn(async move { narrow.code(ADD, &and(PAIR, &[("type", "1")])).await })
    };
    app.until_somebody_waits_for_a_lock().await;
    assert_eq!(narrow.code(GET, ALICE).await, 503, "no room");
    held.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap(), 200);

    // Nothing listens on port 1.
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let flags = ["--db-acquire-timeout", "50ms", "--credentials-key", CREDENTIALS_KEY];
    let away = TestApp::on(nowhere, &flags, Clock::stopped_at(NOON)).await;
    let away = NetEase::new(&away, &client.app_key, &client.app_secret);
    assert_eq!(away.code(GET, ALICE).await, 503, "no database");
}

/// A tenant that may call once a second, with the users alice and bob, and its client.
async fn slow_tenant(app: &TestApp, app_key: &str) -> (Tenant, NetEase) {
    let limits = proto::AppLimits { requests_per_second: Some(1), ..proto::AppLimits::default() };
    let tenant = app.tenant_with(app_key, limits).await;
    tenant.create(&["alice", "bob"]).await;
    let client = app.netease_of(&tenant, &format!("app-key-of-{app_key}")).await;
    (tenant, client)
}

/// Calls until the rate is passed, and returns the answer that says so.
async fn overdo(client: &NetEase) -> Value {
    for _ in 0..1000 {
        let answer = client.call(GET, ALICE).await;
        if code(&answer) != 200 {
            return answer;
        }
    }
    panic!("a thousand calls within the rate of one a second");
}

#[tokio::test]
async fn an_app_over_its_rate_is_416_for_the_next_ten_seconds() {
    let clock = Clock::stopped_at(NOON);
    let (app, _tenant, unhurt) = netease_with(&[], clock.clone()).await;
    let (tenant, client) = slow_tenant(&app, "slow#app").await;
    // One call of another operation, so that its own rate has no part in this.
    let first = overdo(&client).await;
    assert_eq!(code(&first), 416, "{first}");
    let shut = client.call(GET_BY_ACCID, PAIR).await;
    assert_eq!(code(&shut), 416, "{shut}");
    assert_ne!(shut["desc"], first["desc"], "it says for how long");

    // Others, and the app's other surfaces, go on.
    let (_other, other) = slow_tenant(&app, "other#app").await;
    assert_eq!(other.code(GET_BY_ACCID, PAIR).await, 404);
    assert_eq!(unhurt.code(GET, ALICE).await, 404);
    assert!(tenant.friends_of("alice").await.unwrap().is_empty(), "by gRPC");
    let bearer = format!("Bearer {}", tenant.token);
    let path = "/slow/app/users/alice";
    let headers = [("authorization", bearer.as_str())];
    let answer = crate::support::http::ask(&app.url, "GET", path, &headers, b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");

    clock.advance(Duration::seconds(10) - Duration::microseconds(1));
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 416);
    // Whoever comes meanwhile is not refused for any longer.
    clock.advance(Duration::microseconds(1));
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 404);
}

#[tokio::test]
async fn for_how_long_an_app_is_refused_is_a_setting() {
    let clock = Clock::stopped_at(NOON);
    let (app, _, _) = netease_with(&["--netease-penalty", "1m"], clock.clone()).await;
    let (_tenant, client) = slow_tenant(&app, "slow#app").await;
    assert_eq!(code(&overdo(&client).await), 416);
    clock.advance(Duration::seconds(59));
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 416);
    clock.advance(Duration::seconds(1));
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 404);

    let (app, _, _) = netease_with(&["--netease-penalty", "0s"], clock.clone()).await;
    let (_tenant, client) = slow_tenant(&app, "slow#app").await;
    assert_eq!(code(&overdo(&client).await), 416);
    assert_eq!(client.code(GET_BY_ACCID, PAIR).await, 404, "each operation has a rate of its own");
}

#[tokio::test]
async fn who_shows_no_credentials_shuts_nobody_out() {
    let (app, _, _) = netease(&[]).await;
    let (_tenant, client) = slow_tenant(&app, "slow#app").await;
    let wrong = NetEase::new(&app, &client.app_key, "a guess");
    // One more would be guessing.
    for _ in 0..9 {
        assert_eq!(wrong.code(GET, ALICE).await, 414);
    }
    assert_eq!(client.code(GET, ALICE).await, 200);
}
