//! A story of two friends: befriend, remark, list, block, and the question before every message.
//!
//! With `befriend serve --ephemeral` in another terminal, which prints all three arguments:
//! `cargo run --example story -- http://127.0.0.1:40519 bfc_… bfs_…`

use befriend_client::{
    Client, Error,
    proto::{
        AddFriendRequest, BatchCreateUsersRequest, BlockUsersRequest, CheckRelationsRequest,
        ErrorReason, ListFriendsRequest, NewUser, SetRemarkRequest,
    },
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
    Ok(())
}

async fn tell(client: &Client) -> Result<(), Error> {
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
