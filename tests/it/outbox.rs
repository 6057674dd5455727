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

/// A server that delivers nothing, so that all events stay in the outbox, with one rule for all types.
async fn writing(usernames: &[&str]) -> (TestApp, Tenant) {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(usernames).await;
    app.rule(rule_to("http://example.com")).await;
    (app, tenant)
}

impl TestApp {
    /// The events that were written since the last call, by owner and version.
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
async fn adding_a_friend_makes_one_event_of_the_owner() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    assert_eq!(app.written().await, [row("friend.added", "alice", "bob", "", version)]);

    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("bob", "alice").await.unwrap();
    assert_eq!(app.written().await, [], "friends already: nothing happened");
}

#[tokio::test]
async fn an_import_makes_events_only_if_asked_to() {
    let (app, tenant) = writing(&["alice", "bob", "carol", "dave"]).await;
    import(&tenant, "alice", &["bob"], false).await;
    assert_eq!(app.written().await, []);

    import(&tenant, "alice", &["bob", "dave", "nobody", "carol", "alice"], true).await;
    let version = tenant.head("alice").await.unwrap().version;
    let expected = [
        row("friend.added", "alice", "dave", "", version - 1),
        row("friend.added", "alice", "carol", "", version),
    ];
    assert_eq!(app.written().await, expected, "only the new friend");
}

#[tokio::test]
async fn a_remark_makes_an_event_when_it_changes() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    app.written().await;

    tenant.remark("alice", "bob", "Bob \"the\" 🦀").await.unwrap();
    let version = tenant.head("alice").await.unwrap().version;
    let set = row("friend.remark_set", "alice", "bob", "Bob \"the\" 🦀", version);
    assert_eq!(app.written().await, [set]);
    tenant.remark("alice", "bob", "Bob \"the\" 🦀").await.unwrap();
    assert_eq!(app.written().await, [], "the same remark again");
    tenant.remark("alice", "bob", "").await.unwrap();
    let cleared = row("friend.remark_set", "alice", "bob", "", version + 1);
    assert_eq!(app.written().await, [cleared]);
}

#[tokio::test]
async fn an_update_makes_an_event_only_if_it_changes_the_remark() {
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
async fn removing_a_friend_makes_an_event_and_removing_a_stranger_does_not() {
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
async fn removing_all_friends_makes_an_event_for_each() {
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
async fn each_new_block_makes_an_event() {
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
async fn deleting_a_user_makes_events_for_the_friendships_and_blocks_that_end() {
    let (app, tenant) = writing(&["alice", "bob", "carol", "dave"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("carol", "alice").await.unwrap();
    tenant.block("alice", &["dave"]).await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();
    app.written().await;

    tenant.delete("alice").await.unwrap();
    let events: Vec<(String, String, String)> =
        app.written().await.into_iter().map(|row| (row.0, row.1, row.2)).collect();
    let expected = [
        ("friend.removed", "alice", "bob"),
        ("friend.removed", "alice", "carol"),
        ("block.removed", "alice", "dave"),
        ("block.removed", "bob", "alice"),
    ];
    let expected = expected.map(|(kind, owner, friend)| (kind.into(), owner.into(), friend.into()));
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_change_that_is_rolled_back_makes_no_event() {
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
async fn every_rule_for_the_type_of_an_event_gets_it_once_and_no_other_rule_does() {
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
async fn sending_and_answering_a_request_make_events_of_the_user_who_acts() {
    let (app, tenant) = writing(&["alice", "bob", "carol", "dave"]).await;
    for recipient in ["bob", "carol", "dave"] {
        tenant.ask("alice", recipient, "Hi").await.unwrap();
        tenant.ask("alice", recipient, "Hi").await.unwrap();
        tenant.ask("alice", recipient, "Hello").await.unwrap();
    }
    let events: Vec<Row> = app.written().await;
    let sent: Vec<_> = events.iter().map(|row| (&*row.0, &*row.1, &*row.2, &*row.3)).collect();
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
    let events: Vec<Row> = app.written().await;
    let events: Vec<_> = events.iter().map(|row| (&*row.0, &*row.1, &*row.2, &*row.3)).collect();
    let expected = [
        ("friend.added", "alice", "bob", ""),
        ("friend.request_cancelled", "alice", "dave", "So"),
        ("friend.request_accepted", "bob", "alice", "So"),
        ("friend.request_rejected", "carol", "alice", "So"),
    ];
    assert_eq!(events, expected, "once each");
}

#[tokio::test]
async fn a_crossed_request_makes_an_event_as_accepted_and_a_blocked_one_as_cancelled() {
    let (app, tenant) = writing(&["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "Hi").await.unwrap();
    tenant.ask("carol", "alice", "Hi").await.unwrap();
    app.written().await;
    tenant.ask("bob", "alice", "Hi too").await.unwrap();
    tenant.block("alice", &["carol"]).await.unwrap();
    let events: Vec<Row> = app.written().await;
    let events: Vec<_> = events.iter().map(|row| (&*row.0, &*row.1, &*row.2)).collect();
    let expected = [
        ("friend.added", "alice", "bob"),
        ("friend.request_cancelled", "alice", "carol"),
        ("block.added", "alice", "carol"),
        ("friend.request_accepted", "bob", "alice"),
    ];
    let mut sorted = events.clone();
    sorted.sort_by_key(|row| (row.1, row.0 == "block.added", row.0));
    assert_eq!(sorted, expected);
}

#[tokio::test]
async fn adding_a_friend_who_sent_a_request_makes_the_event_of_the_friendship_alone() {
    let (app, tenant) = writing(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "Hi").await.unwrap();
    app.written().await;
    tenant.befriend("bob", "alice").await.unwrap();
    let events: Vec<Row> = app.written().await;
    let events: Vec<_> = events.iter().map(|row| (&*row.0, &*row.1, &*row.2)).collect();
    assert_eq!(events, [("friend.added", "bob", "alice")]);
}
