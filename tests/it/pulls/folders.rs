//! The folder of a pull: whose lists it holds, how the names of a file are read, and who may read it.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use tempfile::TempDir;

use super::{
    SECRET, checkpoint, easemob, fake_vendor::FakeVendor, ran, ring, ring_report, target, well,
};

#[tokio::test]
async fn a_folder_is_of_the_users_it_was_begun_with() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |_| None).await;
    let folder = TempDir::new().unwrap();
    let names = folder.path().join("names");
    let named = ["--users", names.to_str().unwrap()];
    let (some, all) = (folder.path().join("some"), folder.path().join("all"));
    fs::write(&names, "user01\nuser02\n").unwrap();
    well(&ran(easemob(&app, &vendor, &all, &[])).await, &ring_report(5, false));
    ran(easemob(&app, &vendor, &some, &named)).await;
    let asked = vendor.asked("").len();
    fs::write(&names, "user01\nuser02\nuser03\n").unwrap();
    for (folder, flags, why) in [
        (&some, &named[..], "a pull of other names than --users has now: give the same names"),
        (&some, &[], "a pull of the names of a file: give the same by --users"),
        (&all, &named, "a pull of the users whom the vendor lists: leave out --users"),
    ] {
        let refused = ran(easemob(&app, &vendor, folder, flags)).await;
        refused.badly(&[]);
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        assert!(refused.stderr.contains("or take a new folder"), "{}", refused.stderr);
    }
    assert_eq!(vendor.asked("").len(), asked);
    // The same names in another spelling.
    fs::write(&names, "USER01\n\nuser02").unwrap();
    let same = ran(easemob(&app, &vendor, &some, &named)).await;
    assert!(
        same.printed.starts_with("pulled: 2 users, 0 unknown to the vendor\n"),
        "{}",
        same.stderr
    );
    assert_eq!(tenant.friends_of("user01").await.unwrap(), ["user00", "user02"]);
}

#[tokio::test]
async fn names_are_folded_and_pulled_once_and_bad_ones_are_named_by_their_lines() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |_| None).await;
    let folder = TempDir::new().unwrap();
    let (names, pulled) = (folder.path().join("names"), folder.path().join("pulled"));
    let text = b"\xef\xbb\xbfuser01\r\nUser02\nno name\nuser\xff03\nuser02\n user01\nuser03";
    fs::write(&names, text).unwrap();
    let flags = ["--users", names.to_str().unwrap()];
    for _ in 0..2 {
        let done = ran(easemob(&app, &vendor, &pulled, &flags)).await;
        assert!(!done.ok);
        let first = "pulled: 3 users, 0 unknown to the vendor, 2 bad names\n";
        assert!(done.printed.starts_with(first), "{}{}", done.printed, done.stderr);
        for line in [3, 4] {
            let told = format!("{}:{line}: username: must be 1-64 bytes", names.display());
            assert!(done.stderr.contains(&told), "{told}: {}", done.stderr);
        }
    }
    assert_eq!(checkpoint(&pulled)["listed"], 3);
    for name in ["user01", "user02", "user03"] {
        assert_eq!(vendor.asked(&format!("GET /org/app/user/{name}/contacts")).len(), 1);
        tenant.profile(name).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_of_names_that_can_not_be_read_leaves_no_trace() {
    let (app, _tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |_| None).await;
    let folder = TempDir::new().unwrap();
    let pulled = folder.path().join("pulled");
    let missing = folder.path().join("missing");
    let flags = ["--users", missing.to_str().unwrap()];
    let failed = ran(easemob(&app, &vendor, &pulled, &flags)).await;
    assert!(failed.stderr.contains("missing: No such file"), "{}", failed.stderr);
    assert!(!pulled.exists());
    well(&ran(easemob(&app, &vendor, &pulled, &[])).await, &ring_report(5, false));
}

#[tokio::test]
async fn a_full_disk_loses_and_doubles_nothing() {
    const SIZE: usize = 80;
    let (app, _tenant) = target().await;
    let vendor = FakeVendor::start(ring(SIZE), |_| None).await;
    let folder = TempDir::new().unwrap();
    let pulled = folder.path().join("pulled");
    let flags = ["--rate", "1000"];
    // No file may be longer than 8 KiB, and the file of friends is longer.
    let inner = easemob(&app, &vendor, &pulled, &flags);
    let mut short = Command::new("sh");
    short.args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$@""#, "sh"]);
    short.arg(inner.get_program()).args(inner.get_args());
    short.env("BEFRIEND_EASEMOB_CLIENT_SECRET", SECRET);
    let failed = ran(short).await;
    failed.badly(&[]);
    assert!(failed.stderr.contains("File too large"), "{}", failed.stderr);
    assert_eq!(checkpoint(&pulled)["listed"], SIZE);
    well(&ran(easemob(&app, &vendor, &pulled, &flags)).await, &ring_report(SIZE, false));
    for (name, lines) in [("listed", SIZE), ("users", SIZE), ("friends", 2 * SIZE)] {
        let text = fs::read_to_string(pulled.join(name).with_extension("jsonl")).unwrap();
        assert_eq!(text.lines().count(), lines, "{name}");
    }
}

#[tokio::test]
async fn a_folder_is_its_owners_alone_and_an_address_that_others_can_listen_to_is_warned_of() {
    let (app, _tenant) = target().await;
    let mut vendor = FakeVendor::start(ring(3), |_| None).await;
    let folder = TempDir::new().unwrap();
    let pulled = folder.path().join("pulled");
    let done = ran(easemob(&app, &vendor, &pulled, &[])).await;
    assert!(done.ok && !done.stderr.contains("warning"), "{}", done.stderr);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(pulled.clone()), 0o700);
    for name in ["progress.json", "users.jsonl", "friends.jsonl", "blocks.jsonl"] {
        assert_eq!(mode(pulled.join(name)), 0o600, "{name}");
    }
    // An app that does not exist, so that no vendor is called.
    for (url, warned) in [
        ("http://vendor.invalid", true),
        ("http://192.0.2.1:8080", true),
        ("https://vendor.invalid", false),
        ("http://localhost:1", false),
        ("http://[::1]:1", false),
    ] {
        vendor.url = url.to_owned();
        let inner = easemob(&app, &vendor, &pulled, &[]);
        let mut elsewhere = Command::new(inner.get_program());
        elsewhere.args(inner.get_args().map(|arg| match arg.to_str() {
            Some("acme#chat") => "no#app".into(),
            _ => arg.to_owned(),
        }));
        elsewhere.env("BEFRIEND_EASEMOB_CLIENT_SECRET", SECRET);
        let refused = ran(elsewhere).await;
        refused.badly(&[]);
        assert_eq!(
            refused.stderr.contains("warning: the address is plain http://"),
            warned,
            "{url}"
        );
    }
}
