//! Pulling an app out of another service: everything is pulled, whatever fails on the way, and the
//! differences that remain are reported.

mod befriend;
mod failures;
mod fake_vendor;
mod folders;
mod refusals;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use self::fake_vendor::{Data, FakeVendor, Instead};
use crate::{
    support::{Tenant, TestApp, binary, invariants},
    transfer::Ran,
};

/// The client_secret of the fake vendor.
const SECRET: &str = "the-vendors-secret";

/// `befriend import easemob` from a fake vendor into acme#chat, with short pauses.
fn easemob(app: &TestApp, vendor: &FakeVendor, folder: &Path, flags: &[&str]) -> Command {
    let folder = folder.to_str().unwrap();
    let words = ["import", "easemob", "acme#chat", "--url", &vendor.url, "--from", "org#app"];
    let more = ["--client-id", "an-id", "--folder", folder, "--backoff", "1ms"];
    let database = ["--database-url", &app.database_url];
    let mut command = binary::command(&[&words[..], &more, &database, flags].concat());
    command.env("BEFRIEND_EASEMOB_CLIENT_SECRET", SECRET);
    command
}

/// Runs a command to its end, while this process serves the vendor that it calls.
async fn ran(mut command: Command) -> Ran {
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap().into();
    let Ran { printed, stderr, .. } = &ran;
    assert!(!stderr.contains(SECRET) && !printed.contains(SECRET), "{stderr}{printed}");
    ran
}

/// Waits for the end of a command, and returns its output.
async fn ended(mut child: Child) -> (bool, String) {
    tokio::task::spawn_blocking(move || {
        let mut stderr = String::new();
        std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
        (child.wait().unwrap().success(), stderr)
    })
    .await
    .unwrap()
}

async fn target() -> (TestApp, Tenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    (app, tenant)
}

/// Friends in a ring, each with a remark, and each blocks the next two.
fn ring(size: usize) -> Data {
    let names: Vec<String> = (0..size).map(|n| format!("user{n:02}")).collect();
    let mut data = Data::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for at in 0..size {
        let (one, next) = (&names[at], &names[(at + 1) % size]);
        data = data.friend(one, next, &format!("after {one}")).friend(next, one, "");
        let blocked = vec![next.clone(), names[(at + 2) % size].clone()];
        data.blocks.insert(one.clone(), blocked);
    }
    data
}

/// The report about a ring of this size.
fn ring_report(size: usize, there: bool) -> Vec<String> {
    let words = |lines: usize| match there {
        false => format!("{lines} lines, {lines} added, 0 there already"),
        true => format!("{lines} lines, 0 added, {lines} there already"),
    };
    vec![
        format!("pulled: {size} users, 0 unknown to the vendor"),
        format!("users: {}", words(size)),
        format!("friends: {}", words(2 * size)),
        format!("blocks: {}", words(2 * size)),
        "differences: none".to_owned(),
    ]
}

