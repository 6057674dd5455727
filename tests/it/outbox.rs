//! The events in the outbox: one for each rule that takes it, written in the transaction of the change.

mod bodies;

use befriend::{clock::Clock, proto};
use sqlx::FromRow;
use tonic::Code;

use crate::support::{
    Tenant, TestApp, expect_error,
    receiver::rule_to,
    tenant::{friend_limit, strings},
};

/// A row of the outbox: type, owner, friend, detail, seq.
#[derive(Debug, FromRow, PartialEq, Eq)]
struct Row(String, String, String, String, i64);

fn row(event_type: &str, owner: &str, friend: &str, detail: &str, seq: i64) -> Row {
    Row(event_type.into(), owner.into(), friend.into(), detail.into(), seq)
}

/// A server that delivers nothing, so that all stays in the outbox; with one rule for everything.
async fn writing(usernames: &[&str]) -> (TestApp, Tenant) {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(usernames).await;
    app.rule(rule_to("http://example.com")).await;
    (app, tenant)
}

impl TestApp {
    /// What was written since the last look, by owner and version.
    async fn written(&self) -> Vec<Row> {
        sqlx::query_as(
            "with taken as (
                delete from outbox returning type, owner_name, friend_name, detail, seq
             )
             select type, owner_name, friend_name, detail, seq from taken order by owner_name, seq",
        )
        .fetch_all(self.pool())
        .await
        .unwrap()
    }
}

async fn import(tenant: &Tenant, owner: &str, usernames: &[&str], notify: bool) {
    let usernames = strings(usernames);
    let request = proto::ImportFriendsRequest { owner: owner.to_owned(), usernames, notify };
    tenant.friends().import_friends(request).await.unwrap();
}

#[tokio::test]
async fn adding_a_friend_is_told_once_as_the_owners_doing() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    assert_eq!(app.written().await, [row("friend.added", "alice", "bob", "", version)]);

    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("bob", "alice").await.unwrap();
    assert_eq!(app.written().await, [], "friends already: nothing happened");
}

#[tokio::test]
async fn an_import_is_told_only_if_asked_for() {
    let (app, tenant) = writing(&["alice", "bob", "carol", "dave"]).await;
    import(&tenant, "alice", &["bob"], false).await;
    assert_eq!(app.written().await, []);

    import(&tenant, "alice", &["bob", "dave", "nobody", "carol", "alice"], true).await;
    let version = tenant.head("alice").await.unwrap().version;
    let expected = [
        row("friend.added", "alice", "dave", "", version - 1),
        row("friend.added", "alice", "carol", "", version),
    ];
    assert_eq!(app.written().await, expected, "only who is new");
}

#[tokio::test]
async fn a_remark_is_told_when_it_changes() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    app.written().await;

    tenant.remark("alice", "bob", "Bob \"the\" 🦀").await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    let set = row("friend.remark_set", "alice", "bob", "Bob \"the\" 🦀", version);
    assert_eq!(app.written().await, [set]);
    tenant.remark("alice", "bob", "Bob \"the\" 🦀").await.unwrap();
    assert_eq!(app.written().await, [], "the same again");
    tenant.remark("alice", "bob", "").await.unwrap();
    let cleared = row("friend.remark_set", "alice", "bob", "", version + 1);
    assert_eq!(app.written().await, [cleared]);
}

#[tokio::test]
async fn an_update_is_told_only_if_it_changes_the_remark() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    app.written().await;
    let update = |remark: Option<&str>, extension: &str| proto::UpdateFriendRequest {
        owner: "alice".into(),
        friend: "bob".into(),
        remark: remark.map(str::to_owned),
        extension: Some(extension.into()),
        ..proto::UpdateFriendRequest::default()
    };
    tenant.friends().update_friend(update(None, "mine")).await.unwrap();
    assert_eq!(app.written().await, []);
    tenant.friends().update_friend(update(Some("Bob"), "his")).await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    assert_eq!(app.written().await, [row("friend.remark_set", "alice", "bob", "Bob", version)]);
}

