//! Friendships.

use crate::support::{TestApp, expect_error, metadata};
use tonic::Code;

#[tokio::test]
async fn a_friendship_stands_in_both_lists_and_is_made_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;

    let profile = tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(profile.username, "bob");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);

    let before = tenant.head("alice").await.unwrap();
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("bob", "alice").await.unwrap();
    assert_eq!(tenant.head("alice").await.unwrap(), before, "nothing changed");
}

#[tokio::test]
async fn nobody_becomes_the_friend_of_a_stranger_to_the_app() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;

    for (owner, friend) in [("alice", "nobody"), ("nobody", "alice")] {
        let refused = tenant.befriend(owner, friend).await;
        let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "nobody");
        assert_eq!(details.resource_info().unwrap().resource_name, "nobody");
    }
}
