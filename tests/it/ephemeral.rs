//! `serve --ephemeral`, with real processes: it says how to call it, it ends with its parent, and it leaves
//! nothing behind.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use befriend::proto;
use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions,
};
use tonic::transport::Endpoint;

use crate::support::{
    Tenant,
    app::tenant_on,
    postgres,
    process::{BINARY, Folder, binary, eventually, is_alive, signal},
};

/// A service that has said how to call it, or the shell that has started it.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: Value,
}

impl Run {
    /// Starts a service that keeps everything in this folder.
    fn start(folder: &Folder) -> Self {
        Self::spawn(folder, binary(&["serve", "--ephemeral"]))
    }

    fn spawn(folder: &Folder, mut command: Command) -> Self {
        let temporary = temporary(folder);
        fs::create_dir_all(&temporary).unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777)).unwrap();
        command.env("TMPDIR", temporary).env("XDG_CACHE_HOME", folder.0.join("cache"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{line:?}: {why}"));
        Self { input: child.stdin.take(), child, output, said }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.said["pid"].as_i64().unwrap()).unwrap()
    }

    /// The app that was made ready, by the token that was made with it.
    fn tenant(&self) -> Tenant {
        let app = &self.said["app"];
        let text = |name: &str| app[name].as_str().unwrap().to_owned();
        let channel = Endpoint::from_shared(self.said["url"].as_str().unwrap().to_owned());
        Tenant {
            channel: channel.unwrap().connect_lazy(),
            app: proto::App { app_key: text("app_key"), ..proto::App::default() },
            client_secret: text("client_secret"),
            token: text("access_token"),
        }
    }

    /// Asks the service to stop, and asserts that it ends well and has said nothing more.
    fn stop(mut self) {
        signal(self.pid(), Signal::SIGTERM);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), self.child.wait().unwrap().code()), ("", Some(0)));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn temporary(folder: &Folder) -> PathBuf {
    folder.0.join("tmp")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Waits until no process is left, and asserts that no file is.
async fn nothing_is_left(folder: &Folder) {
    eventually("the end of all files", async || names(&temporary(folder)).is_empty()).await;
    folder.is_left_alone().await;
}

/// The one template in the cache.
fn template(folder: &Folder) -> PathBuf {
    let templates = folder.0.join("cache/befriend/templates");
    let mut all = names(&templates);
    all.retain(|name| name != "lock");
    assert_eq!(all.len(), 1, "{all:?}");
    templates.join(&all[0])
}

#[tokio::test]
async fn an_ephemeral_befriend_says_in_one_line_how_to_call_it() {
    let folder = Folder::new();
    let run = Run::start(&folder);
    assert_eq!(run.said["version"], env!("CARGO_PKG_VERSION"));
    let address = run.said["address"].as_str().unwrap().to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(run.said["url"], format!("http://{address}"));
    let tenant = run.tenant();
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);

    let database: PgConnectOptions = run.said["database"].as_str().unwrap().parse().unwrap();
    let mut database = database.connect().await.unwrap();
    let users = sqlx::query_scalar::<_, i64>("select count(*) from users");
    assert_eq!(users.fetch_one(&mut database).await.unwrap(), 2);
    database.close().await.unwrap();

    let login = proto::IssueTokenRequest {
        client_id: run.said["app"]["client_id"].as_str().unwrap().to_owned(),
        client_secret: tenant.client_secret.clone(),
        ttl: None,
    };
    let issued = tenant.tokens().issue_token(login).await.unwrap().into_inner();
    assert_eq!(issued.app_uuid, run.said["app"]["app_uuid"].as_str().unwrap());
    let operator = run.said["operator_token"].as_str().unwrap();
    let limits = proto::AppLimits::default();
    let other = tenant_on(tenant.channel.clone(), operator, "acme#other", limits).await;
    other.create(&["alice"]).await;
    run.stop();
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn an_ephemeral_befriend_ends_when_its_parent_is_killed() {
    let folder = Folder::new();
    let mut shell = Command::new("sh");
    // Standard input is a pipe that stays open: only the parent's end tells.
    shell.args(["-c", "\"$0\" serve --ephemeral; :", BINARY]);
    let mut run = Run::spawn(&folder, shell);
    assert!(is_alive(run.pid()));
    run.child.kill().unwrap();
    eventually("the end of the service", async || !is_alive(run.pid())).await;
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn an_ephemeral_befriend_ends_with_its_standard_input() {
    let folder = Folder::new();
    let mut run = Run::start(&folder);
    drop(run.input.take());
    assert!(run.child.wait().unwrap().success());
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn a_killed_ephemeral_befriend_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut run = Run::start(&folder);
    run.child.kill().unwrap();
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn what_was_killed_with_its_watchdog_is_removed_by_the_next_start() {
    let folder = Folder::new();
    let mut run = Run::start(&folder);
    signal(folder.watchdog(), Signal::SIGKILL);
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    assert_eq!(names(&temporary(&folder)).len(), 1, "nobody was there to remove it");
    let next = Run::start(&folder);
    assert_eq!(names(&temporary(&folder)).len(), 1, "the folder of the first run is still there");
    next.stop();
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn two_first_starts_at_once_make_one_template_and_do_not_meet() {
    let folder = Folder::new();
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| Run::start(&folder));
        (Run::start(&folder), other.join().unwrap())
    });
    template(&folder);
    first.tenant().create(&["alice"]).await;
    // The second has none of the first one's users.
    second.tenant().create(&["alice"]).await;
    first.stop();
    second.tenant().head("alice").await.unwrap();
    second.stop();
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn a_broken_template_is_made_anew() {
    let folder = Folder::new();
    Run::start(&folder).stop();
    let template = template(&folder);
    let whole = || fs::read_to_string(template.join("whole")).unwrap();
    let control = template.join("cluster/global/pg_control");
    let first = whole();
    Run::start(&folder).stop();
    assert_eq!(whole(), first, "a template that works was made again");

    // Once a file is missing, and once Postgres can't read what is there.
    fs::remove_file(&control).unwrap();
    Run::start(&folder).stop();
    let second = whole();
    assert_ne!(second, first);
    let length = fs::metadata(&control).unwrap().len();
    fs::write(&control, vec![0; usize::try_from(length).unwrap()]).unwrap();
    let run = Run::start(&folder);
    assert_ne!(whole(), second);
    run.tenant().create(&["alice"]).await;
    run.stop();
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn a_server_that_is_given_has_the_database_until_the_end() {
    let folder = Folder::new();
    let url = postgres::empty_database().await;
    let options: PgConnectOptions = url.parse().unwrap();
    let mut server: PgConnection = options.connect().await.unwrap();
    let left_over = format!("befriend_ephemeral_1000000000_{:016x}", std::process::id());
    let create = format!("create database {left_over}");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut server).await.unwrap();
    let mut command = binary(&["serve", "--ephemeral"]);
    command.env("DATABASE_URL", &url);
    let run = Run::spawn(&folder, command);
    run.tenant().create(&["alice"]).await;
    let own = run.said["database"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let databases = "select count(*) from pg_database where datname = any($1)";
    let count = sqlx::query_scalar::<_, i64>(databases).bind([&left_over, &own].map(Clone::clone));
    assert_eq!(count.fetch_one(&mut server).await.unwrap(), 1, "the one that was left over stays");
    run.stop();
    let count = sqlx::query_scalar::<_, i64>(databases).bind([left_over, own]);
    assert_eq!(count.fetch_one(&mut server).await.unwrap(), 0, "its own stays");
    server.close().await.unwrap();
    nothing_is_left(&folder).await;
}
