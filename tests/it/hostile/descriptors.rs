//! A process with few file descriptors: it says what it can take, and serves.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use crate::support::{
    app::{OPERATOR_TOKEN, tenant_on},
    postgres, process,
};

/// `befriend serve` after this command of the shell.
fn serve_after(shell: &str, arguments: &[&str], database: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{shell} && exec \"$@\"");
    command.args(["-c", &script, "sh", process::BINARY, "--listen", "127.0.0.1:0"]);
    command.args(["--database-url", database, "--operator-token", OPERATOR_TOKEN]);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

#[tokio::test]
async fn the_limit_of_descriptors_is_raised_to_what_it_may_be() {
    let database = postgres::fresh_database().await;
    let service = process::Service::spawn(serve_after("ulimit -S -n 64", &[], &database));
    service.address();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", service.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (soft, hard) = (numbers.next().unwrap(), numbers.next().unwrap());
    assert_eq!(soft, hard.min(1 << 20), "{line}");
    service.stop().await;
}

#[tokio::test]
async fn with_few_descriptors_callers_and_the_database_have_what_they_need() {
    let database = postgres::fresh_database().await;
    let flags = ["--db-connections", "4"];
    let service = process::Service::spawn(serve_after("ulimit -n 96", &flags, &database));
    let address = service.address();
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let limits = befriend::proto::AppLimits::default();
    let calls = async {
        let tenant = tenant_on(service.channel(), OPERATOR_TOKEN, "acme#chat", limits).await;
        tenant.create(&["alice", "bob"]).await;
        tenant.befriend("alice", "bob").await.unwrap();
        assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    };
    timeout(Duration::from_secs(60), calls).await.expect("callers are served");
    service.signal(nix::sys::signal::Signal::SIGTERM);
    let (status, printed) = service.end().await;
    assert!(status.success(), "{printed}");
    for lie in ["not serving: the database", "has ended", "can't be taken"] {
        assert!(!printed.contains(lie), "{printed}");
    }
    drop(silent);
}

#[tokio::test]
async fn more_connections_than_descriptors_are_refused_as_a_setting() {
    let database = postgres::fresh_database().await;
    let mut command = serve_after("ulimit -n 256", &["--max-connections", "1000"], &database);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("--max-connections") && said.contains("256"), "{said}");
}
