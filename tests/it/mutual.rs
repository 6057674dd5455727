//! Mutual friends: who is a friend of both of two users.

use befriend::proto;
use tonic::{Code, Status};

use crate::{
    deletions::delete_half,
    support::{Tenant, expect_error, metadata, tenant::acme},
};

async fn mutual(
    tenant: &Tenant,
    [username, other]: [&str; 2],
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<String>, String), Status> {
    let request = proto::ListMutualFriendsRequest {
        username: username.to_owned(),
        other: other.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let page = tenant.friends().list_mutual_friends(request).await?.into_inner();
    Ok((page.usernames, page.next_page_token))
}

#[tokio::test]
async fn mutual_friends_stand_in_both_lists() {
    let (_app, tenant) = acme(&["alice", "bob", "carol", "dave", "erin"]).await;
    for (owner, friend) in [
        ("alice", "bob"),
        ("alice", "dave"),
        ("alice", "carol"),
        ("bob", "carol"),
        ("bob", "dave"),
        ("bob", "erin"),
    ] {
        tenant.befriend(owner, friend).await.unwrap();
    }
    for pair in [["alice", "bob"], ["BOB", "alice"]] {
        let (names, token) = mutual(&tenant, pair, 0, "").await.unwrap();
        assert_eq!((names, token.as_str()), (vec!["carol".into(), "dave".into()], ""));
    }
    tenant.unfriend("dave", "bob").await.unwrap();
    assert_eq!(mutual(&tenant, ["alice", "bob"], 0, "").await.unwrap().0, ["carol"]);
    assert!(mutual(&tenant, ["alice", "erin"], 0, "").await.unwrap().0.contains(&"bob".to_owned()));
    assert!(mutual(&tenant, ["erin", "dave"], 0, "").await.unwrap().0.is_empty());
}

#[tokio::test]
async fn a_deleted_user_who_is_still_leaving_is_nobodys_mutual_friend() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.befriend("bob", friend).await.unwrap();
    }
    delete_half(&app, &["carol"]).await;
    assert_eq!(
        mutual(&tenant, ["alice", "bob"], 1, "").await.unwrap(),
        (vec!["dave".into()], String::new())
    );
}

#[tokio::test]
async fn mutual_friends_come_in_pages_in_username_order() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let crowd = tenant.crowd("u", 23).await;
    for name in &crowd {
        tenant.befriend("alice", name).await.unwrap();
    }
    for name in crowd.iter().rev().step_by(2) {
        tenant.befriend("bob", name).await.unwrap();
    }
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (names, next) = mutual(&tenant, ["alice", "bob"], 5, &token).await.unwrap();
        seen.extend(names);
        pages += 1;
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert_eq!(seen, crowd.iter().step_by(2).cloned().collect::<Vec<_>>());
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_list_of_mutual_friends_refuses_what_other_lists_refuse() {
    let (_app, tenant) = acme(&["alice", "bob", "carol", "dave", "erin"]).await;
    for friend in ["carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.befriend("bob", friend).await.unwrap();
    }
    for pair in [["alice", "nobody"], ["nobody", "alice"]] {
        let refused = mutual(&tenant, pair, 0, "").await;
        let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "nobody");
    }
    for size in [-1, 51] {
        let refused = mutual(&tenant, ["alice", "bob"], size, "").await;
        expect_error(refused, Code::InvalidArgument, "PAGE_SIZE_OUT_OF_RANGE");
    }
    let refused = mutual(&tenant, ["alice", "no body"], 0, "").await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
    assert_eq!(metadata(&details, "field"), "other");
    let (_, token) = mutual(&tenant, ["alice", "bob"], 1, "").await.unwrap();
    for pair in [["bob", "alice"], ["alice", "erin"]] {
        let refused = mutual(&tenant, pair, 1, &token).await;
        expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    }
}
