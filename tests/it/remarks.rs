//! Remarks: what an owner calls a friend, for the owner's eyes alone.

use tonic::Code;

use crate::support::{expect_error, metadata, tenant::acme};

#[tokio::test]
async fn a_remark_is_the_owners_alone() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let bobs = tenant.head("bob").await.unwrap();

    let entry = tenant.remark("alice", "bob", "from work").await.unwrap();
    assert_eq!((entry.username.as_str(), entry.remark.as_str()), ("bob", "from work"));
    assert_eq!(tenant.entry("alice", "bob").await.unwrap(), entry);
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().remark, "");
    assert_eq!(tenant.head("bob").await.unwrap(), bobs, "nothing of bob's changed");
}

#[tokio::test]
async fn the_same_remark_again_is_no_change() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();

    let first = tenant.remark("alice", "bob", "from work").await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap().version, first.version);
    let again = tenant.remark("alice", "bob", "from work").await.unwrap();
    assert_eq!(again, first, "not even its version and time");
    assert_eq!(tenant.head("alice").await.unwrap().version, first.version);
}

#[tokio::test]
async fn an_empty_remark_clears() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let set = tenant.remark("alice", "bob", "from work").await.unwrap();

    let cleared = tenant.remark("alice", "bob", "").await.unwrap();
    assert_eq!((cleared.remark.as_str(), cleared.version), ("", set.version + 1));
    assert_eq!(tenant.remark("alice", "bob", "").await.unwrap(), cleared);
}

#[tokio::test]
async fn a_remark_holds_a_hundred_characters_of_any_script() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();

    for remark in ["a".repeat(100), "好".repeat(100), "👷".repeat(100), " \n\t\"'\\%_".to_owned()]
    {
        assert_eq!(tenant.remark("alice", "bob", &remark).await.unwrap().remark, remark);
        assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, remark);
    }
}

#[tokio::test]
async fn a_remark_too_long_or_with_nul_is_refused_and_the_old_one_stays() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let kept = tenant.remark("alice", "bob", "from work").await.unwrap();

    for remark in ["a".repeat(101), "好".repeat(101), "👷".repeat(101), "a\0b".to_owned()] {
        let refused = tenant.remark("alice", "bob", &remark).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_REMARK");
        assert_eq!(metadata(&details, "field"), "remark");
    }
    assert_eq!(tenant.entry("alice", "bob").await.unwrap(), kept);
}

#[tokio::test]
async fn a_remark_comes_back_when_the_two_become_friends_again() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.remark("bob", "alice", "my boss").await.unwrap();

    tenant.unfriend("bob", "alice").await.unwrap();
    tenant.befriend("bob", "alice").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "from work");
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().remark, "my boss");
}

#[tokio::test]
async fn a_removal_that_clears_forgets_the_owners_remark_and_keeps_the_others() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.remark("bob", "alice", "my boss").await.unwrap();

    tenant.unfriend_and_forget("alice", "bob").await.unwrap();
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "");
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().remark, "my boss");
}

#[tokio::test]
async fn a_kept_remark_can_be_cleared_after_the_removal() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.remark("bob", "alice", "my boss").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    let before = tenant.head("alice").await.unwrap();

    tenant.unfriend_and_forget("alice", "bob").await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap(), before, "no list changed");
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "");
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().remark, "my boss");
}

#[tokio::test]
async fn those_who_are_no_friends_have_no_entry_and_no_remark() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.unfriend("alice", "carol").await.unwrap();

    for friend in ["bob", "carol", "alice"] {
        for refused in
            [tenant.remark("alice", friend, "x").await, tenant.entry("alice", friend).await]
        {
            let details = expect_error(refused, Code::FailedPrecondition, "NOT_FRIENDS");
            assert_eq!(metadata(&details, "owner"), "alice");
            assert_eq!(metadata(&details, "friend"), friend);
            let violation = &details.precondition_failure().unwrap().violations[0];
            assert_eq!(violation.r#type, "NOT_FRIENDS");
        }
    }
}

#[tokio::test]
async fn removing_all_friends_clears_the_owners_remarks_and_no_others() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    for friend in ["bob", "carol"] {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.remark("alice", friend, "an old remark").await.unwrap();
        tenant.remark(friend, "alice", "my boss").await.unwrap();
    }
    // The remark on carol is one that is kept for a re-add.
    tenant.unfriend("alice", "carol").await.unwrap();

    assert_eq!(tenant.unfriend_all("alice").await.unwrap(), 1);
    for friend in ["bob", "carol"] {
        tenant.befriend("alice", friend).await.unwrap();
        assert_eq!(tenant.entry("alice", friend).await.unwrap().remark, "");
        assert_eq!(tenant.entry(friend, "alice").await.unwrap().remark, "my boss");
    }
}
