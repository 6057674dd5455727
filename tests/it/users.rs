//! Users: everybody who can have friends.

use befriend::{clock::Clock, proto};
use time::{Duration, OffsetDateTime};
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, expect_error, metadata, tenant::acme};

async fn batch_create(tenant: &Tenant, names: &[&str]) -> Result<Vec<proto::User>, Status> {
    let new =
        |name: &&str| proto::NewUser { username: (*name).to_owned(), nickname: String::new() };
    let request = proto::BatchCreateUsersRequest { users: names.iter().map(new).collect() };
    Ok(tenant.users().batch_create_users(request).await?.into_inner().users)
}

async fn update(
    tenant: &Tenant,
    username: &str,
    nickname: Option<&str>,
) -> Result<proto::User, Status> {
    let request = proto::UpdateUserRequest {
        username: username.to_owned(),
        nickname: nickname.map(str::to_owned),
        update_mask: None,
    };
    Ok(tenant.users().update_user(request).await?.into_inner().user.unwrap())
}

async fn set_activated(
    tenant: &Tenant,
    username: &str,
    activated: bool,
) -> Result<proto::User, Status> {
    let username = username.to_owned();
    let user = if activated {
        let request = proto::ActivateUserRequest { username };
        tenant.users().activate_user(request).await?.into_inner().user
    } else {
        let request = proto::DeactivateUserRequest { username };
        tenant.users().deactivate_user(request).await?.into_inner().user
    };
    Ok(user.unwrap())
}

fn usernames(users: &[proto::User]) -> Vec<&str> {
    users.iter().map(|user| user.username.as_str()).collect()
}

#[tokio::test]
async fn a_new_user_is_active_has_empty_lists_and_a_name_in_lower_case() {
    let (_app, tenant) = acme(&[]).await;
    let alice = tenant.create_one("Alice", "Ali 🌊").await.unwrap();
    assert_eq!((alice.username.as_str(), alice.nickname.as_str()), ("alice", "Ali 🌊"));
    assert!(alice.activated);
    assert!(uuid::Uuid::parse_str(&alice.uuid).is_ok());
    assert!(alice.create_time.is_some());
    assert_eq!(alice.create_time, alice.update_time);
    assert_eq!(tenant.profile("ALICE").await.unwrap(), alice);
    let empty = proto::ListSummary::default();
    assert_eq!(tenant.head("alice").await.unwrap(), empty);
}

#[tokio::test]
async fn a_name_belongs_to_one_user_in_whatever_case() {
    let (_app, tenant) = acme(&[]).await;
    let first = tenant.create_one("alice", "the first").await.unwrap();
    for name in ["alice", "ALICE"] {
        let refused = tenant.create_one(name, "the second").await;
        let details = expect_error(refused, Code::AlreadyExists, "USER_ALREADY_EXISTS");
        assert_eq!(metadata(&details, "username"), "alice");
        assert_eq!(details.resource_info().unwrap().resource_name, "alice");
    }
    assert_eq!(tenant.profile("alice").await.unwrap(), first);
}

#[tokio::test]
async fn a_username_has_a_closed_alphabet_and_up_to_64_bytes() {
    let (_app, tenant) = acme(&[]).await;
    let longest = "a".repeat(64);
    for good in ["0", "a_b.c-d@e", &longest] {
        assert_eq!(tenant.create_one(good, "").await.unwrap().username, good);
    }
    for bad in ["", "a b", "a/b", "a#b", "ä", "a\0", "ａ", &"a".repeat(65)] {
        let refused = tenant.create_one(bad, "").await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
        assert_eq!(metadata(&details, "field"), "user.username");
    }
    // A request without a user names nobody.
    let refused = tenant.users().create_user(proto::CreateUserRequest { user: None }).await;
    expect_error(refused, Code::InvalidArgument, "INVALID_USERNAME");
}

