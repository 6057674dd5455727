//! Friendships.

use befriend::proto;
use tonic::Code;

use crate::support::{
    TestApp, expect_error, invariants, metadata,
    tenant::{acme, friend_limit, strings},
};

#[tokio::test]
async fn a_friendship_stands_in_both_lists_and_is_made_once() {
    let (app, tenant) = acme(&["alice", "bob"]).await;

    let profile = tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(profile.username, "bob");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
    assert!(tenant.entry("alice", "bob").await.unwrap().bidirectional);

    let before = tenant.head("alice").await.unwrap();
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("bob", "alice").await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap(), before, "nothing changed");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn the_answer_of_an_add_or_removal_is_the_friends_whole_profile() {
    let (_app, tenant) = acme(&["alice"]).await;
    let bob = tenant.create_one("bob", "Bob 👷").await.unwrap();
    assert_eq!((bob.nickname.as_str(), bob.activated), ("Bob 👷", true));

    assert_eq!(tenant.befriend("alice", "bob").await.unwrap(), bob);
    assert_eq!(tenant.unfriend("alice", "bob").await.unwrap(), bob);
    assert_eq!(tenant.unfriend("alice", "bob").await.unwrap(), bob, "no friend any more");
}

#[tokio::test]
async fn the_answer_of_an_add_has_the_owners_entry_new_old_or_back_again() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let new = tenant.add_friend("alice", "bob", "from the web").await.unwrap().friend.unwrap();
    assert_eq!(new, tenant.entry("alice", "bob").await.unwrap());
    assert_eq!((new.server_extension.as_str(), new.version), ("from the web", 1));
    tenant.remark("alice", "bob", "Bobby").await.unwrap();
    let old = tenant.add_friend("alice", "bob", "again").await.unwrap().friend.unwrap();
    assert_eq!(old, tenant.entry("alice", "bob").await.unwrap());
    assert_eq!((old.remark.as_str(), old.server_extension.as_str()), ("Bobby", "from the web"));
    tenant.unfriend("alice", "bob").await.unwrap();
    let back = tenant.add_friend("alice", "bob", "").await.unwrap().friend.unwrap();
    assert_eq!(back, tenant.entry("alice", "bob").await.unwrap());
    assert_eq!((back.remark.as_str(), back.server_extension.as_str()), ("Bobby", ""));
}

#[tokio::test]
async fn a_removal_ends_the_friendship_on_both_sides_and_is_made_once() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();

    tenant.unfriend("bob", "alice").await.unwrap();
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert!(tenant.friends_of("bob").await.unwrap().is_empty());

    let before = tenant.head("alice").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.unfriend("bob", "alice").await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap(), before, "nothing changed");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn nobody_becomes_the_friend_of_a_stranger_to_the_app() {
    let (_app, tenant) = acme(&["alice"]).await;

    for (owner, friend) in [("alice", "nobody"), ("nobody", "alice")] {
        let refused = tenant.befriend(owner, friend).await;
        let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "nobody");
        assert_eq!(details.resource_info().unwrap().resource_name, "nobody");
    }
}

#[tokio::test]
async fn where_both_users_are_missing_the_owner_is_named() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    // Both orders, since users are looked up in the order of their keys.
    for (owner, friend) in [("first", "second"), ("second", "first")] {
        let refusals = [
            tenant.befriend(owner, friend).await.map(drop),
            tenant.unfriend(owner, friend).await.map(drop),
            tenant.remark(owner, friend, "x").await.map(drop),
            tenant.entry(owner, friend).await.map(drop),
        ];
        for refused in refusals {
            let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
            assert_eq!(metadata(&details, "username"), owner);
        }
    }
}

#[tokio::test]
async fn nobody_is_their_own_friend_in_whatever_case_they_are_written() {
    let (_app, tenant) = acme(&["alice"]).await;

    for refused in [
        tenant.befriend("alice", "alice").await,
        tenant.befriend("alice", "ALICE").await,
        tenant.unfriend("Alice", "alice").await,
    ] {
        let details = expect_error(refused, Code::InvalidArgument, "SELF_RELATION");
        assert_eq!(metadata(&details, "username"), "alice");
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!(violation.field, "friend");
    }
}

#[tokio::test]
async fn a_username_is_the_same_user_in_any_case() {
    let (_app, tenant) = acme(&["Alice", "BOB"]).await;

    tenant.befriend("aLICE", "bob").await.unwrap();
    assert_eq!(tenant.friends_of("ALICE").await.unwrap(), ["bob"]);
    tenant.remark("alice", "Bob", "the builder").await.unwrap();
    assert_eq!(tenant.entry("Alice", "BOB").await.unwrap().remark, "the builder");
    tenant.unfriend("ALICE", "Bob").await.unwrap();
    assert!(tenant.friends_of("bob").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_username_is_refused_with_its_field() {
    let (_app, tenant) = acme(&["alice"]).await;

    for (owner, friend, field) in [
        ("", "alice", "owner"),
        ("a b", "alice", "owner"),
        ("alice", "", "friend"),
        ("alice", "bob\0", "friend"),
        ("alice", "bøb", "friend"),
        ("alice", &"b".repeat(65), "friend"),
    ] {
        let refused = tenant.befriend(owner, friend).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
        assert_eq!(metadata(&details, "field"), field);
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
}

#[tokio::test]
async fn a_server_extension_belongs_to_the_owners_entry_until_its_end() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;

    let longest = "外".repeat(256);
    tenant.befriend_with("alice", "bob", &longest).await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().server_extension, longest);
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().server_extension, "");

    tenant.befriend_with("alice", "bob", "another").await.unwrap();
    let entry = tenant.entry("alice", "bob").await.unwrap();
    assert_eq!(entry.server_extension, longest, "friends already: nothing changes");

    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().server_extension, "");
}

