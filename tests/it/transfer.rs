//! Moving data: an export can be imported again without a difference; a line that can't be imported is
//! reported by its number, and the import goes on; limits and symmetry hold meanwhile.

mod lines;
mod races;
mod unseen;

use std::{fs, path::Path, process::Output};

use befriend::{clock::Clock, proto};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::support::{
    Tenant, TestApp, binary, follow::Follower, invariants, postgres, tenant::acme,
};

/// The output of a command, and how it ended.
pub struct Ran {
    pub ok: bool,
    pub printed: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            ok: output.status.success(),
            printed: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Asserts that the command succeeded and printed these lines.
    #[track_caller]
    pub fn well(&self, lines: &[&str]) {
        assert!(self.ok, "{}{}", self.stderr, self.printed);
        assert_eq!(self.printed.lines().collect::<Vec<_>>(), lines, "{}", self.stderr);
    }

    /// Asserts that the command failed and printed these lines.
    #[track_caller]
    pub fn badly(&self, lines: &[&str]) {
        assert!(!self.ok, "{}{}", self.stderr, self.printed);
        assert_eq!(self.printed.lines().collect::<Vec<_>>(), lines, "{}", self.stderr);
    }

    /// The reports about lines of files, as "friends.jsonl:3: why".
    pub fn complaints(&self) -> Vec<&str> {
        let of_a_line = |line: &&str| line.contains(": ") && !line.starts_with("befriend: using ");
        self.stderr.lines().filter(of_a_line).collect()
    }
}

/// Runs the binary on a server's database.
pub fn run(app: &TestApp, arguments: &[&str]) -> Ran {
    binary::run(&[arguments, &["--database-url", &app.database_url]].concat()).into()
}

/// Imports a folder into an app.
pub fn import(app: &TestApp, app_key: &str, folder: &Path, flags: &[&str]) -> Ran {
    let words = ["import", "files", app_key, folder.to_str().unwrap()];
    let mut ran = run(app, &[&words, flags].concat());
    ran.stderr = ran.stderr.replace(&format!("{}/", folder.display()), "");
    ran
}

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Exports an app to a folder of its own.
pub fn export(app: &TestApp, app_key: &str, format: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let ran = run(app, &["export", app_key, "--format", format, "--out", out]);
    assert!(ran.ok, "{}", ran.stderr);
    folder
}

/// The lines of an exported JSON Lines file, without those members.
fn lines(folder: &TempDir, file: &str, without: &[&str]) -> Vec<Value> {
    let text = fs::read_to_string(folder.path().join(file)).unwrap();
    text.lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            for member in without {
                assert!(line.as_object_mut().unwrap().remove(*member).is_some(), "{member}");
            }
            line
        })
        .collect()
}

async fn extend(tenant: &Tenant, owner: &str, friend: &str, extension: &str, server: &str) {
    let request = proto::UpdateFriendRequest {
        owner: owner.to_owned(),
        friend: friend.to_owned(),
        extension: Some(extension.to_owned()),
        server_extension: Some(server.to_owned()),
        ..proto::UpdateFriendRequest::default()
    };
    tenant.friends().update_friend(request).await.unwrap();
}

/// Texts that a careless parser or writer of files would damage.
const ODD: [&str; 6] =
    ["a,b;\"c\"", "two\nlines\r\n", "\\N", "tab\there \\", " 好 👍 ", "{\"x\": null}"];

/// An app with everything that an export must contain.
async fn full() -> (TestApp, Tenant) {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave", "erin", "gone"]).await;
    for (friend, odd) in ["bob", "carol", "dave", "erin"].iter().zip(ODD) {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.remark("alice", friend, odd).await.unwrap();
    }
    extend(&tenant, "alice", "bob", ODD[4], ODD[5]).await;
    tenant.remark("bob", "alice", ODD[5]).await.unwrap();
    tenant.create_one("named", ODD[0]).await.unwrap();
    let banned = proto::DeactivateUserRequest { username: "dave".to_owned() };
    tenant.users().deactivate_user(banned).await.unwrap();
    for blocked in ["erin", "bob", "named", "dave"] {
        tenant.block("carol", &[blocked]).await.unwrap();
    }
    tenant.block("bob", &["alice", "carol"]).await.unwrap();
    // What was removed is not exported.
    tenant.befriend("bob", "gone").await.unwrap();
    tenant.block("gone", &["bob"]).await.unwrap();
    tenant.delete("gone").await.unwrap();
    tenant.befriend("bob", "dave").await.unwrap();
    tenant.unfriend("bob", "dave").await.unwrap();
    tenant.unblock("carol", "named").await.unwrap();
    (app, tenant)
}

