//! The console: every noun of the API is reachable there, for people and for programs, and every command
//! says on which database it works.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{
    TestApp, binary,
    process::{self, Folder, Service},
    tenant::acme,
};

/// Runs a command; what it prints, and what it says on standard error.
#[track_caller]
fn run(mut command: Command) -> (String, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{command:?}: {said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}

/// What a command that fails says.
#[track_caller]
fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

fn on(app: &TestApp, arguments: &[&str]) -> Command {
    binary::command(&[arguments, &["--database-url", &app.database_url]].concat())
}

/// What a command prints as JSON.
#[track_caller]
fn read(app: &TestApp, arguments: &[&str]) -> Value {
    let (printed, _) = run(on(app, &[arguments, &["--output", "json"]].concat()));
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// The first columns of a table.
fn column(table: &str) -> Vec<&str> {
    table.lines().map(|line| line.split(' ').next().unwrap()).collect()
}

#[tokio::test]
async fn users_are_made_shown_changed_and_deleted() {
    let (app, tenant) = acme(&["alice"]).await;
    let made = read(&app, &["user", "create", "acme#chat", "Bob", "--nickname", "Bo\tb"]);
    assert_eq!((&made["username"], &made["activated"]), (&json!("bob"), &json!(true)));
    let (table, _) = run(on(&app, &["user", "list", "acme#chat"]));
    assert_eq!(column(&table), ["USERNAME", "alice", "bob"]);
    assert!(table.contains(r"Bo\tb"), "{table}");
    let (table, said) = run(on(&app, &["user", "list", "acme#chat", "--limit", "1"]));
    assert_eq!(column(&table), ["USERNAME", "alice"]);
    assert!(said.contains("more than these 1: --limit"), "{said}");

    tenant.befriend("alice", "bob").await.unwrap();
    read(&app, &["user", "update", "acme#chat", "bob", "--nickname", "Robert"]);
    read(&app, &["user", "deactivate", "acme#chat", "bob"]);
    let bob = read(&app, &["user", "get", "acme#chat", "bob"]);
    assert_eq!((&bob["nickname"], &bob["activated"]), (&json!("Robert"), &json!(false)));
    assert_eq!(bob["friend_count"], 1);
    read(&app, &["user", "activate", "acme#chat", "bob"]);

    assert!(fail(on(&app, &["user", "delete", "acme#chat", "bob"])).contains("--yes"));
    read(&app, &["user", "delete", "acme#chat", "bob", "--yes"]);
    let said = fail(on(&app, &["user", "get", "acme#chat", "bob"]));
    assert!(said.contains("bob"), "{said}");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn lists_and_relations_are_shown_and_changed() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let made = read(&app, &["friends", "add", "acme#chat", "alice", "bob"]);
    assert_eq!((&made["username"], &made["bidirectional"]), (&json!("bob"), &json!(true)));
    tenant.remark("alice", "bob", "from work").await.unwrap();
    let listed = read(&app, &["friends", "list", "acme#chat", "alice"]);
    assert_eq!(listed, json!([{"username": "bob", "remark": "from work"}]));
    assert_eq!(read(&app, &["friends", "get", "acme#chat", "bob", "alice"])["remark"], "");
    read(&app, &["blocks", "add", "acme#chat", "bob", "alice", "carol"]);
    let (table, _) = run(on(&app, &["blocks", "list", "acme#chat", "bob"]));
    assert_eq!(column(&table).len(), 3, "{table}");

    let relations = read(&app, &["relation", "check", "acme#chat", "alice", "bob", "carol"]);
    let expected = json!([
        {"username": "bob", "is_friend": true, "blocks": false, "blocked_by": true},
        {"username": "carol", "is_friend": false, "blocks": false, "blocked_by": false},
    ]);
    assert_eq!(relations, expected);
    read(&app, &["blocks", "remove", "acme#chat", "bob", "carol"]);
    assert_eq!(read(&app, &["blocks", "list", "acme#chat", "bob"]), json!([{"username": "alice"}]));
    read(&app, &["friends", "remove", "acme#chat", "alice", "bob"]);
    assert_eq!(read(&app, &["friends", "list", "acme#chat", "bob"]), json!([]));
    let (table, _) = run(on(&app, &["friends", "list", "acme#chat", "bob"]));
    assert_eq!(column(&table), ["USERNAME"], "the header alone");
}

#[tokio::test]
async fn callback_rules_are_made_shown_changed_and_deleted() {
    let (app, _) = acme(&[]).await;
    let (types, url) = ("friend.added,block.added", "https://example.com/in");
    let made = read(&app, &["rule", "create", "acme#chat", url, "--event-types", types]);
    let (rule, secret) = (made["rule_id"].as_str().unwrap(), made["signing_secret"].clone());
    assert!(secret.as_str().unwrap().starts_with("whsec_"), "{made}");
    let listed = read(&app, &["rule", "list", "acme#chat"]);
    assert_eq!(listed[0]["event_types"], json!(["friend.added", "block.added"]));
    assert_eq!(listed[0].get("signing_secret"), None, "it is shown once");

    read(&app, &["rule", "update", "acme#chat", rule, "--enabled", "false"]);
    let shown = read(&app, &["rule", "get", "acme#chat", rule]);
    assert_eq!((&shown["enabled"], &shown["url"]), (&json!(false), &json!(url)));
    let rotated = read(&app, &["rule", "rotate-secret", "acme#chat", rule]);
    assert_ne!(rotated["signing_secret"], secret);
    let folder = Folder::new();
    let bad = folder.0.join("ca.pem");
    fs::write(&bad, "no PEM").unwrap();
    let arguments = ["rule", "update", "acme#chat", rule, "--ca-certificates"];
    let said = fail(on(&app, &[&arguments[..], &[bad.to_str().unwrap()]].concat()));
    assert!(said.contains("--ca-certificates"), "{said}");

    assert!(fail(on(&app, &["rule", "delete", "acme#chat", rule])).contains("--yes"));
    read(&app, &["rule", "delete", "acme#chat", rule, "--yes"]);
    assert_eq!(read(&app, &["rule", "list", "acme#chat"]), json!([]));
}

#[tokio::test]
async fn requests_are_shown_by_direction_and_state() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "it's me").await.unwrap();
    tenant.ask("carol", "bob", "").await.unwrap();
    tenant.reject("carol", "bob", "").await.unwrap();
    let list = ["requests", "list", "acme#chat"];
    let all = read(&app, &[&list[..], &["bob"]].concat());
    let names = |said: &Value| {
        let rows = said.as_array().unwrap().iter();
        rows.map(|row| row["requester"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&all), ["carol", "alice"]);
    assert_eq!((&all[0]["state"], &all[1]["state"]), (&json!("rejected"), &json!("pending")));
    assert_eq!((&all[1]["message"], &all[1]["recipient"]), (&json!("it's me"), &json!("bob")));
    assert!(all[1]["expire_time"].is_string() && all[0]["expire_time"].is_null(), "{all}");
    let pending = read(&app, &[&list[..], &["bob", "--state", "pending"]].concat());
    assert_eq!(names(&pending), ["alice"]);
    assert_eq!(read(&app, &[&list[..], &["alice"]].concat()), json!([]));
    let sent = read(&app, &[&list[..], &["alice", "--direction", "outgoing"]].concat());
    assert_eq!(names(&sent), ["alice"]);
    let said = fail(on(&app, &[&list[..], &["nobody"]].concat()));
    assert!(said.contains("there is no user nobody"), "{said}");
}

#[tokio::test]
async fn tokens_are_issued_shown_and_revoked() {
    let (app, tenant) = acme(&["alice"]).await;
    let issued = read(&app, &["token", "acme#chat", "--ttl", "5m"]);
    let token = issued["token"].as_str().unwrap();
    let listed = read(&app, &["token", "list", "acme#chat"]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "the tenant's own, and this one: {listed}");
    assert!(!listed.to_string().contains(token));
    let (table, said) = run(on(&app, &["token", "list", "acme#chat", "--limit", "1"]));
    assert_eq!((column(&table).len(), said.contains("more than these 1")), (2, true), "{said}");
    // The newest is the first.
    let id = listed[0]["token_id"].as_str().unwrap();
    let other = tenant.with_token(token);
    read(&app, &["token", "revoke", "acme#chat", id]);
    other.profile("alice").await.unwrap_err();
    tenant.profile("alice").await.unwrap();
    let said = fail(on(&app, &["token", "revoke", "acme#chat", id]));
    assert!(said.contains("has no token"), "{said}");
    assert_eq!(read(&app, &["token", "list", "acme#chat"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_command_says_on_which_database_it_works_and_no_password() {
    let app = TestApp::start().await;
    let with_password = app.database_url.replacen('@', ":s3cret@", 1);
    for arguments in [&["app", "list"][..], &["migrate"], &["app", "create", "acme#chat"]] {
        let all = [arguments, &["--database-url", &with_password]].concat();
        let (printed, said) = run(binary::command(&all));
        let line = said.lines().next().unwrap();
        let place = line.strip_prefix("befriend: using postgres://").unwrap();
        assert!(with_password.contains(place.rsplit('/').next().unwrap()), "{line}");
        assert!(!said.contains("s3cret") && !printed.contains("using"), "{said}{printed}");
    }
}

#[tokio::test]
async fn a_command_joins_the_private_postgres_of_a_service_and_makes_none() {
    let folder = Folder::new();
    let data = folder.data();
    let list = || {
        let mut command = process::binary(&["app", "list", "--output", "json", "--data-dir"]);
        command.arg(&data);
        command
    };
    let said = fail(list());
    assert!(said.contains("no database is named by --database-url or DATABASE_URL"), "{said}");
    assert!(said.contains("no private Postgres runs in"), "{said}");
    assert!(!data.exists(), "nothing was made");

    let service = Service::start(&data);
    service.logs("serving");
    let mut create = process::binary(&["app", "create", "acme#chat", "--data-dir"]);
    create.arg(&data);
    let (_, said) = run(create);
    assert!(said.contains("using the private Postgres in"), "{said}");
    assert_eq!(serde_json::from_str::<Value>(&run(list()).0).unwrap()[0]["app_key"], "acme#chat");
    service.stop().await;
    folder.is_left_alone().await;
    assert!(fail(list()).contains("no private Postgres runs in"), "what has stopped stays so");
    assert!(folder.processes().is_empty());
}
