//! The database is not always well: it goes away, another server takes over, a firewall forgets
//! connections, the disk is full, an instance is frozen.

use std::time::{Duration, Instant};

use befriend::{clock::Clock, domain::Error};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tonic::{Code, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use crate::support::{
    Tenant, TestApp, expect_error, postgres,
    proxy::Proxy,
    race::{names, race},
    receiver::until,
};

/// How soon a call succeeds after a firewall forgot the connections.
const FIRST_CALL: Duration = Duration::from_secs(3);

/// How soon writes go on after a server takes them again.
const FAILOVER: Duration = Duration::from_secs(5);

/// How soon a call fails while the database is known to be away.
const FAST: Duration = Duration::from_millis(100);

/// A server without background work on a database behind a proxy, with two users.
async fn behind(proxy: &Proxy, database: &str) -> (TestApp, Tenant) {
    between(&proxy.url, database, &["--deliver", "false"]).await
}

async fn on(url: &str) -> (TestApp, Tenant) {
    between(url, url, &["--deliver", "false"]).await
}

/// The same, while the test's own connections go past the proxies.
async fn between(through: &str, database: &str, flags: &[&str]) -> (TestApp, Tenant) {
    let app = TestApp::between(through, database, flags, Clock::system()).await;
    until_health(&app, "", ServingStatus::Serving).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    (app, tenant)
}

/// Waits until the health service says so of this name.
async fn until_health(app: &TestApp, name: &str, wanted: ServingStatus) {
    until("the health", async || (health(app, name).await == wanted).then_some(())).await;
}

async fn health(app: &TestApp, name: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: name.to_owned() };
    let answer = HealthClient::new(app.channel.clone()).check(request).await;
    answer.map_or(ServingStatus::Unknown, |answer| answer.into_inner().status())
}

/// Has so many connections opened at once.
async fn open_connections(app: &TestApp, tenant: &Tenant, count: usize) {
    let held = app.hold("alice").await;
    let calls = {
        let tenant = tenant.clone();
        tokio::spawn(race(count, move |_| {
            let tenant = tenant.clone();
            async move { tenant.unblock("alice", "bob").await.map(drop) }
        }))
    };
    until("the connections", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(app.pool())
        .await
        .unwrap();
        (waiting >= i64::try_from(count).unwrap()).then_some(())
    })
    .await;
    calls.abort();
    held.rollback().await.unwrap();
}

/// Waits until at most the prober has used a connection within the last second.
async fn until_idle(url: &str, count: usize) {
    let mut db = PgConnection::connect(url).await.unwrap();
    let mut seen = 0;
    while seen < i64::try_from(count).unwrap() {
        seen = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name = 'befriend'
               and state = 'idle' and state_change < clock_timestamp() - interval '1.2 s'",
        )
        .fetch_one(&mut db)
        .await
        .unwrap();
    }
}

async fn run(url: &str, sql: &str) {
    let mut db = PgConnection::connect(url).await.unwrap();
    db.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    db.close().await.unwrap();
}

/// Lets every change of friends fail with this error code.
async fn fail_writes(url: &str, table: &str, code: &str) {
    let sql = format!(
        "create function fail() returns trigger language plpgsql as
         $$ begin raise exception 'as the test wants' using errcode = '{code}'; end $$;
         create trigger fail before insert or update on {table} for each row execute function fail()"
    );
    run(url, &sql).await;
}

async fn let_writes(url: &str) {
    run(url, "drop function fail() cascade").await;
}

