//! A Rust client: makes alice and bob friends, and tells why if that is refused.
//!
//! With `make run` in another terminal:
//! `TOKEN=$(befriend token 'demo#demo') cargo run --example client`

use befriend::proto::{AddFriendRequest, friend_service_client::FriendServiceClient};
use tonic::{Request, metadata::MetadataValue, transport::Channel};
use tonic_types::StatusExt as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:50051".to_owned());
    let channel = Channel::from_shared(address)?.connect().await?;
    let bearer: MetadataValue<_> = format!("Bearer {}", std::env::var("TOKEN")?).parse()?;
    let mut friends =
        FriendServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", bearer.clone());
            Ok(request)
        });

    let mut request = Request::new(AddFriendRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        ..Default::default()
    });
    request.set_timeout(std::time::Duration::from_secs(2));
    match friends.add_friend(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            println!("entry: {:?}", answer.friend);
            println!("profile: {:?}", answer.user);
        }
        Err(status) => {
            // The reason is for programs, the message for people.
            let reason = status.get_details_error_info().map(|info| info.reason);
            println!("refused: {:?}, {}", reason.unwrap_or_default(), status.message());
        }
    }
    Ok(())
}