#[tokio::test]
async fn a_nickname_holds_a_hundred_characters() {
    let (_app, tenant) = acme(&["bob"]).await;
    let longest = "好".repeat(100);
    assert_eq!(tenant.create_one("alice", &longest).await.unwrap().nickname, longest);
    assert_eq!(update(&tenant, "bob", Some(&longest)).await.unwrap().nickname, longest);
    for bad in ["好".repeat(101), "a\0b".to_owned()] {
        let refused = tenant.create_one("carol", &bad).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "user.nickname");
        let refused = update(&tenant, "bob", Some(&bad)).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "nickname");
    }
    expect_error(tenant.profile("carol").await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_batch_creates_all_in_the_order_given() {
    let (_app, tenant) = acme(&[]).await;
    let users = batch_create(&tenant, &["zoe", "ALICE", "mike"]).await.unwrap();
    assert_eq!(usernames(&users), ["zoe", "alice", "mike"]);
    for user in users {
        assert_eq!(tenant.profile(&user.username).await.unwrap(), user);
    }
}

#[tokio::test]
async fn a_batch_with_a_taken_or_repeated_name_creates_nobody() {
    let (_app, tenant) = acme(&["alice"]).await;
    for (names, named) in [(["bob", "alice", "carol"], "alice"), (["bob", "carol", "BOB"], "bob")] {
        let refused = batch_create(&tenant, &names).await;
        let details = expect_error(refused, Code::AlreadyExists, "USER_ALREADY_EXISTS");
        assert_eq!(metadata(&details, "username"), named);
    }
    for name in ["bob", "carol"] {
        expect_error(tenant.profile(name).await, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_batch_with_a_malformed_user_tells_which() {
    let (_app, tenant) = acme(&[]).await;
    let details = expect_error(
        batch_create(&tenant, &["bob", "carol", "da ve"]).await,
        Code::InvalidArgument,
        "INVALID_USERNAME",
    );
    assert_eq!(metadata(&details, "field"), "users[2].username");
    expect_error(tenant.profile("bob").await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_batch_holds_one_to_sixty_users() {
    let (_app, tenant) = acme(&[]).await;
    let names: Vec<String> = (0..61).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();

    let refused = batch_create(&tenant, &names).await;
    let details = expect_error(refused, Code::InvalidArgument, "BATCH_TOO_LARGE");
    assert_eq!((metadata(&details, "field"), metadata(&details, "max")), ("users", "60"));
    let refused = batch_create(&tenant, &[]).await;
    let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(metadata(&details, "field"), "users");

    let users = batch_create(&tenant, &names[..60]).await.unwrap();
    assert_eq!(usernames(&users), names[..60]);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_an_empty_nickname_clears() {
    let start = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let clock = Clock::stopped_at(start);
    let app = TestApp::with(&[], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    let alice = tenant.create_one("alice", "Ali").await.unwrap();
    clock.advance(Duration::seconds(1));

    assert_eq!(update(&tenant, "alice", None).await.unwrap(), alice, "absent: nothing changes");
    let renamed = update(&tenant, "alice", Some("Lissy")).await.unwrap();
    assert_eq!((renamed.nickname.as_str(), renamed.create_time), ("Lissy", alice.create_time));
    assert_eq!(renamed.update_time.unwrap().seconds, alice.update_time.unwrap().seconds + 1);
    assert_eq!(update(&tenant, "alice", Some("")).await.unwrap().nickname, "");
    assert_eq!(tenant.head("alice").await.unwrap().version, 0, "no list changed");
    for nickname in [None, Some("x")] {
        let refused = update(&tenant, "nobody", nickname).await;
        expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_banned_user_is_marked_once_and_keeps_all_lists() {
    let start = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let clock = Clock::stopped_at(start);
    let app = TestApp::with(&[], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let seconds = |user: &proto::User| user.update_time.unwrap().seconds - start.unix_timestamp();

    clock.advance(Duration::seconds(1));
    let banned = set_activated(&tenant, "alice", false).await.unwrap();
    assert_eq!((banned.activated, seconds(&banned)), (false, 1));
    clock.advance(Duration::seconds(1));
    assert_eq!(set_activated(&tenant, "alice", false).await.unwrap(), banned, "no change");
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
    tenant.unfriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.befriend("bob", "alice").await.unwrap(), banned, "a mark, no lock");

    let active = set_activated(&tenant, "alice", true).await.unwrap();
    assert_eq!((active.activated, seconds(&active)), (true, 2));
    clock.advance(Duration::seconds(1));
    assert_eq!(set_activated(&tenant, "alice", true).await.unwrap(), active, "no change");
    for activated in [true, false] {
        let refused = set_activated(&tenant, "nobody", activated).await;
        expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn users_are_listed_in_the_order_of_their_names() {
    let (_app, tenant) = acme(&["b", "a_", "a-", "a.b", "a", "a0", "@", "9", "aa"]).await;
    let request = proto::ListUsersRequest { page_size: 100, page_token: String::new() };
    let page = tenant.users().list_users(request).await.unwrap().into_inner();
    // By bytes, whatever the locale of the database.
    assert_eq!(usernames(&page.users), ["9", "@", "a", "a-", "a.b", "a0", "a_", "aa", "b"]);
    assert_eq!(page.users[0], tenant.profile("9").await.unwrap());
    assert_eq!(page.next_page_token, "");
}