#[track_caller]
fn is_outage<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let details = expect_error(answer, Code::Unavailable, "UNAVAILABLE");
    assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()), "{details:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_calls_after_a_firewall_forgot_all_connections_succeed_soon() {
    let database = postgres::fresh_database().await;
    let proxy = Proxy::to(&database).await;
    let (app, tenant) = behind(&proxy, &database).await;
    open_connections(&app, &tenant, 10).await;
    tenant.head("bob").await.unwrap();
    tenant.create(&names("user", 12).iter().map(String::as_str).collect::<Vec<_>>()).await;
    until_idle(&database, 8).await;
    proxy.forget();
    let begun = Instant::now();
    let answers = race(12, |number| {
        let tenant = tenant.clone();
        async move { tenant.head(&format!("user{number:03}")).await }
    })
    .await;
    for answer in answers {
        answer.unwrap();
    }
    assert!(begun.elapsed() < FIRST_CALL, "{:?}", begun.elapsed());
    let begun = Instant::now();
    tenant.befriend("user000", "user001").await.unwrap();
    assert!(begun.elapsed() < FIRST_CALL, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_on_a_connection_that_was_just_used_is_not_held_up_either() {
    let database = postgres::fresh_database().await;
    let proxy = Proxy::to(&database).await;
    let (_app, tenant) = behind(&proxy, &database).await;
    tenant.befriend("alice", "bob").await.unwrap();
    proxy.forget();
    let begun = Instant::now();
    // The prober notices within two seconds: it asks every second, and waits a second for its answer.
    tenant.remark("alice", "bob", "soon").await.unwrap();
    assert!(begun.elapsed() < FIRST_CALL, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_at_once_while_the_database_is_away_and_succeed_when_it_is_back() {
    let database = postgres::fresh_database().await;
    let proxy = Proxy::to(&database).await;
    let (app, tenant) = behind(&proxy, &database).await;
    proxy.refuse().await;
    let begun = Instant::now();
    is_outage(tenant.befriend("alice", "bob").await);
    // One acquire timeout, not four.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    until_health(&app, "", ServingStatus::NotServing).await;
    assert_eq!(health(&app, "database").await, ServingStatus::NotServing);
    for _ in 0..20 {
        let begun = Instant::now();
        is_outage(tenant.befriend("alice", "bob").await);
        is_outage(tenant.head("alice").await);
        assert!(begun.elapsed() < 2 * FAST, "{:?}", begun.elapsed());
    }
    proxy.allow().await;
    let begun = Instant::now();
    until("a write", async || tenant.befriend("alice", "bob").await.ok()).await;
    assert!(begun.elapsed() < FAILOVER, "{:?}", begun.elapsed());
    until_health(&app, "", ServingStatus::Serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_vanished_holds_a_call_up_no_longer_than_it_takes_to_find_out() {
    let database = postgres::fresh_database().await;
    let proxy = Proxy::to(&database).await;
    let (app, tenant) = behind(&proxy, &database).await;
    proxy.vanish();
    let begun = Instant::now();
    is_outage(tenant.befriend("alice", "bob").await);
    // The prober's second between two probes, one for its own answer, two for a new connection.
    assert!(begun.elapsed() < FAILOVER, "{:?}", begun.elapsed());
    until_health(&app, "", ServingStatus::NotServing).await;
    let begun = Instant::now();
    is_outage(tenant.head("alice").await);
    assert!(begun.elapsed() < FAST, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_at_the_next_host_of_the_url_when_the_first_one_vanishes() {
    let database = postgres::fresh_database().await;
    let (first, second) = (Proxy::to(&database).await, Proxy::to(&database).await);
    let hosts = format!("{},{}", first.address, second.address);
    let url = first.url.replace(&first.address, &hosts) + "&target_session_attrs=read-write";
    let (app, tenant) = between(&url, &database, &["--deliver", "false"]).await;
    first.vanish();
    let begun = Instant::now();
    until("a write", async || tenant.befriend("alice", "bob").await.ok()).await;
    assert!(begun.elapsed() < FAILOVER, "{:?}", begun.elapsed());
    second.refuse().await;
    until_health(&app, "", ServingStatus::NotServing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_not_serving_until_it_takes_them() {
    let database = postgres::fresh_database().await;
    let (app, tenant) = on(&database).await;
    let name = database.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    // As a server that was demoted and restarted: its sessions end, and new ones are read-only.
    run(&database, &format!("alter database {name} set default_transaction_read_only = on")).await;
    postgres::end_sessions(&database).await;
    until_health(&app, "", ServingStatus::NotServing).await;
    assert_eq!(health(&app, "database.writes").await, ServingStatus::NotServing);
    let begun = Instant::now();
    is_outage(tenant.befriend("alice", "bob").await);
    assert!(begun.elapsed() < FAST, "{:?}", begun.elapsed());
    let promote = format!(
        "begin read write;
         alter database {name} reset default_transaction_read_only;
         commit"
    );
    run(&database, &promote).await;
    let begun = Instant::now();
    until("a write", async || tenant.befriend("alice", "bob").await.ok()).await;
    assert!(begun.elapsed() < FAILOVER, "{:?}", begun.elapsed());
}

async fn sessions(app: &TestApp) -> Vec<i32> {
    sqlx::query_scalar(
        "select pid from pg_stat_activity
         where datname = current_database() and application_name = 'befriend'
           and query not like '-- connector.role%'",
    )
    .fetch_all(app.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_used_again_after_one_of_them_was_read_only() {
    let database = postgres::fresh_database().await;
    let (app, tenant) = on(&database).await;
    open_connections(&app, &tenant, 4).await;
    let before = sessions(&app).await;
    assert!(before.len() > 3, "{before:?}");
    fail_writes(&database, "friends", "25006").await;
    is_outage(tenant.befriend("alice", "bob").await);
    let_writes(&database).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let users = names("user", 8);
    tenant.create(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // As many calls at once as there were connections.
    until("the end of the old sessions", async || {
        race(8, |number| {
            let tenant = tenant.clone();
            async move { tenant.head(&format!("user{number:03}")).await.unwrap() }
        })
        .await;
        let now = sessions(&app).await;
        (!before.iter().any(|pid| now.contains(pid))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_is_not_serving_until_there_is_room() {
    let database = postgres::fresh_database().await;
    let (app, tenant) = on(&database).await;
    fail_writes(&database, "friends", "53100").await;
    let refused = tenant.befriend("alice", "bob").await;
    assert!(refused.as_ref().unwrap_err().message().contains("disk"), "{refused:?}");
    is_outage(refused);
    until_health(&app, "", ServingStatus::NotServing).await;
    assert_eq!(health(&app, "database").await, ServingStatus::Serving, "it still answers reads");
    assert_eq!(health(&app, "database.writes").await, ServingStatus::NotServing);
    tenant.head("alice").await.unwrap();
    let_writes(&database).await;
    until_health(&app, "", ServingStatus::Serving).await;
    tenant.befriend("alice", "bob").await.unwrap();
}

#[tokio::test]
async fn errors_that_pass_are_unavailable_to_the_caller() {
    let database = postgres::fresh_database().await;
    let (_app, tenant) = on(&database).await;
    for code in ["25P04", "53200", "57P05", "58030"] {
        fail_writes(&database, "friends", code).await;
        is_outage(tenant.befriend("alice", "bob").await);
        let_writes(&database).await;
    }
    fail_writes(&database, "friends", "42501").await;
    let refused = tenant.befriend("alice", "bob").await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    assert!(refused.get_error_details().error_info().is_some());
}

#[tokio::test]
async fn every_error_code_of_postgres_has_its_answer() {
    let mut db = PgConnection::connect(&postgres::fresh_database().await).await.unwrap();
    let mut wrong = Vec::new();
    let table = include_str!("sqlstates.txt");
    for line in table.lines() {
        let (code, rest) = line.split_once(' ').unwrap();
        let raise = format!("do $$ begin raise exception 'no' using errcode = '{code}'; end $$");
        let error: Error = db.execute(AssertSqlSafe(raise)).await.unwrap_err().into();
        let status = Status::from(error).code();
        let answer = match status {
            Code::Unavailable => "UNAVAILABLE",
            Code::Aborted => "ABORTED",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::Internal => "INTERNAL",
            _ => "another code",
        };
        if !rest.starts_with(&format!("{answer} ")) {
            wrong.push(format!("{line}: {answer}"));
        }
    }
    assert!(table.lines().count() > 250, "the whole table");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_an_instance_that_is_frozen_do_not_stop_others() {
    let database = postgres::fresh_database().await;
    let (app, tenant) = on(&database).await;
    // A transaction of the service that does not go on: its instance is frozen.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let mut frozen = app.core.db.begin(deadline).await.unwrap();
    frozen.execute("select from users where username = 'alice' for update").await.unwrap();
    tenant.befriend("alice", "bob").await.unwrap();
    drop(frozen);
}

#[tokio::test(flavor = "multi_thread")]
async fn background_work_that_fails_again_and_again_is_told_by_the_health() {
    let database = postgres::fresh_database().await;
    let (app, tenant) = between(&database, &database, &["--callback-lease", "300ms"]).await;
    until_health(&app, "callbacks", ServingStatus::Serving).await;
    fail_writes(&database, "outbox_leases", "42501").await;
    until_health(&app, "callbacks", ServingStatus::NotServing).await;
    assert_eq!(health(&app, "").await, ServingStatus::Serving, "calls succeed");
    tenant.befriend("alice", "bob").await.unwrap();
    let_writes(&database).await;
    until_health(&app, "callbacks", ServingStatus::Serving).await;
}
