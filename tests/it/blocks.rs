//! Block lists.

use befriend::proto;
use tonic::Code;

use crate::support::{
    TestApp, expect_error, invariants, metadata,
    tenant::{acme, block_limit},
};

#[tokio::test]
async fn a_block_list_has_the_newest_first() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    assert!(tenant.blocked_by("alice").await.unwrap().is_empty());
    assert_eq!(tenant.block("alice", &["carol", "bob"]).await.unwrap(), ["carol", "bob"]);
    tenant.block("alice", &["dave"]).await.unwrap();
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["dave", "bob", "carol"]);
    assert!(tenant.blocked_by("bob").await.unwrap().is_empty(), "one-way");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn who_is_blocked_already_keeps_their_place() {
    let (_app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    let before = tenant.head("alice").await.unwrap();

    assert_eq!(tenant.block("alice", &["bob"]).await.unwrap(), ["bob"]);
    assert_eq!(tenant.head("alice").await.unwrap(), before, "nothing changed");
    assert_eq!(tenant.block("alice", &["dave", "bob"]).await.unwrap(), ["dave", "bob"]);
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["dave", "carol", "bob"]);
    assert_eq!(tenant.head("alice").await.unwrap().version, before.version + 1);
}

#[tokio::test]
async fn who_is_blocked_anew_is_the_newest() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    tenant.unblock("alice", "bob").await.unwrap();
    tenant.block("alice", &["bob"]).await.unwrap();
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["bob", "carol"]);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_name_that_stands_twice_is_blocked_once() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let blocked = tenant.block("alice", &["bob", "CAROL", "Bob", "carol"]).await.unwrap();
    assert_eq!(blocked, ["bob", "carol"]);
    assert_eq!(tenant.head("alice").await.unwrap().block_count, 2);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn one_unknown_user_keeps_all_from_being_blocked() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let refused = tenant.block("alice", &["bob", "nobody"]).await;
    let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(metadata(&details, "username"), "nobody");
    let refused = tenant.block("nobody", &["bob"]).await;
    let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(metadata(&details, "username"), "nobody");

    assert!(tenant.blocked_by("alice").await.unwrap().is_empty());
    assert_eq!(tenant.head("alice").await.unwrap().version, 0);
}

#[tokio::test]
async fn one_malformed_name_keeps_all_from_being_blocked() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let refused = tenant.block("alice", &["bob", "no body"]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
    assert_eq!(metadata(&details, "field"), "usernames[1]");
    assert!(tenant.blocked_by("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_blocks_themselves() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let refused = tenant.block("alice", &["bob", "Alice"]).await;
    let details = expect_error(refused, Code::InvalidArgument, "SELF_RELATION");
    assert_eq!(metadata(&details, "username"), "alice");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "usernames[1]");
    assert!(tenant.blocked_by("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_that_does_not_fit_blocks_nobody() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", block_limit(3)).await;
    tenant.create(&["alice", "bob", "carol", "dave", "erin"]).await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();

    let refused = tenant.block("alice", &["dave", "erin"]).await;
    let details = expect_error(refused, Code::ResourceExhausted, "BLOCK_LIMIT_EXCEEDED");
    assert_eq!(metadata(&details, "username"), "alice");
    assert_eq!(metadata(&details, "limit"), "3");
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "user:alice");
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["carol", "bob"]);

    // Who is blocked already takes no room.
    tenant.block("alice", &["bob", "dave", "carol"]).await.unwrap();
    tenant.block("alice", &["bob", "dave", "carol"]).await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap().block_count, 3);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn five_hundred_can_be_blocked_and_no_more() {
    let (app, tenant) = acme(&["alice"]).await;
    let crowd = tenant.crowd("u", 501).await;
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();

    let refused = tenant.block("alice", &crowd).await;
    let details = expect_error(refused, Code::InvalidArgument, "BATCH_TOO_LARGE");
    assert_eq!((metadata(&details, "field"), metadata(&details, "max")), ("usernames", "500"));
    assert_eq!(tenant.block("alice", &crowd[..500]).await.unwrap().len(), 500);
    let refused = tenant.block("alice", &crowd[500..]).await;
    let details = expect_error(refused, Code::ResourceExhausted, "BLOCK_LIMIT_EXCEEDED");
    assert_eq!(metadata(&details, "limit"), "500");

    // Above that only where the app's limit is higher; all in one answer are still the newest 500.
    app.set_limits(&tenant, block_limit(600)).await;
    tenant.block("alice", &crowd[500..]).await.unwrap();
    let request = proto::ListAllBlockedUsersRequest { owner: "alice".to_owned() };
    let all = tenant.blocks().list_all_blocked_users(request).await.unwrap().into_inner();
    assert_eq!(all.total_size, 501);
    let newest: Vec<&str> = crowd[1..].iter().rev().copied().collect();
    assert_eq!(all.usernames, newest);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_limit_below_what_a_list_holds_unblocks_nobody() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    app.set_limits(&tenant, block_limit(1)).await;

    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["carol", "bob"]);
    tenant.block("alice", &["bob"]).await.unwrap();
    let refused = tenant.block("alice", &["dave"]).await;
    expect_error(refused, Code::ResourceExhausted, "BLOCK_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn an_empty_list_of_names_is_refused() {
    let (_app, tenant) = acme(&["alice"]).await;
    let details =
        expect_error(tenant.block("alice", &[]).await, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(metadata(&details, "field"), "usernames");
}

#[tokio::test]
async fn an_unblocked_user_leaves_the_list_and_is_shown() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    let before = tenant.head("alice").await.unwrap();

    let bob = tenant.unblock("alice", "BOB").await.unwrap();
    assert_eq!(bob, tenant.profile("bob").await.unwrap());
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["carol"]);
    let after = tenant.head("alice").await.unwrap();
    assert_eq!((after.block_count, after.version), (1, before.version + 1));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn unblocking_who_is_not_blocked_changes_nothing() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let before = tenant.head("alice").await.unwrap();
    for name in ["bob", "alice"] {
        assert_eq!(tenant.unblock("alice", name).await.unwrap().username, name);
    }
    assert_eq!(tenant.head("alice").await.unwrap(), before);
    for (owner, name) in [("alice", "nobody"), ("nobody", "alice")] {
        let refused = tenant.unblock(owner, name).await;
        let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "nobody");
    }
}

#[tokio::test]
async fn a_blocked_friend_stays_a_friend() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    let before = tenant.entry("alice", "bob").await.unwrap();

    tenant.block("alice", &["bob"]).await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap(), before);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
    tenant.unblock("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap(), before, "nothing to repair");
}

#[tokio::test]
async fn a_former_friend_stays_blocked() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["bob"]).await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn the_block_list_of_nobody_is_not_found() {
    let (_app, tenant) = acme(&[]).await;
    expect_error(tenant.blocked_by("nobody").await, Code::NotFound, "USER_NOT_FOUND");
    let request = proto::ListBlockedUsersRequest {
        owner: "nobody".to_owned(),
        ..proto::ListBlockedUsersRequest::default()
    };
    let refused = tenant.blocks().list_blocked_users(request).await;
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
}
