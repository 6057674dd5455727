//! Long commands at the console stop in order when a signal asks them to, also when their terminal is gone.

use std::{fs, os::unix::process::CommandExt as _, process::Command};

use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::support::{
    TestApp,
    process::{BINARY, Service, binary},
    tenant::acme,
};

/// The command with SIGHUP as a terminal starts it: whoever runs the tests may ignore it, as nohup does, and what is
/// ignored stays so in all processes that are started.
fn heeding_hang_ups(command: &Command) -> Command {
    let mut heeding = Command::new("env");
    heeding.env_clear();
    heeding.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    heeding.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    heeding
}

/// A session that holds up all who write or read a table.
async fn hold(app: &TestApp, table: &str) -> PgConnection {
    let mut holder = PgConnection::connect(&app.database_url).await.unwrap();
    let lock = format!("begin; lock table {table} in access exclusive mode");
    holder.execute(AssertSqlSafe(lock)).await.unwrap();
    holder
}

/// A folder with a user to import.
fn files() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("users.jsonl"), "{\"username\": \"carol\"}\n").unwrap();
    folder
}

#[tokio::test]
async fn an_import_and_an_export_stop_at_a_signal_and_say_how_to_go_on() {
    let (app, tenant) = acme(&["alice"]).await;
    let (from, to) = (files(), TempDir::new().unwrap());
    let (from, to) = (from.path().to_str().unwrap(), to.path().to_str().unwrap());
    let import = ["import", "files", "acme#chat", from];
    let export = ["export", "acme#chat", "--out", to];
    let holder = hold(&app, "users").await;
    for (arguments, begun, how) in [
        (&import[..], "reading ", "stopped; the same command goes on from here"),
        (&export, "exporting", "stopped; the same command exports again from the start"),
    ] {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
            let mut command = binary(arguments);
            command.args(["--database-url", &app.database_url]);
            let running = Service::spawn(heeding_hang_ups(&command));
            running.logs(begun);
            app.until_somebody_waits_for_a_lock().await;
            running.signal(signal);
            let (status, said) = running.end().await;
            assert_eq!(status.code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains(how), "{arguments:?} after {signal}: {said}");
        }
    }
    holder.close().await.unwrap();
    for arguments in [&import[..], &export] {
        let mut command = binary(arguments);
        command.args(["--database-url", &app.database_url]);
        let (status, said) = Service::spawn(command).end().await;
        assert!(status.success(), "{said}");
    }
    tenant.profile("carol").await.unwrap();
}

#[tokio::test]
async fn a_command_under_nohup_goes_on_without_its_terminal() {
    let (app, tenant) = acme(&[]).await;
    let folder = files();
    let holder = hold(&app, "users").await;
    let mut command = Command::new("nohup");
    command.arg(BINARY).args(["import", "files", "acme#chat", folder.path().to_str().unwrap()]);
    command.args(["--database-url", &app.database_url]).process_group(0);
    let running = Service::spawn(command);
    running.logs("reading ");
    app.until_somebody_waits_for_a_lock().await;
    running.signal(Signal::SIGHUP);
    // What stops an import stops it while it waits.
    holder.close().await.unwrap();
    let (status, said) = running.end().await;
    assert!(status.success(), "{said}");
    tenant.profile("carol").await.unwrap();
}