#[track_caller]
fn well(ran: &Ran, lines: &[String]) {
    ran.well(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn all_pages_are_pulled_and_an_import_that_is_repeated_pulls_nothing_again() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(7), |_| None).await;
    let folder = TempDir::new().unwrap();
    well(&ran(easemob(&app, &vendor, folder.path(), &[])).await, &ring_report(7, false));
    assert_eq!(tenant.friends_of("user03").await.unwrap(), ["user02", "user04"]);
    assert_eq!(tenant.entry("user03", "user04").await.unwrap().remark, "after user03");
    assert_eq!(tenant.blocked_by("user03").await.unwrap(), ["user04", "user05"]);
    let created = tenant.profile("user03").await.unwrap().create_time.unwrap();
    assert_eq!(created.seconds, 1_600_000_000);
    let calls = vendor.asked("").len();
    let login = &vendor.asked("POST")[0];
    assert!(login.rest.contains(SECRET) && login.rest.contains("client_credentials"));
    let page = &vendor.asked("GET /org/app/user/user03/contacts")[0];
    assert_eq!(page.rest, "limit=50&needReturnRemark=true");
    assert_eq!(page.headers["authorization"], "Bearer a-token");

    well(&ran(easemob(&app, &vendor, folder.path(), &[])).await, &ring_report(7, true));
    assert_eq!(vendor.asked("").len(), calls);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_pull_that_is_stopped_or_killed_goes_on_where_it_was() {
    const SIZE: usize = 40;
    let (app, _tenant) = target().await;
    // The vendor does not answer the first call about each of these users.
    let silent =
        ["user12", "user20", "user31"].map(|user| format!("GET /org/app/user/{user}/contacts"));
    let silences = silent.clone();
    let vendor = FakeVendor::start(ring(SIZE), move |asked| {
        (silences.contains(&asked.call) && asked.before == 0).then_some(Instead::Silence)
    })
    .await;
    let folder = TempDir::new().unwrap();
    let flags = ["--in-flight", "4", "--rate", "1000"];
    for (call, signal) in silent.iter().zip([Signal::SIGTERM, Signal::SIGKILL, Signal::SIGINT]) {
        let mut command = easemob(&app, &vendor, folder.path(), &flags);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        vendor.until_asked(call).await;
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let (ok, stderr) = ended(child).await;
        assert!(!ok, "{stderr}");
        if signal != Signal::SIGKILL {
            assert!(stderr.contains("the same command goes on from here"), "{stderr}");
        }
    }
    assert!(app.tenant("other#chat").await.profile("user00").await.is_err());
    well(&ran(easemob(&app, &vendor, folder.path(), &flags)).await, &ring_report(SIZE, false));
    // What the checkpoint counts is not pulled again.
    for done in 0..9 {
        let call = format!("GET /org/app/user/user{done:02}/contacts");
        assert_eq!(vendor.asked(&call).len(), 1, "{call}");
    }
    let text = fs::read_to_string(folder.path().join("users.jsonl")).unwrap();
    assert_eq!(text.lines().count(), SIZE, "each user once");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn every_difference_is_named() {
    let (app, tenant) = target().await;
    let mut data = Data::of(&["alice", "bob", "carol", "erin", "ghost", "no name"])
        .friends("alice", "bob")
        .friend("alice", "carol", &"x".repeat(129))
        .friend("carol", "alice", "")
        .friend("bob", "carol", "")
        .friend("bob", "stranger", "")
        .friend("erin", "bob", "theirs")
        .friend("bob", "erin", "");
    data.blocks.insert("alice".to_owned(), vec!["bob".to_owned(), "stranger".to_owned()]);
    data.contacts.remove("ghost");
    let vendor = FakeVendor::start(data, |_| None).await;
    tenant.create(&["bob", "erin", "zoe"]).await;
    tenant.befriend("erin", "bob").await.unwrap();
    tenant.remark("erin", "bob", "ours").await.unwrap();
    tenant.befriend("erin", "zoe").await.unwrap();
    tenant.block("bob", &["zoe"]).await.unwrap();
    let folder = TempDir::new().unwrap();
    let done = ran(easemob(&app, &vendor, folder.path(), &[])).await;
    done.badly(&[
        "pulled: 5 users, 1 unknown to the vendor",
        "users: 5 lines, 2 added, 2 there already, 1 bad",
        "friends: 8 lines, 5 added, 1 there already, 2 not imported, 1 added for the other side, 1 imported without an invalid value",
        "blocks: 2 lines, 1 added, 0 there already, 1 not imported",
        "differences: 6",
        "  blocks missing: 1",
        "  blocks too many: 1",
        "  friends missing: 1",
        "  friends too many: 1",
        "  one-sided friendships: 1",
        "  texts that differ: 1",
    ]);
    for told in [
        "is imported without an invalid value: remark: must be at most 128 characters long",
        "username: must be 1-64 bytes",
        "there is no user stranger",
        "bob has no friend stranger",
        "erin has a friend zoe for whom there is no record",
        "erin -> bob: remark differs",
        "bob has the friend carol, who has no friend bob in return",
        "alice does not block stranger",
        "bob blocks zoe, for which there is no record",
    ] {
        assert!(done.stderr.contains(told), "{told}: {}", done.stderr);
    }
    assert_eq!(
        missing(folder.path()),
        [("ghost".to_owned(), "is unknown to the vendor".to_owned())]
    );
    assert_eq!(tenant.entry("alice", "carol").await.unwrap().remark, "");
    assert_eq!(tenant.friends_of("carol").await.unwrap(), ["alice", "bob"]);
    assert!(tenant.profile("ghost").await.is_err());
    // With --overwrite, the texts of the vendor replace those in befriend.
    ran(easemob(&app, &vendor, folder.path(), &["--overwrite"])).await;
    assert_eq!(tenant.entry("erin", "bob").await.unwrap().remark, "theirs");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_dry_run_pulls_and_compares_and_writes_nothing() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(3), |_| None).await;
    let folder = TempDir::new().unwrap();
    ran(easemob(&app, &vendor, folder.path(), &["--dry-run"])).await.badly(&[
        "pulled: 3 users, 0 unknown to the vendor",
        "users: 3 lines",
        "friends: 6 lines",
        "blocks: 6 lines",
        "differences: 15",
        "  blocks missing: 6",
        "  friends missing: 6",
        "  users missing: 3",
    ]);
    assert!(tenant.profile("user00").await.is_err());
    well(&ran(easemob(&app, &vendor, folder.path(), &[])).await, &ring_report(3, false));
    assert!(ran(easemob(&app, &vendor, folder.path(), &["--dry-run"])).await.ok);
}

#[tokio::test]
async fn a_user_with_a_nickname_that_can_not_be_kept_comes_without_it_and_with_all_friends() {
    let (app, tenant) = target().await;
    let entities = serde_json::json!({ "entities": [
        { "username": "alice", "nickname": "x".repeat(101), "uuid": "none", "activated": false,
          "created": -1 },
        { "username": "bob", "nickname": "Bob" },
    ] });
    let users = entities.to_string();
    let data = Data::of(&["alice", "bob"]).friends("alice", "bob");
    let vendor = FakeVendor::start(data, move |asked| {
        (asked.call == "GET /org/app/users").then(|| Instead::Answer(200, "", users.clone()))
    })
    .await;
    let folder = TempDir::new().unwrap();
    let done = ran(easemob(&app, &vendor, folder.path(), &[])).await;
    done.badly(&[
        "pulled: 2 users, 0 unknown to the vendor",
        "users: 2 lines, 2 added, 0 there already, 1 imported without an invalid value",
        "friends: 2 lines, 2 added, 0 there already",
        "blocks: 0 lines, 0 added, 0 there already",
        "differences: none",
    ]);
    for told in
        ["nickname: must be at most 100", "uuid: is not a UUID", "created_at: must be from 1970"]
    {
        assert!(done.stderr.contains(told), "{told}: {}", done.stderr);
    }
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    let alice = tenant.profile("alice").await.unwrap();
    assert_eq!((alice.nickname.as_str(), alice.activated), ("", false));

    // The ban is lifted in befriend only.
    let lifted = ::befriend::proto::ActivateUserRequest { username: "alice".to_owned() };
    tenant.users().activate_user(lifted).await.unwrap();
    let again = ran(easemob(&app, &vendor, folder.path(), &[])).await;
    assert!(
        again.printed.ends_with("differences: 1\n  users that differ: 1\n"),
        "{}",
        again.printed
    );
    assert!(again.stderr.contains("alice: activated differs"), "{}", again.stderr);
}

#[tokio::test]
async fn only_the_named_users_are_pulled_if_some_are_named() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |_| None).await;
    let folder = TempDir::new().unwrap();
    let names = folder.path().join("names");
    fs::write(&names, "user01\n\n user02 \nnobody\n").unwrap();
    let pulled = folder.path().join("pulled");
    let flags = ["--users", names.to_str().unwrap()];
    let done = ran(easemob(&app, &vendor, &pulled, &flags)).await;
    assert!(!done.ok, "nobody is unknown, and the neighbours are not there");
    assert!(
        done.printed.starts_with("pulled: 2 users, 1 unknown to the vendor\n"),
        "{}",
        done.printed
    );
    assert_eq!(tenant.friends_of("user01").await.unwrap(), ["user02"]);
    assert!(vendor.asked("GET /org/app/users").iter().all(|asked| asked.call.contains("blocks")));
}

