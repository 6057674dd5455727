//! A story of two friends: befriend, remark, list, watch, block, the question before every message, and a callback.
//!
//! With `befriend serve --ephemeral` in another terminal, which prints all three arguments:
//! `cargo run --example story -- http://127.0.0.1:40519 bfc_… bfs_…`

use std::time::{Duration, UNIX_EPOCH};

use befriend_client::{
    Client, Error, FriendList,
    proto::{
        AddFriendRequest, BatchCreateUsersRequest, BlockUsersRequest, CheckRelationsRequest,
        ErrorReason, ListFriendsRequest, NewUser, SetRemarkRequest,
    },
    webhook::{Rejected, Verifier},
};
use futures_util::TryStreamExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, client_id, client_secret] = arguments.as_slice() else {
        return Err("usage: story URL CLIENT_ID CLIENT_SECRET".into());
    };
    let client = Client::builder(url).credentials(client_id, client_secret).build()?;
    tell(&client).await?;
    receive()?;
    Ok(())
}

/// What an app calls.
pub async fn tell(client: &Client) -> Result<(), Error> {
    let users = ["alice", "bob", "carol"]
        .map(|name| NewUser { username: name.into(), ..Default::default() });
    let request = BatchCreateUsersRequest { users: users.into() };
    client.users().batch_create_users(request).await?;

    let request =
        AddFriendRequest { owner: "alice".into(), friend: "bob".into(), ..Default::default() };
    client.friends().add_friend(request).await?;
    client.friends().set_remark(remark("bob", "from the gym")).await?;

    let request =
        ListFriendsRequest { owner: "alice".into(), include_remark: true, ..Default::default() };
    let mut friends = client.entries(request);
    while let Some(friend) = friends.try_next().await? {
        println!("alice has the friend {}, {}", friend.username, friend.remark.unwrap_or_default());
    }

    let mut list = FriendList::default();
    let mut watch = client.watch_friends("alice", list.version);
    // It goes on with each change, for as long as it is asked.
    if let Some(message) = watch.try_next().await? {
        list.apply(message);
        println!("alice's list has {} entry at version {}", list.friends.len(), list.version);
    }

    let request = BlockUsersRequest { owner: "bob".into(), usernames: vec!["alice".into()] };
    client.blocks().block_users(request).await?;
    let others = vec!["bob".into(), "carol".into()];
    let request = CheckRelationsRequest { username: "alice".into(), others };
    for relation in client.relations().check_relations(request).await?.into_inner().relations {
        println!(
            "alice and {}: friends {}, blocked {}",
            relation.username, relation.is_friend, relation.blocked_by
        );
    }

    let refused = client.friends().set_remark(remark("carol", "who?")).await.map_err(Error::from);
    match refused {
        Err(error) if error.reason() == Some(ErrorReason::NotFriends) => {
            println!("refused: {error}");
        }
        Err(error) => return Err(error),
        Ok(_) => println!("not refused"),
    }
    Ok(())
}

fn remark(friend: &str, remark: &str) -> SetRemarkRequest {
    SetRemarkRequest { owner: "alice".into(), friend: friend.into(), remark: remark.into() }
}

/// What a receiver of callbacks does. The request is the sample of docs/callbacks.md, so it has a time of its own; a
/// receiver calls `verify`.
pub fn receive() -> Result<(), Rejected> {
    let verifier = Verifier::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("webhook-id", "evt_69f101dc9c2a0c184c2b02f27f5252ff_7"),
        ("webhook-timestamp", "1795262400"),
        ("webhook-signature", "v1,A/c+XkOVBe568Um32oeb8nR2Wof5hrTS9uEU3hkQd9s="),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    let body = br#"{"type":"friend.added","timestamp":"2026-11-21T12:00:00.123Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","version":7}}"#;
    let now = UNIX_EPOCH + Duration::from_secs(1_795_262_401);
    let event = verifier.verify_at(&headers, body, now)?.event()?;
    println!("{}: {} and {}", event.kind, event.data.owner, event.data.friend);
    Ok(())
}
