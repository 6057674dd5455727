//! Importing friends: each name has a fate of its own.

use befriend::proto::ImportFriendsResponse;
use tonic::Code;

use crate::support::{
    TestApp, expect_error, invariants, metadata,
    tenant::{acme, friend_limit, strings},
};

/// The four lists.
fn outcome(
    succeeded: &[&str],
    not_found: &[&str],
    limit_exceeded: &[&str],
    failed: &[&str],
) -> ImportFriendsResponse {
    ImportFriendsResponse {
        succeeded: strings(succeeded),
        not_found: strings(not_found),
        limit_exceeded: strings(limit_exceeded),
        failed: strings(failed),
    }
}

#[tokio::test]
async fn every_name_lands_in_one_of_four_lists_in_the_order_given() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(3)).await;
    tenant.create(&["alice", "bob", "carol", "full", "f1", "f2", "f3"]).await;
    for friend in ["f1", "f2", "f3"] {
        tenant.befriend("full", friend).await.unwrap();
    }
    let names = ["zoe", "carol", "a b", "full", "alice", "nobody", "bob", ""];
    let done = tenant.import("alice", &names).await.unwrap();
    assert_eq!(
        done,
        outcome(&["carol", "bob"], &["zoe", "nobody"], &["full"], &["a b", "alice", ""])
    );
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "carol"]);
    assert_eq!(tenant.friends_of("carol").await.unwrap(), ["alice"]);
    let head = tenant.head("alice").await.unwrap();
    assert_eq!((head.friend_count, head.version), (2, 2), "a version for each");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_name_that_stands_twice_counts_once_in_whatever_case() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let names = ["Bob", "bob", "BOB", "nobody", "Nobody", "a b", "a b", "ALICE", "alice"];
    let done = tenant.import("alice", &names).await.unwrap();
    let self_as_given = &done.failed[1];
    assert!(self_as_given.eq_ignore_ascii_case("alice"));
    assert_eq!(done, outcome(&["bob"], &["nobody"], &[], &["a b", self_as_given]));
    assert_eq!(tenant.head("alice").await.unwrap().friend_count, 1);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn friends_already_have_succeeded_and_nothing_changes() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend_with("alice", "bob", "since school").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    let before = tenant.entry("alice", "bob").await.unwrap();

    let done = tenant.import("alice", &["carol", "bob"]).await.unwrap();
    assert_eq!(done, outcome(&["carol", "bob"], &[], &[], &[]));
    assert_eq!(tenant.entry("alice", "bob").await.unwrap(), before);

    let head = tenant.head("alice").await.unwrap();
    tenant.import("alice", &["carol", "bob"]).await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap(), head, "a repeat changes nothing");
}

#[tokio::test]
async fn an_owner_who_was_full_before_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(1)).await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();

    let refused = tenant.import("alice", &["bob", "nobody", "carol"]).await;
    let details = expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
    assert_eq!(metadata(&details, "username"), "alice");
    assert_eq!(metadata(&details, "limit"), "1");
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "user:alice");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn a_full_owner_who_names_nobody_new_is_answered() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(1)).await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();

    let done = tenant.import("alice", &["bob", "nobody", "alice"]).await.unwrap();
    assert_eq!(done, outcome(&["bob"], &["nobody"], &[], &["alice"]));
}

#[tokio::test]
async fn where_room_runs_out_the_rest_exceed_the_limit() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(3)).await;
    tenant.create(&["alice", "bob", "carol", "dave", "erin", "frank"]).await;
    tenant.befriend("alice", "dave").await.unwrap();

    let done = tenant.import("alice", &["frank", "dave", "carol", "bob", "erin"]).await.unwrap();
    assert_eq!(done, outcome(&["frank", "dave", "carol"], &[], &["bob", "erin"], &[]));
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["carol", "dave", "frank"]);
    assert_eq!(tenant.head("bob").await.unwrap().version, 0, "nothing of bob's changed");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_full_friend_takes_no_room_from_those_after() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(2)).await;
    tenant.create(&["alice", "bob", "carol", "dave", "full", "stuffed"]).await;
    for full in ["full", "stuffed"] {
        tenant.create(&[&format!("{full}1"), &format!("{full}2")]).await;
        tenant.import(full, &[&format!("{full}1"), &format!("{full}2")]).await.unwrap();
    }

    let done = tenant.import("alice", &["full", "bob", "stuffed", "carol", "dave"]).await.unwrap();
    assert_eq!(done, outcome(&["bob", "carol"], &[], &["full", "stuffed", "dave"], &[]));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn an_import_holds_one_to_ten_names() {
    let (_app, tenant) = acme(&["alice"]).await;
    let crowd = tenant.crowd("u", 11).await;
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();

    let refused = tenant.import("alice", &crowd).await;
    let details = expect_error(refused, Code::InvalidArgument, "BATCH_TOO_LARGE");
    assert_eq!((metadata(&details, "field"), metadata(&details, "max")), ("usernames", "10"));
    let refused = tenant.import("alice", &["u000"; 11]).await;
    expect_error(refused, Code::InvalidArgument, "BATCH_TOO_LARGE");
    let refused = tenant.import("alice", &[]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(metadata(&details, "field"), "usernames");
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());

    assert_eq!(tenant.import("alice", &crowd[..10]).await.unwrap().succeeded, crowd[..10]);
}

#[tokio::test]
async fn the_owner_of_an_import_must_exist() {
    let (_app, tenant) = acme(&["bob"]).await;
    let refused = tenant.import("nobody", &["bob"]).await;
    let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(metadata(&details, "username"), "nobody");
    let refused = tenant.import("no body", &["bob"]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
    assert_eq!(metadata(&details, "field"), "owner");
}

#[tokio::test]
async fn an_imported_friend_has_the_remark_from_before() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.import("alice", &["bob"]).await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "from work");
}
