//! What commands at the console leave in the audit, and `befriend audit list`.

use std::{fs, process::Output, sync::Arc};

use befriend::{
    clock::Clock,
    domain::{ActorKind, AppKey, Author, Extension, Nickname, Username},
    ops::{Call, Context, access::apps, blocks, friends, users},
    proto,
    trace::Trace,
};
use tempfile::TempDir;
use time::macros::datetime;

use super::{actions, all, by, json};
use crate::support::{TestApp, binary, tenant::acme};

/// Runs a command on the database of `app`; returns what it printed.
#[track_caller]
fn run(app: &TestApp, arguments: &[&str]) -> String {
    let output = try_to_run(app, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn try_to_run(app: &TestApp, arguments: &[&str]) -> Output {
    binary::run(&[arguments, &["--database-url", &app.database_url]].concat())
}

#[tokio::test]
async fn a_change_at_the_console_is_recorded_with_user_and_host() {
    let (app, _tenant) = acme(&[]).await;
    run(&app, &["app", "update", "acme#chat", "--friend-limit", "9"]);
    run(&app, &["token", "acme#chat"]);
    run(&app, &["app", "rotate-secret", "acme#chat", "--revoke-tokens"]);
    run(&app, &["operator", "create", "alice", "--role", "support"]);
    run(&app, &["operator", "revoke", "alice"]);
    run(&app, &["app", "delete", "acme#chat", "--yes"]);
    let events = app.audit(by(proto::ActorKind::Console, "")).await;
    let expected = [
        "AppService/DeleteApp",
        "OperatorTokenService/RevokeOperatorToken",
        "OperatorTokenService/CreateOperatorToken",
        "AppService/RotateClientSecret",
        "TokenService/IssueToken",
        "AppService/UpdateApp",
    ];
    assert_eq!(actions(&events), expected);
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap();
    let user = user.map_or_else(|| format!("uid {}", nix::unistd::Uid::effective()), |u| u.name);
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    for event in &events {
        assert_eq!((&event.actor_name, &event.origin), (&user, &host));
    }
    assert_eq!(json(&events[5].after), serde_json::json!({ "friend_limit": 9 }));
    let replaced = serde_json::json!({ "client_secret": "replaced", "tokens_revoked": true });
    assert_eq!(json(&events[3].after), replaced);
    assert_eq!(events[2].target, "alice");
}

#[tokio::test]
async fn the_user_who_used_sudo_is_recorded() {
    let (app, _tenant) = acme(&[]).await;
    let arguments = ["app", "update", "acme#chat", "--database-url", &app.database_url];
    let mut command = binary::command(&arguments);
    let output = command.env("SUDO_USER", "carol\n").output().unwrap();
    assert!(output.status.success());
    let events = app.audit(by(proto::ActorKind::Console, "")).await;
    if nix::unistd::Uid::effective().is_root() {
        assert_eq!(events[0].actor_name, "root (carol)");
    } else {
        assert!(!events[0].actor_name.contains("carol"), "only root is somebody else's sudo");
    }
}

#[tokio::test]
async fn an_import_is_recorded_when_it_begins_and_when_it_ends() {
    let (app, _tenant) = acme(&[]).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.jsonl");
    fs::write(&file, "{\"username\":\"alice\"}\n{\"username\":\"bob\"}\n").unwrap();
    let file = file.to_str().unwrap();
    try_to_run(&app, &["import", "files", "acme#chat", file, "--dry-run"]);
    assert!(app.audit(by(proto::ActorKind::Console, "")).await.is_empty(), "nothing was written");
    run(&app, &["import", "files", "acme#chat", file]);
    let events = app.audit(by(proto::ActorKind::Console, "")).await;
    assert_eq!(actions(&events), ["Console/EndImport", "Console/BeginImport"]);
    let asked = serde_json::json!({ "files": 1, "overwrite": false });
    assert_eq!(json(&events[1].after), asked);
    assert_eq!(json(&events[0].after)["users"]["added"], 2);
    assert_eq!(events[0].app_key, "acme#chat");
}

#[tokio::test]
async fn the_list_at_the_console_is_a_table_whose_times_from_takes_back() {
    let clock = Clock::stopped_at(datetime!(2026-11-21 12:00:00.25 UTC));
    let app = TestApp::with(&[], clock.clone()).await;
    app.operator("alice", proto::OperatorRole::Admin).await;
    clock.advance(time::Duration::MINUTE);
    app.tenant("acme#chat").await;
    let printed = run(&app, &["audit", "list"]);
    let lines: Vec<Vec<&str>> =
        printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let header = ["TIME", "ACTOR", "FROM", "ACTION", "APP", "TARGET", "BEFORE", "AFTER"];
    assert_eq!(lines[0], header);
    assert_eq!(lines.len(), 4, "{printed}");
    let last = [
        "2026-11-21T12:00:00.25Z",
        "root",
        "127.0.0.1",
        "OperatorTokenService/CreateOperatorToken",
        "-",
        "alice",
        "{}",
        r#"{"role":"admin","expires_at":null}"#,
    ];
    assert_eq!(lines[3], last);
    let count = |arguments: &[&str]| {
        run(&app, &[&["audit", "list"], arguments].concat()).lines().count() - 1
    };
    assert_eq!(count(&["--to", "2026-11-21T12:00:00.25Z"]), 0);
    assert_eq!(count(&["--from", "2026-11-21T12:00:00.25Z"]), 3);
    assert_eq!(count(&["--from", "2026-11-21T12:00:01Z"]), 2);
    assert_eq!(count(&["--actor", "root"]), 2);
    assert_eq!(count(&["--actor", "app"]), 1);
    assert_eq!(count(&["--actor", "operator:alice"]), 0);
    assert_eq!(count(&["--app", "acme#chat", "--action", "AppService/CreateApp"]), 1);
    assert_eq!(count(&["--limit", "1"]), 1);
    assert!(!try_to_run(&app, &["audit", "list", "--actor", "nobody"]).status.success());
    assert_eq!(app.audit(all()).await.len(), 3, "to list is no change");
}

#[tokio::test]
async fn what_others_than_the_app_change_in_lists_and_profiles_is_recorded_too() {
    let (app, _tenant) = acme(&["alice", "bob"]).await;
    let key = AppKey::parse("app_key", "acme#chat").unwrap();
    let found = Arc::new(apps::get(&app.core, &key).await.unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let trace = Trace::NONE;
    let context = Context { core: Arc::clone(&app.core), app: found, deadline, trace };
    let (name, origin) = ("carol".to_owned(), "a-host".to_owned());
    let call = Call::alone(context, Author { kind: ActorKind::Console, name, origin });
    let [alice, bob, dave] =
        ["alice", "bob", "dave"].map(|name| Username::parse("username", name).unwrap());
    let nickname = Nickname::parse("nickname", "Dave").unwrap();

    users::create(&call, &[(dave.clone(), nickname.clone())]).await.unwrap();
    users::set_nickname(&call, &dave, &nickname).await.unwrap();
    users::set_activated(&call, &dave, false).await.unwrap();
    friends::add(&call, &alice, &bob, &Extension::default()).await.unwrap();
    friends::add(&call, &alice, &bob, &Extension::default()).await.unwrap();
    friends::remove(&call, &alice, &bob, false).await.unwrap();
    friends::remove(&call, &alice, &bob, false).await.unwrap();
    blocks::block(&call, &alice, std::slice::from_ref(&bob)).await.unwrap();
    blocks::unblock(&call, &alice, &bob).await.unwrap();
    users::delete(&call, &dave).await.unwrap();
    friends::add(&call, &alice, &dave, &Extension::default()).await.unwrap_err();

    let events = app.audit(by(proto::ActorKind::Console, "carol")).await;
    let expected = [
        "UserService/DeleteUser",
        "BlockService/UnblockUser",
        "BlockService/BlockUsers",
        "FriendService/RemoveFriend",
        "FriendService/RemoveFriend",
        "FriendService/AddFriend",
        "FriendService/AddFriend",
        "UserService/DeactivateUser",
        "UserService/UpdateUser",
        "UserService/CreateUser",
    ];
    assert_eq!(actions(&events), expected);
    let told = |at: usize| (events[at].target.as_str(), json(&events[at].after));
    assert_eq!(told(6), ("alice", serde_json::json!({ "friend": "bob" })));
    assert_eq!(told(2), ("alice", serde_json::json!({ "usernames": ["bob"] })));
    assert_eq!(told(9), ("dave", serde_json::json!({ "nickname": "Dave" })));
    assert_eq!(json(&events[3].before), serde_json::json!({ "friend": "bob" }));
    crate::support::invariants::hold(app.pool()).await;
}