#[tokio::test]
async fn what_is_missing_for_a_pull_is_named() {
    let (app, _tenant) = target().await;
    let folder = TempDir::new().unwrap();
    let mut vendor = FakeVendor::start(ring(1), |_| None).await;
    vendor.url = "not an address".to_owned();
    let folder_name = folder.path().to_str().unwrap();
    let refused = async |command: Command, why: &str| {
        let ran = ran(command).await;
        assert!(!ran.ok && ran.stderr.contains(why), "{why}: {}", ran.stderr);
    };
    refused(easemob(&app, &vendor, folder.path(), &[]), "is not an http:// or https:// address")
        .await;
    let mut command = easemob(&app, &vendor, folder.path(), &[]);
    command.env_remove("BEFRIEND_EASEMOB_CLIENT_SECRET");
    refused(command, "set BEFRIEND_EASEMOB_CLIENT_SECRET, or give --client-secret-file").await;
    let netease = [
        "import",
        "netease",
        "acme#chat",
        "--url",
        "http://127.0.0.1:1",
        "--from",
        "key",
        "--folder",
        folder_name,
        "--database-url",
        &app.database_url,
    ];
    let mut command = binary::command(&netease);
    command.env("BEFRIEND_NETEASE_APP_SECRET", SECRET);
    refused(command, "NetEase's API can't list users: name them by --users").await;
    let mut nowhere = netease;
    nowhere[2] = "no#app";
    let mut command = binary::command(&nowhere);
    command.env("BEFRIEND_NETEASE_APP_SECRET", SECRET);
    refused(command, "no#app").await;
}

/// The users who are left out, and why.
fn missing(folder: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder.join("missing.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    lines.map(|line| (word(&line["username"]), word(&line["why"]))).collect()
}

/// The checkpoint of a pull.
fn checkpoint(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("progress.json")).unwrap()).unwrap()
}
