//! "May A write to B?"

use tonic::Code;

use crate::support::{expect_error, metadata, tenant::acme};

#[tokio::test]
async fn a_relation_has_every_combination_of_friend_blocks_and_blocked_by() {
    // Each other is named by what they are to alice.
    let others = ["friend", "blocks", "blocked_by", "f-b", "f-bb", "b-bb", "f-b-bb", "stranger"];
    let (_app, tenant) = acme(&others).await;
    tenant.create(&["alice"]).await;
    for friend in ["friend", "f-b", "f-bb", "f-b-bb"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    tenant.block("alice", &["blocks", "f-b", "b-bb", "f-b-bb"]).await.unwrap();
    for blocker in ["blocked_by", "f-bb", "b-bb", "f-b-bb"] {
        tenant.block(blocker, &["alice"]).await.unwrap();
    }

    let expected = [
        (true, false, false),
        (false, true, false),
        (false, false, true),
        (true, true, false),
        (true, false, true),
        (false, true, true),
        (true, true, true),
        (false, false, false),
    ];
    assert_eq!(tenant.relations_of("alice", &others).await.unwrap(), expected);
    // Each of the others sees the same from their side.
    for (other, (is_friend, blocks, blocked_by)) in others.iter().zip(expected) {
        let mirrored = tenant.relations_of(other, &["alice"]).await.unwrap();
        assert_eq!(mirrored, [(is_friend, blocked_by, blocks)], "{other}");
    }
}

#[tokio::test]
async fn what_has_ended_is_no_relation() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["bob"]).await.unwrap();
    tenant.unfriend("bob", "alice").await.unwrap();
    tenant.unblock("alice", "bob").await.unwrap();
    for (user, other) in [("alice", "bob"), ("bob", "alice")] {
        let relations = tenant.relations_of(user, &[other]).await.unwrap();
        assert_eq!(relations, [(false, false, false)]);
    }
}

#[tokio::test]
async fn every_name_asked_for_has_its_answer_also_twice_and_unknown_and_oneself() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let asked = ["nobody", "bob", "alice", "bob"];
    let (none, friend) = ((false, false, false), (true, false, false));
    let relations = tenant.relations_of("ALICE", &asked).await.unwrap();
    assert_eq!(relations, [none, friend, none, friend]);
}

#[tokio::test]
async fn the_user_who_asks_must_exist() {
    let (_app, tenant) = acme(&["bob"]).await;
    let refused = tenant.relations_of("nobody", &["bob"]).await;
    let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(metadata(&details, "username"), "nobody");
}

#[tokio::test]
async fn a_malformed_name_is_refused_with_its_place() {
    let (_app, tenant) = acme(&["bob"]).await;
    for (user, others, field) in
        [("bob", &["alice", "a b"][..], "others[1]"), ("b b", &["alice"][..], "username")]
    {
        let refused = tenant.relations_of(user, others).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
        assert_eq!(metadata(&details, "field"), field);
    }
}

#[tokio::test]
async fn one_to_a_hundred_others_can_be_asked_for() {
    let (_app, tenant) = acme(&["alice"]).await;
    assert_eq!(tenant.relations_of("alice", &["bob"; 100]).await.unwrap().len(), 100);

    let refused = tenant.relations_of("alice", &["bob"; 101]).await;
    let details = expect_error(refused, Code::InvalidArgument, "BATCH_TOO_LARGE");
    assert_eq!((metadata(&details, "field"), metadata(&details, "max")), ("others", "100"));
    let refused = tenant.relations_of("alice", &[]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(metadata(&details, "field"), "others");
}

#[tokio::test]
async fn asking_changes_nothing() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.block("alice", &["bob"]).await.unwrap();
    let before = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    tenant.relations_of("alice", &["bob"]).await.unwrap();
    let after = (tenant.head("alice").await.unwrap(), tenant.head("bob").await.unwrap());
    assert_eq!(after, before);
}
