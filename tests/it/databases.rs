//! Databases that the service can't work on are refused at the start, by every command alike, and told for
//! what they are; and a role that does not own the tables is enough to serve.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use befriend::{clock::Clock, server::upkeep, store};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use time::macros::datetime;

use crate::support::{
    TestApp, binary, postgres,
    race::race,
    receiver::{Receiver, rule_to},
};

/// A start that can't succeed ends sooner than one that waits for the database.
const AT_ONCE: Duration = Duration::from_secs(15);

/// What each command says about this database. None of them succeeds.
async fn refusals(url: &str) -> Vec<String> {
    let commands: [&[&str]; 4] =
        [&["migrate"], &["serve", "--listen", "127.0.0.1:0"], &["app", "list"], &["token", "a#b"]];
    let mut said = Vec::new();
    for command in commands {
        let arguments = [command, &["--database-url", url]].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let begun = Instant::now();
        let output = tokio::task::spawn_blocking(move || {
            binary::run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let output = output.await.unwrap();
        assert!(!output.status.success(), "{command:?} succeeds");
        assert!(begun.elapsed() < AT_ONCE, "{command:?} waits");
        said.push(String::from_utf8(output.stderr).unwrap());
    }
    said
}

async fn every_command_says(url: &str, parts: &[&str]) {
    for said in refusals(url).await {
        for part in parts {
            assert!(said.contains(part), "no {part:?} in: {said}");
        }
    }
}

async fn run(url: &str, sql: &str) {
    let mut db = PgConnection::connect(url).await.unwrap();
    db.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_database_that_can_not_keep_every_name_is_refused() {
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let url = postgres::database_with(&format!(
            "encoding '{encoding}' lc_collate 'C' lc_ctype 'C' template template0"
        ))
        .await;
        every_command_says(&url, &[encoding, "UTF8"]).await;
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let url = postgres::empty_database().await;
    run(
        &url,
        "create table _sqlx_migrations (
             version bigint primary key, description text not null,
             installed_on timestamptz not null default now(), success boolean not null,
             checksum bytea not null, execution_time bigint not null
         );
         insert into _sqlx_migrations values (20230101120000, 'users', now(), true, 'x', 1)",
    )
    .await;
    every_command_says(&url, &["another program", "20230101120000"]).await;
}

#[tokio::test]
async fn a_url_that_is_none_of_postgres_is_told_for_what_it_is() {
    for (url, said) in [
        ("jdbc:postgresql://h/x", "Java"),
        ("mysql://u:s3cret@h/x", "mysql"),
        ("postgres://u:s3/cret@h/x", "%2F"),
    ] {
        every_command_says(url, &["--database-url", said]).await;
    }
}

#[tokio::test]
async fn a_role_or_a_database_that_is_missing_ends_the_start_at_once() {
    let url = postgres::fresh_database().await;
    let (front, rest) = url.split_once("://").unwrap();
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let host = rest.split_once('/').unwrap().0.replace("%2F", "/");
    let nobody = format!("{front}://nobody_of_this_name@{rest}");
    every_command_says(&nobody, &["nobody_of_this_name", &host]).await;
    let name = url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let nowhere = url.replace(&format!("/{name}"), "/no_such_database");
    every_command_says(&nowhere, &["no_such_database", &host]).await;
}

#[tokio::test]
async fn a_start_that_waits_for_its_database_ends_at_the_first_signal() {
    let url = "postgres://befriend@127.0.0.1:1/befriend";
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database-url", url, "--db-wait", "1h"];
    let mut service = binary::command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(service.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting for the database")));
    let pid = Pid::from_raw(i32::try_from(service.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(lines.any(|line| line.unwrap().contains("stopped before the database was ready")));
    assert!(service.wait().unwrap().success());
}

#[tokio::test]
async fn grants_that_are_missing_are_named() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    every_command_says(&as_role, &[&role, "select on _sqlx_migrations"]).await;
    let grants = format!(
        "grant select on all tables in schema public to {role};
         grant insert, update, delete on all tables in schema public to {role};
         revoke insert on users from {role}"
    );
    run(&url, &grants).await;
    every_command_says(&as_role, &[&role, "insert on users", "docs/database.md"]).await;
}

#[tokio::test]
async fn a_role_that_sees_no_schema_or_may_make_no_tables_is_told_so() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    run(&url, "revoke usage on schema public from public").await;
    every_command_says(&as_role, &[&role, "may use no schema", "grant usage"]).await;
    // An empty database of somebody else.
    let url = postgres::database_with("template template0").await;
    let (role, as_role) = postgres::plain_role(&url).await;
    for said in &refusals(&as_role).await[..2] {
        assert!(said.contains(&role) && said.contains("create on schema public"), "{said}");
    }
}

#[tokio::test]
async fn tables_of_another_program_and_tables_that_are_gone_are_told_apart() {
    let url = postgres::database_with("template template0").await;
    run(&url, "create table users (id integer)").await;
    for said in &refusals(&url).await[..2] {
        assert!(said.contains("a table users that befriend did not make"), "{said}");
    }
    let url = postgres::database_with("template template0").await;
    run(&url, "create table _sqlx_migrations (id integer)").await;
    every_command_says(&url, &["_sqlx_migrations is another program's"]).await;
    let url = postgres::fresh_database().await;
    run(&url, "drop table tokens").await;
    every_command_says(&url, &["tables are missing", "tokens"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_share_the_connections_for_which_the_server_has_room() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    let grants =
        format!("grant select, insert, update, delete on all tables in schema public to {role}");
    run(&url, &grants).await;
    let flags = ["--deliver", "false", "--db-connections", "10"];
    let app = TestApp::between(&as_role, &url, &flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    postgres::limit_connections(&role, 4).await;
    let answers = race(16, |_| {
        let tenant = tenant.clone();
        async move {
            for _ in 0..20 {
                tenant.remark("alice", "bob", "no friend").await.unwrap_err();
                tenant.friends_of("alice").await?;
            }
            Ok::<_, tonic::Status>(())
        }
    })
    .await;
    for answer in answers {
        answer.unwrap();
    }
}

#[tokio::test]
async fn a_role_that_owns_no_table_serves_delivers_and_removes_old_events() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    let grants =
        format!("grant select, insert, update, delete on all tables in schema public to {role}");
    run(&url, &grants).await;
    store::migrate(&as_role).await.unwrap();
    store::require_current(&as_role).await.unwrap();
    let clock = Clock::stopped_at(datetime!(2026-11-22 12:00 UTC));
    let app = TestApp::between(&as_role, &url, &[], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let mut receiver = Receiver::start().await;
    app.rule(rule_to(&receiver.url)).await;
    tenant.befriend("alice", "bob").await.unwrap();
    receiver.next().await;
    app.until_all_is_settled().await;
    assert_eq!(kept(&app).await, 1);
    // An owner's instance beside it makes no partition for a day that has such events.
    let owner = TestApp::on(&url, &["--deliver", "false"], clock.clone()).await;
    upkeep::round(&owner.core).await;
    tenant.unfriend("alice", "bob").await.unwrap();
    receiver.next().await;
    app.until_all_is_settled().await;
    assert_eq!(kept(&app).await, 2);
    clock.advance(time::Duration::days(10));
    upkeep::round(&app.core).await;
    assert_eq!(kept(&app).await, 0, "the retention is over");
}

/// How many finished events are in no partition of a day.
async fn kept(app: &TestApp) -> i64 {
    let count = sqlx::query_scalar("select count(*) from event_history_rest");
    count.fetch_one(app.pool()).await.unwrap()
}
