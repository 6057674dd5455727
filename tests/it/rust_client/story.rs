//! One story of what an app does: friends, remarks, blocks, checks, syncs and watches.

use befriend_client::{
    BlockList, Client, FriendList,
    proto::{
        BlockUsersRequest, CheckRelationsRequest, ErrorReason, ListFriendsRequest,
        ListUsersRequest, RemoveFriendRequest, SetRemarkRequest,
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tonic::Code;

use super::{add, client_of};
use crate::support::tenant::{acme, strings};

#[tokio::test]
async fn friends_remarks_blocks_and_checks() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let client = client_of(&app, &tenant);

    let added = client.friends().add_friend(add("alice", "bob")).await.unwrap().into_inner();
    assert_eq!(added.friend.unwrap().username, "bob");
    let remark = SetRemarkRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        remark: "Bob from work".to_owned(),
    };
    client.friends().set_remark(remark).await.unwrap();
    let block = BlockUsersRequest { owner: "carol".to_owned(), usernames: strings(&["alice"]) };
    client.blocks().block_users(block).await.unwrap();

    let check =
        CheckRelationsRequest { username: "alice".to_owned(), others: strings(&["bob", "carol"]) };
    let relations = client.relations().check_relations(check).await.unwrap().into_inner().relations;
    let seen: Vec<_> = relations
        .iter()
        .map(|relation| (relation.username.as_str(), relation.is_friend, relation.blocked_by))
        .collect();
    assert_eq!(seen, [("bob", true, false), ("carol", false, true)]);

    let missing = client.friends().add_friend(add("alice", "nobody")).await.unwrap_err();
    let missing = befriend_client::Error::from(missing);
    assert_eq!(missing.reason(), Some(ErrorReason::UserNotFound));
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(missing.metadata()["username"], "nobody");
    assert_eq!(missing.retry_after(), None);
    assert!(missing.to_string().starts_with("USER_NOT_FOUND: "), "{missing}");
}

#[tokio::test]
async fn entries_walks_over_all_pages() {
    let names = ["alice", "b1", "b2", "b3", "b4", "b5"];
    let (app, tenant) = acme(&names).await;
    let client = client_of(&app, &tenant);
    for name in &names[1..] {
        client.friends().add_friend(add("alice", name)).await.unwrap();
    }
    let request = ListFriendsRequest {
        owner: "alice".to_owned(),
        page_size: 2,
        ..ListFriendsRequest::default()
    };
    let entries: Vec<_> = client.entries(request).try_collect().await.unwrap();
    let friends: Vec<_> = entries.into_iter().map(|entry| entry.username).collect();
    assert_eq!(friends, names[1..]);
    let users = client.entries(ListUsersRequest { page_size: 5, ..ListUsersRequest::default() });
    assert_eq!(users.try_collect::<Vec<_>>().await.unwrap().len(), names.len());

    let nobody = ListFriendsRequest { owner: "nobody".to_owned(), ..ListFriendsRequest::default() };
    let mut nobody = client.entries(nobody);
    let error = nobody.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(ErrorReason::UserNotFound));
    assert!(nobody.next().await.is_none(), "the stream ends after an error");
}

#[tokio::test]
async fn a_copy_is_brought_up_to_date() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let client = client_of(&app, &tenant);
    client.friends().add_friend(add("alice", "bob")).await.unwrap();
    let mut list = FriendList::default();
    client.sync_friends("alice", &mut list).await.unwrap();
    assert_eq!(list.friends.keys().collect::<Vec<_>>(), ["bob"]);

    let gone = RemoveFriendRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        clear_remark: false,
    };
    client.friends().remove_friend(gone).await.unwrap();
    client.friends().add_friend(add("alice", "carol")).await.unwrap();
    client.sync_friends("alice", &mut list).await.unwrap();
    assert_eq!(list.friends.keys().collect::<Vec<_>>(), ["carol"]);

    // Of a list that was set back.
    let now = list.version;
    list.version += 1_000;
    list.friends.insert("ghost".to_owned(), list.friends["carol"].clone());
    client.sync_friends("alice", &mut list).await.unwrap();
    assert_eq!(list.friends.keys().collect::<Vec<_>>(), ["carol"]);
    assert_eq!(list.version, now);

    let block = BlockUsersRequest { owner: "alice".to_owned(), usernames: strings(&["bob"]) };
    client.blocks().block_users(block).await.unwrap();
    let mut blocks = BlockList::default();
    client.sync_blocks("alice", &mut blocks).await.unwrap();
    assert_eq!(blocks.usernames.iter().collect::<Vec<_>>(), ["bob"]);
}

