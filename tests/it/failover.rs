//! A real standby takes over from a primary that is killed, and writes go on.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use befriend::{
    clock::Clock,
    private_postgres::{Life, PrivatePostgres, Settings},
    store,
};
use nix::{
    sys::signal::Signal,
    unistd::{Gid, Uid, chown},
};
use sqlx::{Connection as _, PgConnection};
use tonic::Code;

use crate::support::{
    TestApp,
    process::{Folder, signal},
    receiver::until,
};

/// How soon writes go on after the standby was promoted.
const FAILOVER: Duration = Duration::from_secs(5);

async fn start(data: &Path) -> PrivatePostgres {
    let settings = Settings {
        data_dir: data.to_owned(),
        start_timeout: Duration::from_secs(60),
        fsync: false,
        max_connections: 50,
        life: Life::Kept,
    };
    tokio::task::spawn_blocking(move || PrivatePostgres::start(&settings)).await.unwrap().unwrap()
}

/// The folder of the server's programs, which holds pg_basebackup too.
fn programs(version: u16) -> PathBuf {
    let given = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| format!("/usr/lib/postgresql/{version}/bin").into())
}

/// Copies the primary's cluster into the folder of a standby, which follows the primary from its start on.
fn copy_cluster(primary: &PrivatePostgres, from: &Folder, to: &Folder) {
    let cluster = from.cluster();
    let owner = fs::metadata(&cluster).unwrap();
    fs::create_dir_all(to.data()).unwrap();
    let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    chown(&to.data(), Some(user), Some(group)).unwrap();
    let copy = to.data().join(cluster.file_name().unwrap());
    let mut command = Command::new(programs(primary.version()).join("pg_basebackup"));
    command.current_dir("/").uid(owner.uid()).gid(owner.gid());
    command.arg("-h").arg(from.data().join("socket")).arg("-D").arg(copy);
    command.args(["-p", "5432", "-U", "postgres", "--write-recovery-conf", "--checkpoint=fast"]);
    let output = command.arg("--no-sync").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The host of a URL: "%2Fvar%2F…:5432".
fn host(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

async fn ask<T>(url: &str, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let mut db = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_at_a_standby_that_is_promoted_after_its_primary_was_killed() {
    let (one, two) = (Folder::new(), Folder::new());
    let primary = start(&one.data()).await;
    store::migrate(primary.url()).await.unwrap();
    copy_cluster(&primary, &one, &two);
    let standby = start(&two.data()).await;
    let alone = store::migrate(standby.url()).await.unwrap_err();
    assert!(alone.to_string().contains("takes no writes"), "{alone}");

    // The standby is named first, and passed over.
    let both = format!("{},{}", host(standby.url()), host(primary.url()));
    let url = standby.url().replace(host(standby.url()), &both);
    let app = TestApp::between(&url, primary.url(), &[], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    until("the standby to follow", async || {
        let rows: i64 = ask(standby.url(), "select count(*) from friends").await;
        (rows == 2).then_some(())
    })
    .await;

    signal(i32::try_from(primary.server_pid()).unwrap(), Signal::SIGQUIT);
    until("calls to fail", async || tenant.befriend("alice", "carol").await.err()).await;
    let superuser = standby.url().replace("://befriend@", "://postgres@");
    assert!(ask::<bool>(&superuser, "select pg_promote()").await);
    let promoted = Instant::now();
    let answer = until("an answer that is no outage", async || {
        let answer = tenant.befriend("alice", "carol").await;
        let outage = answer.as_ref().is_err_and(|status| status.code() == Code::Unavailable);
        (!outage).then_some(answer)
    });
    answer.await.unwrap();
    assert!(promoted.elapsed() < FAILOVER, "{:?}", promoted.elapsed());
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "carol"], "nothing is lost");
}
