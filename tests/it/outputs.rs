//! What the commands do when their output is closed or full, and how they start where little is there.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, pipe},
    process::{Output, Stdio},
};

use befriend::proto;
use nix::sys::signal::Signal;

use crate::support::{
    TestApp,
    binary::command,
    http,
    process::{self, Folder, Service},
    tenant::acme,
};

/// A pipe that nobody reads, and a device that is always full.
fn bad_outputs() -> [(&'static str, Stdio); 2] {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    [("a closed pipe", writer.into()), ("a full device", full.into())]
}

/// Runs a command on the database of `app`, with each output that can't be written.
#[track_caller]
fn fail_to_print(app: &TestApp, arguments: &[&str]) {
    for bad in bad_outputs() {
        fail_to_print_to(app, arguments, bad);
    }
}

#[track_caller]
fn fail_to_print_to(app: &TestApp, arguments: &[&str], (what, stdout): (&str, Stdio)) {
    let mut command = command(&[&["--database-url", &app.database_url], arguments].concat());
    let Output { status, stderr, .. } = command.stdout(stdout).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{arguments:?} to {what}: {said}");
    assert!(said.contains("can't write to standard output"), "{arguments:?} to {what}: {said}");
    for wrong in ["panicked", "internal error"] {
        assert!(!said.contains(wrong), "{arguments:?} to {what}: {said}");
    }
}

async fn count(app: &TestApp, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(app.pool()).await.unwrap()
}

#[tokio::test]
async fn no_command_panics_on_an_output_that_cant_be_written() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    app.operator("alice", proto::OperatorRole::Admin).await;
    app.keep_events(&tenant).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let folder = Folder::new();
    let mut exported = String::new();
    for (at, bad) in bad_outputs().into_iter().enumerate() {
        exported = format!("{}/{at}", folder.0.display());
        fail_to_print_to(&app, &["export", "acme#chat", "--out", &exported], bad);
    }
    for arguments in [
        &["app", "list"][..],
        &["app", "get", "acme#chat"],
        &["app", "update", "acme#chat", "--friend-limit", "9"],
        &["audit", "list"],
        &["operator", "list"],
        &["events", "list", "acme#chat"],
        &["import", "files", "acme#chat", &exported],
        &["migrate"],
    ] {
        fail_to_print(&app, arguments);
    }
}

#[tokio::test]
async fn a_secret_that_cant_be_shown_is_not_made() {
    let (app, tenant) = acme(&[]).await;
    app.operator("alice", proto::OperatorRole::Admin).await;
    let tokens = "select count(*) from tokens";
    let before = count(&app, tokens).await;
    fail_to_print(&app, &["app", "create", "new#app"]);
    fail_to_print(&app, &["app", "rotate-secret", "acme#chat"]);
    fail_to_print(&app, &["token", "acme#chat"]);
    fail_to_print(&app, &["operator", "create", "carol", "--role", "admin"]);
    fail_to_print(&app, &["rule", "create", "acme#chat", "https://example.com/"]);
    for arguments in [
        &["app", "create", "new#app"][..],
        &["app", "rotate-secret", "acme#chat"],
        &["token", "acme#chat"],
        &["operator", "create", "carol", "--role", "admin"],
        &["rule", "create", "acme#chat", "https://example.com/"],
    ] {
        // What a shell closes, the runtime opens as the null device.
        let null = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
        fail_to_print_to(&app, arguments, ("a closed output", null.into()));
    }
    assert_eq!(count(&app, "select count(*) from callback_rules").await, 0);
    assert_eq!(count(&app, "select count(*) from operator_tokens").await, 1);
    assert_eq!(count(&app, "select count(*) from apps").await, 1);
    assert_eq!(count(&app, tokens).await, before);
    let records = "select count(*) from audit_events where actor_kind = 'console'";
    assert_eq!(count(&app, records).await, 0, "nothing was changed");
    let login = app.login(&tenant.app.client_id, &tenant.client_secret, None).await;
    login.expect("the old secret is valid");
}

#[tokio::test]
async fn a_receiver_whose_reader_is_gone_answers_all_the_same() {
    let (reader, writer) = pipe().unwrap();
    let mut command = command(&["receiver", "--listen", "localhost:0"]);
    let mut receiver = command.stdout(writer).spawn().unwrap();
    drop(command);
    let mut lines = BufReader::new(reader).lines();
    let line = lines.next().unwrap().unwrap();
    let url = line.strip_prefix("receiving callbacks on ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    drop(lines);
    for _ in 0..2 {
        assert_eq!(http::ask(url, "POST", "/", &[], b"{}").await.status, 200);
    }
    receiver.kill().unwrap();
    receiver.wait().unwrap();
}

#[tokio::test]
async fn a_service_starts_without_a_reader_listens_on_a_name_and_survives_a_hang_up() {
    let folder = Folder::new();
    let mut command = process::binary(&["--listen", "localhost:0", "--data-dir"]);
    command.arg(folder.data());
    let service = Service::spawn_unread(command);
    assert!(service.address().ip().is_loopback());
    service.logs("could not print");
    service.logs("serving");
    service.signal(Signal::SIGHUP);
    service.logs("read again");
    service.stop().await;
}

#[test]
fn a_start_without_a_database_and_a_folder_says_what_is_missing() {
    let output =
        command(&["--listen", "127.0.0.1:0", "--data-dir", "/proc/nowhere"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("DATABASE_URL"), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("befriend: no database is named"), "{said}");
    assert!(last.contains("/proc/nowhere"), "{said}");
}