#[tokio::test]
async fn a_server_extension_too_long_or_with_nul_makes_no_friends() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;

    for extension in ["x".repeat(257), "外".repeat(257), "a\0".to_owned()] {
        let refused = tenant.befriend_with("alice", "bob", &extension).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_EXTENSION");
        assert_eq!(metadata(&details, "field"), "server_extension");
    }
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_full_list_refuses_one_more_on_either_side() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(2)).await;
    tenant.create(&["alice", "bob", "carol", "dave"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();

    for (owner, friend) in [("alice", "dave"), ("dave", "alice")] {
        let refused = tenant.befriend(owner, friend).await;
        let details = expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
        assert_eq!(metadata(&details, "username"), "alice");
        assert_eq!(metadata(&details, "limit"), "2");
        assert_eq!(details.quota_failure().unwrap().violations[0].subject, "user:alice");
        assert!(details.retry_info().is_none(), "a retry does not help");
    }
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "carol"]);
    let daves = tenant.head("dave").await.unwrap();
    assert_eq!((daves.friend_count, daves.version), (0, 0), "nothing of dave's changed");

    // Friends already need no room, and a removal makes some.
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.unfriend("bob", "alice").await.unwrap();
    tenant.befriend("dave", "alice").await.unwrap();
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_limit_of_nothing_allows_no_friends() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", friend_limit(0)).await;
    tenant.create(&["alice", "bob"]).await;
    let refused = tenant.befriend("alice", "bob").await;
    let details = expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
    assert_eq!(metadata(&details, "username"), "alice", "the owner first");
}

#[tokio::test]
async fn a_limit_below_what_a_list_holds_removes_nothing_and_refuses_more() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol"] {
        tenant.befriend("alice", friend).await.unwrap();
    }

    app.set_limits(&tenant, friend_limit(1)).await;
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "carol"]);
    tenant.remark("alice", "bob", "still here").await.unwrap();
    tenant.unfriend("alice", "carol").await.unwrap();
    let refused = tenant.befriend("alice", "dave").await;
    expect_error(refused, Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED");
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "dave").await.unwrap();
}

#[tokio::test]
async fn removing_all_friends_ends_each_on_both_sides_and_tells_how_many() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    tenant.befriend("bob", "carol").await.unwrap();
    tenant.unfriend("alice", "dave").await.unwrap();
    let before = tenant.head("alice").await.unwrap();

    assert_eq!(tenant.unfriend_all("alice").await.unwrap(), 2);
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["carol"], "no friendship of others");
    let after = tenant.head("alice").await.unwrap();
    assert_eq!((after.friend_count, after.version), (0, before.version + 2));

    assert_eq!(tenant.unfriend_all("alice").await.unwrap(), 0);
    assert_eq!(tenant.head("alice").await.unwrap(), after, "nothing changed");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn removing_all_friends_leaves_the_block_list_alone() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();

    tenant.unfriend_all("alice").await.unwrap();
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["carol", "bob"]);
    assert_eq!(tenant.blocked_by("bob").await.unwrap(), ["alice"]);
    let refused = tenant.unfriend_all("nobody").await;
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn blocks_do_not_keep_an_app_from_making_friends() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.block("alice", &["bob"]).await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();

    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["bob"], "the block stands");
}

#[tokio::test]
async fn every_change_takes_one_version_of_each_list_it_changes() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let versions = async || {
        let alice = tenant.head("alice").await.unwrap().version;
        (alice, tenant.head("bob").await.unwrap().version)
    };
    assert_eq!(versions().await, (0, 0));
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(versions().await, (1, 1));
    tenant.remark("alice", "bob", "x").await.unwrap();
    assert_eq!(versions().await, (2, 1));
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    assert_eq!(versions().await, (4, 1));
    tenant.unfriend("bob", "alice").await.unwrap();
    assert_eq!(versions().await, (5, 2));
    tenant.befriend("bob", "alice").await.unwrap();
    assert_eq!(versions().await, (6, 3));
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().version, 6);
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().version, 3);
    tenant.unfriend_all("alice").await.unwrap();
    assert_eq!(versions().await, (7, 4));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_list_tells_remarks_only_when_asked() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();

    let list = async |include_remark| {
        let request = proto::ListFriendsRequest {
            owner: "alice".to_owned(),
            include_remark,
            ..proto::ListFriendsRequest::default()
        };
        let page = tenant.friends().list_friends(request).await.unwrap().into_inner();
        page.entries.into_iter().map(|entry| (entry.username, entry.remark)).collect::<Vec<_>>()
    };
    let [bob, carol]: [String; 2] = strings(&["bob", "carol"]).try_into().unwrap();
    assert_eq!(list(false).await, [(bob.clone(), None), (carol.clone(), None)]);
    let told = [(bob, Some("from work".to_owned())), (carol, Some(String::new()))];
    assert_eq!(list(true).await, told);
}

#[tokio::test]
async fn all_friends_come_with_their_number() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let all = async |owner: &str| {
        let request = proto::ListAllFriendsRequest { owner: owner.to_owned() };
        tenant.friends().list_all_friends(request).await.map(tonic::Response::into_inner)
    };
    assert_eq!(all("alice").await.unwrap().total_size, 0);
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.befriend("bob", "alice").await.unwrap();
    let answer = all("alice").await.unwrap();
    assert_eq!((answer.usernames, answer.total_size), (strings(&["bob", "carol"]), 2));
    expect_error(all("nobody").await, Code::NotFound, "USER_NOT_FOUND");
}
