//! gRPC-Web, in its binary form and as text.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use befriend::proto;
use prost::Message as _;

use super::alice_and_bob;
use crate::support::{
    connect::{Caller, split},
    wire::frame,
};

/// The flag of the frame with the trailers.
const TRAILERS: u8 = 0x80;

fn add_friend(friend: &str) -> Vec<u8> {
    let request = proto::AddFriendRequest {
        owner: "alice".to_owned(),
        friend: friend.to_owned(),
        ..proto::AddFriendRequest::default()
    };
    frame(&request.encode_to_vec())
}

#[tokio::test]
async fn a_call_by_grpc_web_is_answered_in_frames() {
    let (_app, tenant, caller) = alice_and_bob().await;
    for (kind, accept, text) in [
        ("application/grpc-web", "application/grpc-web", false),
        ("application/grpc-web+proto", "*/*", false),
        ("application/grpc-web+proto; charset=utf-8", "", false),
        ("Application/GRPC-Web", "", false),
        ("application/grpc-web-text", "application/grpc-web-text", true),
        ("application/grpc-web-text+proto", "", true),
        ("application/GRPC-Web-Text ;a=b", "*/*", true),
        ("application/grpc-web", "text/plain, application/grpc-web-text;q=0.9", true),
    ] {
        let body = add_friend("bob");
        let sends_text = kind.to_ascii_lowercase().contains("text");
        let body = if sends_text { BASE64_STANDARD.encode(body).into_bytes() } else { body };
        let headers = [("content-type", kind), ("accept", accept), ("x-grpc-web", "1")];
        let answer = caller.ask("POST", "FriendService/AddFriend", &headers, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("content-type").starts_with("application/grpc-web"), "{answer:?}");
        let body = if text { decoded(&answer.body) } else { unchunked(&answer.body) };
        let ((flags, message), rest) = split(&body).unwrap();
        let message = proto::AddFriendResponse::decode(message.as_slice()).unwrap();
        assert_eq!((flags, message.user.unwrap().username.as_str()), (0, "bob"));
        let ((flags, trailers), rest) = split(&rest).unwrap();
        let trailers = String::from_utf8(trailers).unwrap();
        assert_eq!((flags, rest.len()), (TRAILERS, 0));
        assert!(trailers.replace(' ', "").contains("grpc-status:0"), "{trailers}");
    }
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn an_error_by_grpc_web_has_its_code_and_details() {
    let (app, _tenant, caller) = alice_and_bob().await;
    let kind = [("content-type", "application/grpc-web")];
    let method = "FriendService/AddFriend";
    let refused = caller.ask("POST", method, &kind, &add_friend("nobody")).await;
    assert_eq!((refused.status, refused.header("grpc-status")), (200, "5"));
    assert!(!refused.header("grpc-status-details-bin").is_empty());
    let stranger = Caller::new(&app.url, "no-token");
    let refused = stranger.ask("POST", method, &kind, &add_friend("bob")).await;
    assert_eq!((refused.status, refused.header("grpc-status")), (200, "16"));
    for (kind, body) in [
        ("application/grpc-web-text", &b"no base64!"[..]),
        ("application/grpc-web", b"no frame"),
        ("application/grpc-web", b""),
    ] {
        let refused = caller.ask("POST", method, &[("content-type", kind)], body).await;
        assert_eq!((refused.status, refused.header("grpc-status")), (200, "3"), "{refused:?}");
    }
    let late = [kind[0], ("grpc-timeout", "soon")];
    let refused = caller.ask("POST", method, &late, &add_friend("bob")).await;
    assert_eq!(refused.header("grpc-status"), "3");
    let nowhere = caller.ask("POST", "FriendService/Nope", &kind, &add_friend("bob")).await;
    assert_eq!((nowhere.status, nowhere.header("grpc-status")), (200, "12"));
}

#[tokio::test]
async fn a_watcher_by_grpc_web_gets_changes() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let request = proto::WatchFriendsRequest { owner: "alice".to_owned(), ..Default::default() };
    let body = frame(&request.encode_to_vec());
    let mut stream =
        caller.open("FriendService/WatchFriends", "application/grpc-web+proto", body).await;
    let changes = async |stream: &mut crate::support::connect::Stream| {
        let (flags, message) = stream.next().await.unwrap();
        assert_eq!(flags, 0);
        proto::WatchFriendsResponse::decode(message.as_slice()).unwrap().changes.len()
    };
    assert_eq!(changes(&mut stream).await, 0);
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(changes(&mut stream).await, 1);
    tenant.delete("alice").await.unwrap();
    let (flags, trailers) = stream.next().await.unwrap();
    let trailers = String::from_utf8(trailers).unwrap().replace(' ', "");
    assert!(flags == TRAILERS && trailers.contains("grpc-status:5"), "{flags} {trailers}");
}

/// A chunked body without its chunks' heads.
fn unchunked(body: &[u8]) -> Vec<u8> {
    let (mut rest, mut whole) = (body, vec![]);
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// The bytes of a body in base64, which may be padded in its midst.
fn decoded(body: &[u8]) -> Vec<u8> {
    let text = unchunked(body);
    text.chunks(4).flat_map(|four| BASE64_STANDARD.decode(four).unwrap()).collect()
}
