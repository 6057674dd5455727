//! The operator's listener: liveness, readiness with its reasons, and the metrics.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use befriend::proto::{self, callback_rule_service_client::CallbackRuleServiceClient};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::net::TcpStream;
use tonic::{Code, transport::Endpoint};

use crate::support::{
    app::{Bearer, OPERATOR_TOKEN, tenant_on},
    binary::Service,
    certificates::Certificates,
    http::ask,
    postgres,
    proxy::Proxy,
    receiver::{rule_to, until},
    scrape::{Scrape, documented},
};

/// How soon the listener tells that the database is not well.
const SOON: Duration = Duration::from_secs(5);

/// A service with an operator's listener, and the listener's URL.
async fn observed(arguments: &[&str]) -> (Service, String) {
    let always = ["--admin-listen", "127.0.0.1:0", "--operator-token", OPERATOR_TOKEN];
    let service = Service::start(&[&always[..], arguments].concat()).await;
    let lines = service.lines("the operator's listener listens");
    let url = format!("http://{}", lines[0]["address"].as_str().unwrap());
    (service, url)
}

async fn readiness(url: &str) -> (u16, Value) {
    let answer = ask(url, "GET", "/readyz", &[], b"").await;
    assert_eq!(answer.header("content-type"), "application/json");
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// Waits until /readyz answers with this status, and returns what it says.
async fn until_ready_is(url: &str, status: u16) -> Value {
    until("the readiness", async || {
        let (now, said) = readiness(url).await;
        (now == status).then_some(said)
    })
    .await
}

async fn run(url: &str, sql: String) {
    let mut db = PgConnection::connect(url).await.unwrap();
    db.execute(AssertSqlSafe(sql)).await.unwrap();
    db.close().await.unwrap();
}

/// Looks that the listener says soon that the service is not ready, with this reason and this role of the
/// database, and that the process lives meanwhile.
async fn is_told(url: &str, since: Instant, reason: &str, role: &str) {
    let said = until_ready_is(url, 503).await;
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    assert_eq!((&said["ready"], &said["parts"]["database.writes"]), (&false.into(), &false.into()));
    let reasons = said["reasons"].as_array().unwrap();
    assert!(reasons.len() == 1 && reasons[0].as_str().unwrap().contains(reason), "{said}");
    let scrape = Scrape::of(url).await;
    assert_eq!(scrape.value("befriend_ready", &[]), 0.0);
    assert_eq!(scrape.value("befriend_db_role", &[("role", role)]), 1.0);
    assert_eq!(ask(url, "GET", "/livez", &[], b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_told_with_its_reason_and_never_ends_the_process() {
    let database = postgres::fresh_database().await;
    let proxy = Proxy::to(&database).await;
    let (mut service, url) = observed(&["--database-url", &proxy.url]).await;
    until_ready_is(&url, 200).await;
    let hung = Instant::now();
    proxy.vanish();
    is_told(&url, hung, "no answer within", "unreachable").await;
    service.stop().await;
    let lines = service.lines("not serving: the database can't be used");
    assert_eq!(lines.len(), 1, "{}", service.logged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stops_and_comes_back_is_told_both_times() {
    let database = postgres::fresh_database().await;
    let proxy = Proxy::to(&database).await;
    let (mut service, url) = observed(&["--database-url", &proxy.url]).await;
    until_ready_is(&url, 200).await;
    let stopped = Instant::now();
    proxy.refuse().await;
    is_told(&url, stopped, "refused", "unreachable").await;
    proxy.allow().await;
    let said = until_ready_is(&url, 200).await;
    assert_eq!(said["reasons"], Value::Array(vec![]));
    let scrape = Scrape::of(&url).await;
    assert_eq!(scrape.value("befriend_db_role", &[("role", "primary")]), 1.0);
    service.stop().await;
    assert_eq!(service.lines("serving").len(), 2, "{}", service.logged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_told_as_read_only() {
    let database = postgres::fresh_database().await;
    let (_service, url) = observed(&["--database-url", &database]).await;
    until_ready_is(&url, 200).await;
    let name = database.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let demote = format!("alter database {name} set default_transaction_read_only = on");
    let demoted = Instant::now();
    run(&database, demote).await;
    postgres::end_sessions(&database).await;
    is_told(&url, demoted, "default_transaction_read_only", "read-only").await;
}

#[tokio::test]
async fn the_listener_answers_before_there_is_a_database() {
    let arguments = [
        "--admin-listen",
        "127.0.0.1:0",
        "--database-url",
        // Nothing listens on port 1.
        "postgres://befriend@127.0.0.1:1/befriend",
    ];
    let mut service = Service::begin(&arguments);
    let line = service.logs("the operator's listener listens").await;
    let url = format!("http://{}", line["address"].as_str().unwrap());
    let (status, said) = readiness(&url).await;
    assert_eq!((status, &said["reasons"][0]), (503, &"the service is starting".into()));
    assert_eq!(ask(&url, "GET", "/livez", &[], b"").await.status, 200);
    assert_eq!(ask(&url, "GET", "/nothing", &[], b"").await.status, 404);
    assert!(Scrape::of(&url).await.0.contains_key("process_open_fds"));
}

/// Makes calls over all surfaces that succeed, are refused and fail, until every metric has something to tell.
async fn use_everything(service: &Service) {
    let channel = Endpoint::from_shared(service.url.clone()).unwrap().connect_lazy();
    let limits = proto::AppLimits::default();
    let tenant = tenant_on(channel.clone(), OPERATOR_TOKEN, "acme#chat", limits).await;
    let operator = Bearer::new(OPERATOR_TOKEN);
    let mut rules = CallbackRuleServiceClient::with_interceptor(channel, operator);
    // Nothing listens on port 1.
    rules.create_callback_rule(rule_to("http://127.0.0.1:1/")).await.unwrap();
    tenant.create(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.remark("alice", friend, "a remark").await.unwrap();
    }
    tenant.block("alice", &["dave"]).await.unwrap();
    tenant.befriend("alice", "nobody").await.unwrap_err();
    let path = "/acme/chat/users/alice/contacts/users/bob";
    let token = format!("Bearer {}", tenant.token);
    let answer = ask(&service.url, "POST", path, &[("authorization", &token)], b"").await;
    assert_eq!(answer.status, 200);
    let missing = "/acme/chat/users/nobody/contacts/users";
    let answer = ask(&service.url, "GET", missing, &[("authorization", &token)], b"").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_a_running_service_is_in_the_documents_and_the_other_way_round() {
    let database = postgres::fresh_database().await;
    let arguments = [
        "--database-url",
        &database,
        "--callback-allow-private",
        "true",
        "--callback-schedule",
        "1s,1s,1s,1s,1s,1s",
        // So soon the listener closes the connection that has sent nothing.
        "--header-timeout",
        "100ms",
    ];
    let (service, url) = observed(&arguments).await;
    let _silent = TcpStream::connect(service.url.strip_prefix("http://").unwrap()).await.unwrap();
    use_everything(&service).await;
    let certs = Certificates::make();
    let (cert, key) = (certs.path("server.pem"), certs.path("server.key"));
    let with_tls = ["--database-url", &database, "--tls-cert", &cert, "--tls-key", &key];
    let (_with_tls, url_with_tls) = observed(&with_tls).await;
    let expected = documented();
    let scrape =
        until("all metrics", async || {
            let mut scrape = Scrape::of(&url).await;
            scrape.0.extend(
                Scrape::of(&url_with_tls).await.0.into_iter().filter(|(name, _)| {
                    name == "befriend_tls_certificate_expiry_timestamp_seconds"
                }),
            );
            let is_there = |row: &[String; 5]| scrape.0.contains_key(&row[0]);
            expected.iter().all(is_there).then_some(scrape)
        })
        .await;
    let rows = scrape.0.iter().map(|(name, metric)| {
        let labels: Vec<&str> = metric.labels().into_iter().collect();
        (name.as_str(), metric.kind.as_str(), labels, metric.help.as_str())
    });
    let documented = expected.iter().map(|[name, kind, labels, _, meaning]| {
        let mut labels: Vec<&str> = labels.split(", ").filter(|label| *label != "-").collect();
        labels.sort_unstable();
        (name.as_str(), kind.as_str(), labels, meaning.as_str())
    });
    assert_eq!(rows.collect::<BTreeSet<_>>(), documented.collect::<BTreeSet<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_by_surface_operation_code_and_reason() {
    let database = postgres::fresh_database().await;
    let (service, url) = observed(&["--database-url", &database, "--metrics-apps", "1"]).await;
    use_everything(&service).await;
    let scrape = Scrape::of(&url).await;
    let add = ("operation", "FriendService/AddFriend");
    let calls = |labels: &[(&str, &str)]| scrape.value("befriend_calls_total", labels);
    assert_eq!(calls(&[add, ("surface", "grpc"), ("code", "Ok")]), 3.0);
    let refused = [add, ("surface", "grpc"), ("code", "NotFound"), ("reason", "USER_NOT_FOUND")];
    assert_eq!(calls(&refused), 1.0);
    assert_eq!(calls(&[add, ("surface", "easemob"), ("code", "200")]), 1.0);
    let listed =
        [("surface", "easemob"), ("code", "404"), ("reason", "service_resource_not_found")];
    assert_eq!(calls(&listed), 1.0);
    assert_eq!(scrape.value("befriend_call_seconds", &[add]), 5.0);
    assert_eq!(scrape.value("befriend_calls_in_flight", &[add]), 0.0);
    assert_eq!(scrape.value("befriend_batch_members", &[("kind", "add_friend")]), 5.0);
    let failed = [("app", "acme#chat"), ("outcome", "failed")];
    assert_eq!(scrape.value("befriend_app_calls_total", &failed), 2.0);
    let misses = scrape.value("befriend_cache_misses_total", &[("cache", "sessions")]);
    let lookups = scrape.value("befriend_cache_lookups_total", &[("cache", "sessions")]);
    assert!(misses == 1.0 && lookups > 10.0, "{misses} of {lookups}");

    let channel = Endpoint::from_shared(service.url.clone()).unwrap().connect_lazy();
    let limits = proto::AppLimits { requests_per_second: Some(1), ..Default::default() };
    let other = tenant_on(channel, OPERATOR_TOKEN, "other#app", limits).await;
    while other.head("nobody").await.unwrap_err().code() != Code::ResourceExhausted {}
    let scrape = Scrape::of(&url).await;
    assert!(scrape.value("befriend_refusals_total", &[("limit", "rate")]) >= 1.0);
    // The one app that has a label of its own came before.
    assert_eq!(scrape.sum("befriend_app_calls_total", &[("app", "other#app")]), None);
    let others = [("app", "others"), ("outcome", "failed")];
    assert!(scrape.value("befriend_app_calls_total", &others) >= 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_what_an_instance_is_and_does() {
    let database = postgres::fresh_database().await;
    let (_service, url) = observed(&["--database-url", &database, "--db-connections", "7"]).await;
    until_ready_is(&url, 200).await;
    let status = until("the leases", async || {
        let answer = ask(&url, "GET", "/status", &[], b"").await;
        let status: Value = serde_json::from_slice(&answer.body).unwrap();
        (status["callbacks"]["partitions_held"] == 256).then_some(status)
    })
    .await;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["schema"], befriend::store::expected_version());
    assert_eq!(status["readiness"]["ready"], true);
    assert_eq!(status["database"]["role"], "primary");
    assert_eq!(status["database"]["pool"]["max"], 7);
    assert_eq!(status["log"], "info");
    assert_eq!(status["limits"]["check_names"], 100);
    let holder = sqlx::query_scalar("select holder::text from outbox_leases limit 1");
    let mut db = PgConnection::connect(&database).await.unwrap();
    let holder: String = holder.fetch_one(&mut db).await.unwrap();
    assert_eq!(status["callbacks"]["dispatcher"], holder);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_no_call_are_counted_and_logged_for_those_who_look_for_them() {
    let database = postgres::fresh_database().await;
    let log = ["--database-url", &database, "--log", "info,befriend::gate=debug"];
    let (mut service, url) = observed(&log).await;
    let grpc = ("content-type", "application/grpc");
    let json = ("content-type", "application/json");
    let stream = ("content-type", "application/connect+json");
    let web = ("content-type", "application/grpc-web");
    // Counted as HTTP/2 does, with 32 bytes for each header: HTTP/1 takes a head of so many bytes.
    let names: Vec<String> = (0..90).map(|number| format!("x-{number}")).collect();
    let long = "x".repeat(150);
    let large: Vec<_> = names.iter().map(|name| (name.as_str(), long.as_str())).collect();
    let with_much = |kind| [vec![kind], large.clone()].concat();
    for (method, path, headers, surface, what) in [
        ("GET", "/befriend.v1.FriendService/AddFriend", vec![grpc], "grpc", "method"),
        ("POST", "/befriend.v1.FriendService/AddFriend", vec![], "grpc", "content type"),
        ("POST", "/befriend.v1.FriendService/AddFriend", with_much(grpc), "grpc", "metadata"),
        ("POST", "/befriend.v1.FriendService/Nothing", vec![grpc], "grpc", "unimplemented"),
        ("POST", "/befriend.v1.Nothing/Nothing", vec![grpc], "grpc", "unimplemented"),
        ("GET", "/nothing", vec![], "easemob", "path"),
        ("PATCH", "/acme/chat/users/alice", vec![], "easemob", "method"),
        ("POST", "/nimserver/nothing.action", vec![], "netease", "path"),
        ("GET", "/nimserver/friend/add.action", vec![], "netease", "method"),
        ("PUT", "/befriend.v1.FriendService/AddFriend", vec![json], "connect", "method"),
        ("POST", "/befriend.v1.FriendService/AddFriend", vec![stream], "connect", "content type"),
        ("POST", "/befriend.v1.FriendService/AddFriend", with_much(json), "connect", "metadata"),
        ("POST", "/befriend.v1.FriendService/Nothing", vec![json], "connect", "unimplemented"),
        ("PUT", "/befriend.v1.FriendService/AddFriend", vec![web], "grpc-web", "method"),
        ("POST", "/befriend.v1.FriendService/Nothing", vec![web], "grpc-web", "unimplemented"),
    ] {
        let labels = [("surface", surface), ("what", what)];
        let count =
            async || Scrape::of(&url).await.value("befriend_requests_without_call_total", &labels);
        let before = count().await;
        let headers = [&headers[..], &[("x-request-id", "of-the-test")]].concat();
        let answer = ask(&service.url, method, path, &headers, b"").await;
        assert_eq!(answer.header("x-request-id"), "of-the-test", "{method} {path}");
        assert_eq!(count().await - before, 1.0, "{method} {path}");
    }
    service.stop().await;
    let lines = service.lines("a request is no call");
    assert_eq!(lines.len(), 15, "{}", service.logged);
    assert!(lines.iter().all(|line| line["request_id"] == "of-the-test"), "{lines:?}");
    assert_eq!(lines[6]["path"], "/{org_name}/{app_name}/users/{username}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_changes_while_the_service_runs_and_a_mistake_changes_nothing() {
    let database = postgres::fresh_database().await;
    let (mut service, url) = observed(&["--database-url", &database]).await;
    let set = async |filter: &str| {
        let answer = ask(&url, "PUT", "/log", &[], filter.as_bytes()).await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        (answer.status, said)
    };
    for bad in ["debgu", "befriend=loud", ""] {
        let (status, said) = set(bad).await;
        assert_eq!(status, 400, "{bad:?}: {said}");
        assert!(said["error"].as_str().unwrap().len() > 10, "{said}");
    }
    let long = "x".repeat(5000);
    assert_eq!(ask(&url, "PUT", "/log", &[], long.as_bytes()).await.status, 413);
    let answer = ask(&url, "GET", "/log", &[], b"").await;
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap()["log"], "info");

    let channel = Endpoint::from_shared(service.url.clone()).unwrap().connect_lazy();
    let limits = proto::AppLimits::default();
    let tenant = tenant_on(channel, OPERATOR_TOKEN, "acme#chat", limits).await;
    assert_eq!(set("warn,befriend::server=info").await.0, 200);
    tenant.head("nobody").await.unwrap_err();
    assert_eq!(set("info").await.1["log"], "info");
    tenant.create(&["alice"]).await;
    service.stop().await;
    let lines = service.lines("request");
    let operations: Vec<&str> =
        lines.iter().map(|line| line["operation"].as_str().unwrap()).collect();
    assert!(operations.contains(&"UserService/BatchCreateUsers"), "{operations:?}");
    assert!(!operations.contains(&"UserService/GetUser"), "{operations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_is_logged_is_a_line_of_the_log_with_who_made_it_also_towards_silence() {
    let database = postgres::fresh_database().await;
    let (mut service, url) = observed(&["--database-url", &database]).await;
    for filter in ["error", "warn", "debug"] {
        assert_eq!(ask(&url, "PUT", "/log", &[], filter.as_bytes()).await.status, 200);
    }
    service.stop().await;
    let lines = service.lines("what is logged was changed");
    let said = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    // No line tells of "error" to "warn": neither of them lets it through.
    assert_eq!(said("before"), ["info", "warn"], "{}", service.logged);
    assert_eq!(said("now"), ["error", "debug"]);
    assert_eq!(said("from"), ["127.0.0.1", "127.0.0.1"]);
}
