//! The commands of an operator, on the same database as a running service.

use std::process::Output;

use befriend::clock::Clock;

use crate::support::{Tenant, TestApp, binary, postgres};

/// Runs a command on a database; returns what it printed.
#[track_caller]
fn run(database: &str, arguments: &[&str]) -> String {
    let output = try_to_run(database, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn try_to_run(database: &str, arguments: &[&str]) -> Output {
    binary::run(&[arguments, &["--database-url", database]].concat())
}

/// The value of a line "name: value".
#[track_caller]
fn value<'a>(printed: &'a str, name: &str) -> &'a str {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {printed}"))
}

#[tokio::test]
async fn an_app_made_at_the_console_can_be_used_at_once() {
    let app = TestApp::start().await;
    let create = ["app", "create", "acme#chat", "--friend-limit", "7"];
    let created = run(&app.database_url, &create);
    assert_eq!(value(&created, "friend_limit"), "7");
    let (id, secret) = (value(&created, "client_id"), value(&created, "client_secret"));
    let issued = app.login(id, secret, None).await.unwrap();
    assert_eq!(issued.app_uuid, value(&created, "uuid"));

    let refused = try_to_run(&app.database_url, &create);
    assert!(!refused.status.success());
    let shown = run(&app.database_url, &["app", "get", "acme#chat"]);
    assert!(!shown.contains("client_secret"), "it is shown once");
    let listed = run(&app.database_url, &["app", "list"]);
    assert!(listed.starts_with("APP_KEY ") && listed.lines().count() == 2, "{listed}");
    assert!(listed.contains("acme#chat") && listed.contains(id), "{listed}");
}

#[tokio::test]
async fn a_token_made_at_the_console_is_a_token_of_its_app() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    let printed = run(&app.database_url, &["token", "acme#chat", "--ttl", "5m"]);
    let other: Tenant = tenant.with_token(printed.trim());
    other.create(&["alice"]).await;
    tenant.profile("alice").await.unwrap();
    assert!(!try_to_run(&app.database_url, &["token", "no#app"]).status.success());
    assert!(
        !try_to_run(&app.database_url, &["token", "acme#chat", "--ttl", "5s"]).status.success()
    );
}

#[tokio::test]
async fn limits_and_secrets_change_at_the_console() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    let updated = run(&app.database_url, &["app", "update", "acme#chat", "--block-limit", "9"]);
    assert_eq!((value(&updated, "block_limit"), value(&updated, "friend_limit")), ("9", "3000"));

    let rotated = run(&app.database_url, &["app", "rotate-secret", "acme#chat"]);
    app.login(&tenant.app.client_id, &tenant.client_secret, None).await.unwrap_err();
    let secret = value(&rotated, "client_secret");
    app.login(&tenant.app.client_id, secret, None).await.unwrap();
}

#[tokio::test]
async fn an_app_is_deleted_at_the_console_only_by_who_says_yes() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    assert!(!try_to_run(&app.database_url, &["app", "delete", "acme#chat"]).status.success());
    tenant.create(&["alice"]).await;
    run(&app.database_url, &["app", "delete", "acme#chat", "--yes"]);
    app.login(&tenant.app.client_id, &tenant.client_secret, None).await.unwrap_err();
    assert_eq!(run(&app.database_url, &["app", "list", "--output", "json"]), "[]\n");
}

#[tokio::test]
async fn an_empty_database_is_served_only_after_its_migration() {
    let database = postgres::empty_database().await;
    let serve = ["--listen", "127.0.0.1:0", "--migrate", "false"];
    let refused = try_to_run(&database, &serve);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("befriend migrate"), "{said}");

    run(&database, &["migrate"]);
    run(&database, &["migrate"]); // Again: nothing to do.
    let app = TestApp::on(&database, &[], Clock::system()).await;
    app.tenant("acme#chat").await.create(&["alice"]).await;
    let mut served =
        binary::Service::start(&[&serve[2..], &["--database-url", &database]].concat()).await;
    assert!(served.stop().await, "{}", served.logged);
}

#[tokio::test]
async fn the_health_command_tells_whether_a_service_serves() {
    let database = postgres::fresh_database().await;
    let mut service = binary::Service::start(&["--database-url", &database]).await;
    service.logs("serving").await;
    let healthy = binary::run(&["health", "--url", &service.url]);
    assert_eq!(String::from_utf8_lossy(&healthy.stdout), "SERVING\n");
    assert!(healthy.status.success());
    assert!(service.stop().await);
    assert!(!binary::run(&["health", "--url", &service.url]).status.success());
}