#[tokio::test]
async fn a_removal_is_told_and_removing_a_stranger_is_not() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    app.written().await;

    tenant.unfriend("bob", "alice").await.unwrap();
    let version = tenant.head("bob").await.unwrap().version;
    assert_eq!(app.written().await, [row("friend.removed", "bob", "alice", "", version)]);
    tenant.unfriend("bob", "alice").await.unwrap();
    tenant.unfriend_and_forget("alice", "bob").await.unwrap();
    assert_eq!(app.written().await, []);
}

#[tokio::test]
async fn removing_all_friends_tells_of_each() {
    let (app, tenant) = writing(&["alice", "bob", "carol"]).await;
    for friend in ["carol", "bob"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    app.written().await;

    tenant.unfriend_all("alice").await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    let written = app.written().await;
    assert_eq!(written.iter().map(|row| row.4).collect::<Vec<_>>(), [version - 1, version]);
    let mut friends: Vec<&str> = written.iter().map(|row| row.2.as_str()).collect();
    friends.sort_unstable();
    assert_eq!(friends, ["bob", "carol"]);
    assert!(written.iter().all(|row| row.0 == "friend.removed" && row.1 == "alice"));
    tenant.unfriend_all("alice").await.unwrap();
    assert_eq!(app.written().await, []);
}

#[tokio::test]
async fn blocks_are_told_each_for_itself_and_only_new_ones() {
    let (app, tenant) = writing(&["alice", "bob", "carol"]).await;
    tenant.block("alice", &["bob"]).await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    assert_eq!(app.written().await, [row("block.added", "alice", "bob", "", version)]);
    tenant.block("alice", &["bob", "carol", "carol"]).await.unwrap();
    assert_eq!(app.written().await, [row("block.added", "alice", "carol", "", version + 1)]);

    tenant.unblock("alice", "bob").await.unwrap();
    assert_eq!(app.written().await, [row("block.removed", "alice", "bob", "", version + 2)]);
    tenant.unblock("alice", "bob").await.unwrap();
    assert_eq!(app.written().await, []);
}

#[tokio::test]
async fn a_deleted_users_friendships_and_blocks_are_told_as_ended() {
    let (app, tenant) = writing(&["alice", "bob", "carol", "dave"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("carol", "alice").await.unwrap();
    tenant.block("alice", &["dave"]).await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();
    app.written().await;

    tenant.delete("alice").await.unwrap();
    let told: Vec<(String, String, String)> =
        app.written().await.into_iter().map(|row| (row.0, row.1, row.2)).collect();
    let expected = [
        ("friend.removed", "alice", "bob"),
        ("friend.removed", "alice", "carol"),
        ("block.removed", "alice", "dave"),
        ("block.removed", "bob", "alice"),
    ];
    let expected = expected.map(|(kind, owner, friend)| (kind.into(), owner.into(), friend.into()));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant_with("acme#chat", friend_limit(1)).await;
    tenant.create(&["alice", "bob", "carol"]).await;
    app.rule(rule_to("http://example.com")).await;
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(app.written().await.len(), 1);

    let refused = tenant.befriend("alice", "carol").await;
    expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
    expect_error(tenant.befriend("alice", "nobody").await, Code::NotFound, "USER_NOT_FOUND");
    expect_error(tenant.block("alice", &["bob", "nobody"]).await, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(app.written().await, []);
}

#[tokio::test]
async fn every_rule_that_wants_an_event_gets_it_once_and_no_other_does() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    let wanting = |types: &[&str]| proto::CreateCallbackRuleRequest {
        event_types: strings(types),
        ..rule_to("http://example.com")
    };
    let (adds, _) = app.rule(wanting(&["friend.added", "friend.removed"])).await;
    app.rule(wanting(&["block.added"])).await;
    let (off, _) = app.rule(wanting(&["friend.added"])).await;
    app.switch(&off.rule_id, false).await;
    app.tenant("other#chat").await;
    let others = proto::CreateCallbackRuleRequest { app_key: "other#chat".into(), ..wanting(&[]) };
    app.rule(others).await;

    tenant.befriend("alice", "bob").await.unwrap();
    let rules: Vec<String> =
        sqlx::query_scalar("select rule_id::text from outbox").fetch_all(app.pool()).await.unwrap();
    assert_eq!(rules.len(), 2, "the rule for everything, and the one for adds");
    assert!(rules.contains(&adds.rule_id));
    let ids: Vec<i64> =
        sqlx::query_scalar("select message_id from outbox").fetch_all(app.pool()).await.unwrap();
    assert_eq!(ids[0], ids[1], "it is one event");
}

#[tokio::test]
async fn without_a_rule_nothing_is_written() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(app.written().await, []);
}

#[tokio::test]
async fn a_request_is_told_when_it_is_sent_and_answered_as_the_doing_of_who_did_it() {
    let (app, tenant) = writing(&["alice", "bob", "carol", "dave"]).await;
    for recipient in ["bob", "carol", "dave"] {
        tenant.ask("alice", recipient, "Hi").await.unwrap();
        tenant.ask("alice", recipient, "Hi").await.unwrap();
        tenant.ask("alice", recipient, "Hello").await.unwrap();
    }
    let told: Vec<Row> = app.written().await;
    let sent: Vec<_> = told.iter().map(|row| (&*row.0, &*row.1, &*row.2, &*row.3)).collect();
    let expected = ["bob", "carol", "dave"];
    assert_eq!(sent, expected.map(|to| ("friend.request_sent", "alice", to, "Hi")), "once each");

    let (requester, message) = ("alice".to_owned(), "So".to_owned());
    let recipient = "bob".to_owned();
    let accept =
        proto::AcceptFriendRequestRequest { requester, recipient, message: message.clone() };
    let (requester, recipient) = ("alice".to_owned(), "carol".to_owned());
    let reject =
        proto::RejectFriendRequestRequest { requester, recipient, message: message.clone() };
    let (requester, recipient) = ("alice".to_owned(), "dave".to_owned());
    let cancel = proto::CancelFriendRequestRequest { requester, recipient, message };
    let mut friends = tenant.friends();
    for _ in 0..2 {
        friends.accept_friend_request(accept.clone()).await.unwrap();
        friends.reject_friend_request(reject.clone()).await.unwrap();
        friends.cancel_friend_request(cancel.clone()).await.unwrap();
    }
    let told: Vec<Row> = app.written().await;
    let told: Vec<_> = told.iter().map(|row| (&*row.0, &*row.1, &*row.2, &*row.3)).collect();
    let expected = [
        ("friend.added", "alice", "bob", ""),
        ("friend.request_cancelled", "alice", "dave", "So"),
        ("friend.request_accepted", "bob", "alice", "So"),
        ("friend.request_rejected", "carol", "alice", "So"),
    ];
    assert_eq!(told, expected, "once each");
}

#[tokio::test]
async fn a_crossing_request_is_told_as_accepted_and_a_blocked_one_as_cancelled() {
    let (app, tenant) = writing(&["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "Hi").await.unwrap();
    tenant.ask("carol", "alice", "Hi").await.unwrap();
    app.written().await;
    tenant.ask("bob", "alice", "Hi too").await.unwrap();
    tenant.block("alice", &["carol"]).await.unwrap();
    let told: Vec<Row> = app.written().await;
    let told: Vec<_> = told.iter().map(|row| (&*row.0, &*row.1, &*row.2)).collect();
    let expected = [
        ("friend.added", "alice", "bob"),
        ("friend.request_cancelled", "alice", "carol"),
        ("block.added", "alice", "carol"),
        ("friend.request_accepted", "bob", "alice"),
    ];
    let mut sorted = told.clone();
    sorted.sort_by_key(|row| (row.1, row.0 == "block.added", row.0));
    assert_eq!(sorted, expected);
}

#[tokio::test]
async fn a_request_that_an_add_settles_is_told_as_the_add_alone() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "Hi").await.unwrap();
    app.written().await;
    tenant.befriend("bob", "alice").await.unwrap();
    let told: Vec<Row> = app.written().await;
    let told: Vec<_> = told.iter().map(|row| (&*row.0, &*row.1, &*row.2)).collect();
    assert_eq!(told, [("friend.added", "bob", "alice")]);
}
