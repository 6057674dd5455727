//! Pulls from a second befriend, by the APIs of both vendors.

use std::fs;

use befriend::{clock::Clock, proto};
use tempfile::TempDir;

use super::{checkpoint, ran};
use crate::support::{Tenant, TestApp, binary, invariants};

/// A service with an app that holds everything that both vendors' APIs return.
async fn source() -> (TestApp, Tenant) {
    // 32 bytes, in base64.
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let app = TestApp::with(&["--credentials-key", key], Clock::system()).await;
    let tenant = app.tenant("org#app").await;
    let names = tenant.crowd("user", 130).await;
    for (at, name) in names.iter().enumerate() {
        // Some have more friends than a page holds.
        let more = if at == 0 { 120 } else { 3 };
        for step in 1..=more {
            tenant.befriend(name, &names[(at + step) % names.len()]).await.unwrap();
        }
        tenant.remark(name, &names[(at + 1) % names.len()], &format!("好 {at}")).await.unwrap();
    }
    for blocked in &names[1..=70] {
        tenant.block("user000", &[blocked]).await.unwrap();
    }
    tenant.block("user001", &["user000"]).await.unwrap();
    tenant.create_one("lonely", "Nobody's friend").await.unwrap();
    (app, tenant)
}

/// Asserts that all lists of both apps are the same.
async fn same(one: &Tenant, other: &Tenant) {
    for at in 0..130 {
        let name = format!("user{at:03}");
        let friends = one.friends_of(&name).await.unwrap();
        assert_eq!(friends, other.friends_of(&name).await.unwrap());
        assert_eq!(one.blocked_by(&name).await.unwrap(), other.blocked_by(&name).await.unwrap());
        let next = format!("user{:03}", (at + 1) % 130);
        let parts = |entry: proto::Friend| (entry.remark, entry.extension, entry.server_extension);
        let was = parts(one.entry(&name, &next).await.unwrap());
        assert_eq!(was, parts(other.entry(&name, &next).await.unwrap()));
    }
}

#[tokio::test]
async fn an_app_is_the_same_after_a_pull_through_the_easemob_surface() {
    let (from, source) = source().await;
    let to = TestApp::start().await;
    let target = to.tenant("acme#chat").await;
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, format!("{}\n", source.client_secret)).unwrap();
    let pulled = folder.path().join("pulled");
    let words = [
        ["import", "easemob"],
        ["acme#chat", "--url"],
        [&from.url, "--from"],
        ["org#app", "--client-id"],
        [&source.app.client_id, "--client-secret-file"],
        [secret.to_str().unwrap(), "--folder"],
        [pulled.to_str().unwrap(), "--rate"],
        ["10000", "--database-url"],
    ];
    let words = [words.as_flattened(), &[&to.database_url]].concat();
    let first = ran(binary::command(&words)).await;
    assert!(first.ok, "{}{}", first.stderr, first.printed);
    assert_eq!(checkpoint(&pulled)["pulled"], 131);
    let lines: Vec<&str> = first.printed.lines().collect();
    assert_eq!(lines[0], "pulled: 131 users, 0 unknown to the vendor");
    assert_eq!(lines[1], "users: 131 lines, 131 added, 0 there already");
    assert!(lines[2].ends_with(" added, 0 there already"), "{lines:?}");
    assert_eq!(lines[3], "blocks: 71 lines, 71 added, 0 there already");
    assert_eq!(lines[4], "differences: none");
    same(&source, &target).await;
    let lonely = target.profile("lonely").await.unwrap();
    let was = source.profile("lonely").await.unwrap();
    assert_eq!((lonely.nickname, lonely.uuid), (was.nickname, was.uuid));
    invariants::hold(to.pool()).await;
    invariants::heads_are_the_newest_entries(to.pool()).await;
}

#[tokio::test]
async fn an_app_is_the_same_after_a_pull_through_the_netease_surface() {
    let (from, source) = source().await;
    let credentials = proto::SetCredentialsRequest {
        app_key: "org#app".to_owned(),
        netease_app_key: "a-key".to_owned(),
        netease_app_secret: super::SECRET.to_owned(),
        ..proto::SetCredentialsRequest::default()
    };
    from.apps().set_credentials(credentials).await.unwrap();
    let extended = proto::UpdateFriendRequest {
        owner: "user005".to_owned(),
        friend: "user006".to_owned(),
        extension: Some("of the client".to_owned()),
        server_extension: Some("of the service".to_owned()),
        ..proto::UpdateFriendRequest::default()
    };
    source.friends().update_friend(extended).await.unwrap();
    let to = TestApp::start().await;
    let target = to.tenant("acme#chat").await;
    let folder = TempDir::new().unwrap();
    let names = folder.path().join("names");
    let all: Vec<String> = (0..130).map(|at| format!("user{at:03}")).collect();
    fs::write(&names, all.join("\n")).unwrap();
    let pulled = folder.path().join("pulled");
    let url = format!("{}/nimserver", from.url);
    let words = [
        ["import", "netease"],
        ["acme#chat", "--url"],
        [&url, "--from"],
        ["a-key", "--users"],
        [names.to_str().unwrap(), "--folder"],
        [pulled.to_str().unwrap(), "--rate"],
        ["10000", "--database-url"],
    ];
    let words = [words.as_flattened(), &[&to.database_url]].concat();
    let pull = || {
        let mut command = binary::command(&words);
        command.env("BEFRIEND_NETEASE_APP_SECRET", super::SECRET);
        command
    };
    let first = ran(pull()).await;
    assert!(first.ok, "{}{}", first.stderr, first.printed);
    assert!(first.printed.ends_with("differences: none\n"), "{}", first.printed);
    same(&source, &target).await;
    let begun = async |tenant: &Tenant| {
        let time = tenant.entry("user005", "user006").await.unwrap().create_time.unwrap();
        (time.seconds, time.nanos / 1_000_000)
    };
    assert_eq!(begun(&source).await, begun(&target).await);
    invariants::hold(to.pool()).await;
}
