//! Users whom the vendor refuses to return, and apps that it refuses.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;

use super::{
    SECRET, checkpoint, easemob,
    fake_vendor::{Asked, Data, FakeVendor, Instead, not_found},
    missing, ran, ring, target,
};
use crate::support::{TestApp, binary};

/// `befriend import netease` from a fake vendor into acme#chat.
fn netease(app: &TestApp, vendor: &FakeVendor, folder: &Path, names: &Path) -> Command {
    let words = [
        ["import", "netease"],
        ["acme#chat", "--url"],
        [&vendor.url, "--from"],
        ["a-key", "--users"],
        [names.to_str().unwrap(), "--folder"],
        [folder.to_str().unwrap(), "--rate"],
        ["10000", "--database-url"],
    ];
    let mut command = binary::command(&[words.as_flattened(), &[&app.database_url]].concat());
    command.env("BEFRIEND_NETEASE_APP_SECRET", SECRET);
    command
}

/// A fake NetEase with empty lists, and a code and a text for some users.
async fn netease_stand(
    refusal: impl Fn(&str, &Asked) -> Option<(i64, &'static str)> + Send + Sync + 'static,
) -> FakeVendor {
    FakeVendor::start(Data::default(), move |asked| {
        let mut form = form_urlencoded::parse(asked.rest.as_bytes());
        let accid = form.find(|(name, _)| name == "accid").unwrap().1;
        let text = match refusal(&accid, asked) {
            Some((code, desc)) => format!(r#"{{"code":{code},"desc":"{desc}"}}"#),
            None => r#"{"code":200,"friends":[],"blacklist":[]}"#.to_owned(),
        };
        Some(Instead::Answer(200, "", text))
    })
    .await
}

fn named(folder: &TempDir, names: &[impl AsRef<str>]) -> PathBuf {
    let path = folder.path().join("names");
    let lines: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    path
}

#[tokio::test]
async fn a_user_whom_netease_refuses_is_named_and_stops_nothing() {
    let (app, tenant) = target().await;
    tenant.create(&["alice", "erin"]).await;
    let vendor = netease_stand(|accid, asked| match accid {
        "bob" => Some((414, "bad accid")),
        "carol" if asked.call.contains("listBlack") => Some((403, "not allowed")),
        "dave" => Some((422, "account banned")),
        "frank" => Some((414, "frank not register")),
        "gina" => Some((403, "not allowed")),
        _ => None,
    })
    .await;
    let folder = TempDir::new().unwrap();
    let names = named(&folder, &["alice", "bob", "carol", "dave", "erin", "frank", "gina"]);
    let pulled = folder.path().join("pulled");
    for _ in 0..2 {
        let done = ran(netease(&app, &vendor, &pulled, &names)).await;
        assert!(!done.ok);
        assert!(
            done.printed
                .starts_with("pulled: 2 users, 1 unknown to the vendor, 4 refused by the vendor\n"),
            "{}",
            done.printed
        );
        for told in [
            "bob: POST /friend/get.action of bob: 200 OK: {\"code\":414,\"desc\":\"bad accid\"}",
            "carol: POST /user/listBlackAndMuteList.action of carol: 200 OK: {\"code\":403,",
            "dave: 200 OK: {\"code\":422,\"desc\":\"account banned\"}",
            "frank: is unknown to the vendor",
            "gina: POST /friend/get.action of gina: ",
        ] {
            assert!(done.stderr.contains(told), "{told}: {}", done.stderr);
        }
    }
    let left_out: Vec<String> = missing(&pulled).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left_out, ["bob", "carol", "dave", "frank", "gina"]);
}

#[tokio::test]
async fn an_app_that_netease_refuses_ends_the_pull() {
    let (app, _tenant) = target().await;
    let folder = TempDir::new().unwrap();
    let names = named(&folder, &["alice", "bob"]);
    let elsewhere = folder.path().join("told");
    let told = netease_stand(|_, _| Some((414, "AppKey or CheckSum does not match"))).await;
    let failed = ran(netease(&app, &told, &elsewhere, &names)).await;
    assert!(
        failed.stderr.contains("POST /friend/get.action of alice: 200 OK:"),
        "{}",
        failed.stderr
    );
    assert_eq!(checkpoint(&elsewhere)["pulled"], 0);
    // The vendor refuses every user, without a reason.
    let silent = netease_stand(|_, _| Some((403, "forbidden"))).await;
    let pulled = folder.path().join("silent");
    let failed = ran(netease(&app, &silent, &pulled, &names)).await;
    failed.badly(&[]);
    assert!(failed.stderr.contains("(so far it refuses all)"), "{}", failed.stderr);
    assert_eq!(
        (&checkpoint(&pulled)["pulled"], &checkpoint(&pulled)["refused"]),
        (&0.into(), &0.into())
    );
}

#[tokio::test]
async fn refusals_count_only_while_others_are_told_of() {
    let (app, _tenant) = target().await;
    let folder = TempDir::new().unwrap();
    let mut names = vec!["alice".to_owned()];
    names.extend((0..120).map(|n| format!("bot{n:03}")));
    let names = named(&folder, &names);
    // The vendor refuses every call from some moment on, as after a change of the secret.
    let of_alice = AtomicUsize::new(0);
    let shut = netease_stand(move |accid, _| {
        // Both of her lists are returned once.
        let told = accid == "alice" && of_alice.fetch_add(1, Ordering::Relaxed) < 2;
        (!told).then_some((403, "forbidden"))
    })
    .await;
    let pulled = folder.path().join("shut");
    let failed = ran(netease(&app, &shut, &pulled, &names)).await;
    failed.badly(&[]);
    assert!(failed.stderr.contains("of alice: 200 OK: {\"code\":403"), "{}", failed.stderr);
    assert_eq!(checkpoint(&pulled)["refused"], 0, "they are asked for again when it answers");
    // Many refused users in a row, between users whose lists are returned.
    let bots =
        netease_stand(|accid, _| accid.starts_with("bot").then_some((403, "forbidden"))).await;
    let pulled = folder.path().join("bots");
    let done = ran(netease(&app, &bots, &pulled, &names)).await;
    assert!(
        done.printed
            .starts_with("pulled: 1 users, 0 unknown to the vendor, 120 refused by the vendor\n"),
        "{}{}",
        done.printed,
        done.stderr
    );
}

#[tokio::test]
async fn a_user_whom_easemob_refuses_or_forgets_is_named_and_stops_nothing() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |asked| {
        let answer = |status, text: &str| Some(Instead::Answer(status, "", text.to_owned()));
        match asked.call.as_str() {
            "GET /org/app/user/user00/contacts" => answer(400, r#"{"error":"illegal_argument"}"#),
            "GET /org/app/users/user02/blocks/users" => answer(404, &not_found()),
            "GET /org/app/users/user03/blocks/users" => answer(403, "forbidden"),
            _ => None,
        }
    })
    .await;
    let folder = TempDir::new().unwrap();
    let done = ran(easemob(&app, &vendor, folder.path(), &[])).await;
    assert!(!done.ok);
    let printed = &done.printed;
    assert!(
        printed.starts_with("pulled: 2 users, 1 unknown to the vendor, 2 refused by the vendor\n"),
        "{printed}{}",
        done.stderr
    );
    let missing = missing(folder.path());
    let reasons = [
        ("user00", "GET /user/user00/contacts: 400 Bad Request: {\"error\":\"illegal_argument\"}"),
        ("user02", "became unknown to the vendor while the lists were read"),
        ("user03", "GET /users/user03/blocks/users: 403 Forbidden: forbidden"),
    ];
    for ((name, why), expected) in missing.iter().zip(reasons) {
        assert_eq!((name.as_str(), why.as_str()), expected);
        assert!(done.stderr.contains(&format!("{name}: {why}")), "{}", done.stderr);
    }
    assert_eq!(missing.len(), 3);
    // No part of their lists is pulled.
    let friends = fs::read_to_string(folder.path().join("friends.jsonl")).unwrap();
    assert!(!friends.contains(r#""owner":"user02""#), "{friends}");
    assert!(tenant.profile("user02").await.is_err());
}