#[tokio::test]
async fn an_export_that_is_imported_gives_the_same_lists_in_either_format() {
    let (app, tenant) = full().await;
    for format in ["jsonl", "csv"] {
        let other = app.tenant(&format!("other#{format}")).await;
        let files = export(&app, "acme#chat", format);
        let ran = import(&app, &other.app.app_key, files.path(), &[]);
        ran.well(&[
            "users: 6 lines, 6 added, 0 there already",
            "friends: 8 lines, 8 added, 0 there already",
            "blocks: 5 lines, 5 added, 0 there already",
        ]);
        assert_eq!(ran.complaints(), [""; 0]);

        for user in ["alice", "bob", "carol", "dave", "erin", "named"] {
            let (was, is) =
                (tenant.profile(user).await.unwrap(), other.profile(user).await.unwrap());
            assert_eq!(was, is, "also the identifier and the times");
            assert_eq!(
                tenant.friends_of(user).await.unwrap(),
                other.friends_of(user).await.unwrap()
            );
            assert_eq!(
                tenant.blocked_by(user).await.unwrap(),
                other.blocked_by(user).await.unwrap()
            );
            for friend in tenant.friends_of(user).await.unwrap() {
                let was = tenant.entry(user, &friend).await.unwrap();
                let is = other.entry(user, &friend).await.unwrap();
                let parts = |entry: &proto::Friend| {
                    let texts = [&entry.remark, &entry.extension, &entry.server_extension];
                    (texts.map(Clone::clone), entry.create_time)
                };
                assert_eq!(parts(&was), parts(&is), "{user} -> {friend}");
            }
        }
        assert_eq!(other.blocked_by("carol").await.unwrap(), ["dave", "bob", "erin"]);
        // The files are equal byte by byte, but for the time of the change.
        let (first, again) =
            (export(&app, "acme#chat", "jsonl"), export(&app, &other.app.app_key, "jsonl"));
        for (file, without) in
            [("users.jsonl", &[][..]), ("friends.jsonl", &["updated_at"]), ("blocks.jsonl", &[])]
        {
            assert_eq!(lines(&first, file, without), lines(&again, file, without));
        }
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn an_import_that_is_repeated_changes_nothing() {
    let (app, _tenant) = full().await;
    let other = app.tenant("other#chat").await;
    let files = export(&app, "acme#chat", "jsonl");
    assert!(import(&app, "other#chat", files.path(), &[]).ok);
    let before = other.head("carol").await.unwrap();
    for flags in [&[][..], &["--overwrite"]] {
        import(&app, "other#chat", files.path(), flags).well(&[
            "users: 6 lines, 0 added, 6 there already",
            "friends: 8 lines, 0 added, 8 there already",
            "blocks: 5 lines, 0 added, 5 there already",
        ]);
    }
    assert_eq!(other.head("carol").await.unwrap(), before);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_tells_what_differs() {
    let (app, _tenant) = full().await;
    let other = app.tenant("other#chat").await;
    let files = export(&app, "acme#chat", "csv");
    import(&app, "other#chat", files.path(), &["--dry-run"]).badly(&[
        "users: 6 lines",
        "friends: 8 lines",
        "blocks: 5 lines",
        "differences: 19",
        "  blocks missing: 5",
        "  friends missing: 8",
        "  users missing: 6",
    ]);
    assert!(other.profile("alice").await.is_err());

    assert!(import(&app, "other#chat", files.path(), &[]).ok);
    import(&app, "other#chat", files.path(), &["--dry-run"]).well(&[
        "users: 6 lines",
        "friends: 8 lines",
        "blocks: 5 lines",
        "differences: none",
    ]);
    other.remark("alice", "bob", "somebody else").await.unwrap();
    other.befriend("dave", "erin").await.unwrap();
    other.unfriend("alice", "dave").await.unwrap();
    other.block("dave", &["erin"]).await.unwrap();
    other.unblock("bob", "alice").await.unwrap();
    other.unblock("carol", "erin").await.unwrap();
    other.block("carol", &["erin"]).await.unwrap();
    let ran = import(&app, "other#chat", files.path(), &["--dry-run"]);
    ran.badly(&[
        "users: 6 lines",
        "friends: 8 lines",
        "blocks: 5 lines",
        "differences: 8",
        "  block lists in another order: 1",
        "  blocks missing: 1",
        "  blocks too many: 1",
        "  friends missing: 2",
        "  friends too many: 2",
        "  texts that differ: 1",
    ]);
    for told in [
        "alice -> bob: remark differs",
        "alice has no friend dave",
        "dave has no friend alice",
        "dave has a friend erin for whom there is no record",
        "bob does not block alice",
        "dave blocks erin, for which there is no record",
        "the block list of carol is in another order",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn followers_of_a_list_see_what_was_imported() {
    let (app, _tenant) = full().await;
    let other = app.tenant("other#chat").await;
    other.create(&["alice", "carol", "zoe"]).await;
    other.befriend("alice", "zoe").await.unwrap();
    let (mut alice, mut carol) = (Follower::new(&other, "alice"), Follower::new(&other, "carol"));
    alice.catch_up(2).await.unwrap();
    carol.catch_up(2).await.unwrap();
    let files = export(&app, "acme#chat", "jsonl");
    assert!(import(&app, "other#chat", files.path(), &[]).ok);
    alice.catch_up(2).await.unwrap();
    carol.catch_up(2).await.unwrap();
    let names: Vec<&String> = alice.friends.friends.keys().collect();
    assert_eq!(names, ["bob", "carol", "dave", "erin", "zoe"]);
    assert_eq!(alice.friends.friends["bob"].remark, ODD[0]);
    assert_eq!(carol.blocks.blocked.len(), 3);
    assert_eq!(alice.resyncs + carol.resyncs, 0);
}

#[tokio::test]
async fn an_export_overwrites_nothing_and_leaves_no_half_of_a_file() {
    let (app, _tenant) = acme(&["alice"]).await;
    let files = export(&app, "acme#chat", "jsonl");
    let out = files.path().to_str().unwrap();
    let ran = run(&app, &["export", "acme#chat", "--out", out]);
    assert!(!ran.ok && ran.stderr.contains("users.jsonl: is there already"), "{}", ran.stderr);
    let mut names: Vec<_> =
        fs::read_dir(files.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["blocks.jsonl", "friends.jsonl", "users.jsonl"]);
    // The other format has other file names.
    assert!(run(&app, &["export", "acme#chat", "--format", "csv", "--out", out]).ok);
    let ran = run(&app, &["export", "no#app", "--out", out]);
    assert!(!ran.ok && ran.stderr.contains("no#app"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_import_by_a_role_that_may_make_no_temporary_tables_says_which_grant_mends_it() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let database: String =
        sqlx::query_scalar("select current_database()").fetch_one(&mut owner).await.unwrap();
    let app = TestApp::between(&url, &url, &[], Clock::system()).await;
    app.tenant("acme#chat").await;
    let grants = format!(
        "grant select, insert, update, delete on all tables in schema public to {role};
         revoke temporary on database {database} from public"
    );
    owner.execute(AssertSqlSafe(grants)).await.unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let as_role = |arguments: &[&str]| -> Ran {
        binary::run(&[arguments, &["--database-url", &as_role]].concat()).into()
    };
    let exported = as_role(&["export", "acme#chat", "--out", path]);
    assert!(exported.ok, "an export makes none: {}", exported.stderr);
    let refused = as_role(&["import", "files", "acme#chat", path]);
    assert!(!refused.ok, "{}", refused.stderr);
    let grant = format!("grant temporary on database {database} to {role}");
    for told in ["the role of the database lacks a privilege", &format!("`{grant}`")] {
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    assert!(!refused.stderr.contains("internal error"), "{}", refused.stderr);
    owner.execute(AssertSqlSafe(grant)).await.unwrap();
    assert!(as_role(&["import", "files", "acme#chat", path]).ok);
}