#[tokio::test]
async fn the_example_tells_its_story_to_the_end() {
    let (app, tenant) = acme(&[]).await;
    let client = client_of(&app, &tenant);
    super::example::tell(&client).await.unwrap();
    super::example::receive().unwrap();
    // It is told in an app without users.
    let again = super::example::tell(&client).await.unwrap_err();
    assert_eq!(again.reason(), Some(ErrorReason::UserAlreadyExists));
}

/// Takes messages until the copy has these friends.
async fn until(
    messages: &mut (
             impl futures_util::Stream<
        Item = Result<befriend_client::proto::WatchFriendsResponse, befriend_client::Error>,
    > + Unpin
         ),
    list: &mut FriendList,
    friends: &[&str],
) {
    while list.friends.keys().ne(friends.iter().copied()) {
        list.apply(messages.next().await.expect("a watch goes on").unwrap());
    }
}

#[tokio::test]
async fn a_watch_goes_on_when_its_stream_ends_and_its_token_is_revoked() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let client = client_of(&app, &tenant);
    let mut list = FriendList::default();
    let mut messages = client.watch_friends("alice", 0);
    client.friends().add_friend(add("alice", "bob")).await.unwrap();
    until(&mut messages, &mut list, &["bob"]).await;

    // The service ends the stream, and accepts the token no longer.
    let revoked = sqlx::query("delete from tokens").execute(app.pool()).await.unwrap();
    assert!(revoked.rows_affected() > 0);
    client.tokens().revoke_token(befriend_client::proto::RevokeTokenRequest::default()).await.ok();
    let other = client_of(&app, &tenant);
    other.friends().add_friend(add("alice", "carol")).await.unwrap();
    until(&mut messages, &mut list, &["bob", "carol"]).await;
}

#[tokio::test]
async fn a_watch_of_a_list_that_was_set_back_starts_anew() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let client = client_of(&app, &tenant);
    client.friends().add_friend(add("alice", "bob")).await.unwrap();
    let mut messages = client.watch_friends("alice", 1_000);
    let first = messages.next().await.unwrap().unwrap();
    assert!(first.full_resync);
    let mut list = FriendList::default();
    list.apply(first);
    until(&mut messages, &mut list, &["bob"]).await;
}

#[tokio::test]
async fn a_watch_of_nobody_ends() {
    let (app, tenant) = acme(&[]).await;
    let client: Client = client_of(&app, &tenant);
    let mut messages = client.watch_friends("nobody", 0);
    let error = messages.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(ErrorReason::UserNotFound));
    assert!(messages.next().await.is_none());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_test_of_somebody_else_has_a_befriend_of_its_own() {
    use std::process::Command;

    use befriend_client::testing::Server;

    let mut command = Command::new(env!("CARGO_BIN_EXE_befriend"));
    command.env("BEFRIEND_LOG", "warn");
    let server = Server::start_by(command).await.unwrap();
    let app = server.new_app().await.unwrap();
    app.users(&["alice", "bob"]).await.unwrap();
    app.client().unwrap().friends().add_friend(add("alice", "bob")).await.unwrap();
    server.app().users(&["alice"]).await.expect("an app of its own");

    let mut wrong = Command::new(env!("CARGO_BIN_EXE_befriend"));
    wrong.env("BEFRIEND_LISTEN", "nowhere");
    let error = Server::start_by(wrong).await.err().expect("an error").to_string();
    assert!(error.contains("did not start") && error.contains("nowhere"), "{error}");
    let missing = Server::start_by(Command::new("/nowhere/befriend")).await;
    assert_eq!(missing.err().expect("an error").kind(), std::io::ErrorKind::NotFound);
}
