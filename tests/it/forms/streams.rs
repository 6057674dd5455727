//! Streams by the Connect protocol.

use befriend::proto;
use prost::Message as _;
use serde_json::{Value, json};

use super::alice_and_bob;
use crate::support::connect::{Caller, envelope, gunzip, gzip, split};

const JSON: &str = "application/connect+json";
const WATCH: &str = "FriendService/WatchFriends";

fn watch(owner: &str) -> Vec<u8> {
    envelope(0, json!({ "owner": owner }).to_string().as_bytes())
}

/// The error at the end of a stream in which nothing else came.
async fn error_of(caller: &Caller, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let kind = [&[("content-type", JSON)], headers].concat();
    let answer = caller.ask("POST", WATCH, &kind, body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, JSON), "{answer:?}");
    let ((flags, end), rest) = split(&answer.body).unwrap();
    assert_eq!((flags, rest.len()), (2, 0));
    serde_json::from_slice::<Value>(&end).unwrap()["error"].clone()
}

#[tokio::test]
async fn a_watcher_gets_changes_as_json() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let mut stream = caller.open(WATCH, JSON, watch("alice")).await;
    assert_eq!(stream.headers["content-type"], JSON);
    assert_eq!(stream.message().await, json!({ "upToDate": true }));
    tenant.befriend("alice", "bob").await.unwrap();
    let change = stream.message().await;
    assert_eq!(change["nextVersion"], "1");
    assert_eq!(change["changes"][0]["upserted"]["username"], "bob");
    tenant.delete("alice").await.unwrap();
    let (flags, end) = stream.next().await.unwrap();
    let end: Value = serde_json::from_slice(&end).unwrap();
    assert_eq!((flags, &end["error"]["code"]), (2, &json!("not_found")), "{end}");
    assert_eq!(end["error"]["details"][0]["debug"]["reason"], "USER_NOT_FOUND");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_watcher_gets_changes_as_protobuf_and_a_good_end() {
    let (app, tenant, caller) = alice_and_bob().await;
    tenant.befriend("alice", "bob").await.unwrap();
    let request = proto::WatchFriendsRequest { owner: "alice".to_owned(), ..Default::default() };
    let body = envelope(0, &request.encode_to_vec());
    let mut stream = caller.open(WATCH, "application/connect+proto", body).await;
    let (flags, message) = stream.next().await.unwrap();
    let message = proto::WatchFriendsResponse::decode(message.as_slice()).unwrap();
    assert_eq!((flags, message.changes.len(), message.next_version), (0, 1, 1));
    app.stop.cancel();
    let (flags, end) = stream.next().await.unwrap();
    assert_eq!((flags, end.as_slice()), (2, &b"{}"[..]));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_error_before_the_first_message_is_in_the_end_of_the_stream() {
    let (app, _tenant, caller) = alice_and_bob().await;
    let stranger = Caller::new(&app.url, "no-token");
    assert_eq!(error_of(&stranger, &[], &watch("alice")).await["code"], "unauthenticated");
    assert_eq!(error_of(&caller, &[], &watch("nobody")).await["code"], "not_found");
    let late = [("connect-timeout-ms", "soon")];
    assert_eq!(error_of(&caller, &late, &watch("alice")).await["code"], "invalid_argument");
    let encoding = [("connect-content-encoding", "br")];
    assert_eq!(error_of(&caller, &encoding, &watch("alice")).await["code"], "unimplemented");
    let unknown = envelope(0, br#"{"owner":"alice","sinse":"1"}"#);
    let refused = error_of(&caller, &[], &unknown).await;
    assert!(refused["message"].as_str().unwrap().contains("sinse"), "{refused}");
}

#[tokio::test]
async fn what_is_no_envelope_is_refused() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    let message = br#"{"owner":"alice"}"#;
    let whole = envelope(0, message);
    for body in [
        b"".to_vec(),
        b"{}".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
        whole.repeat(2),
        envelope(1, &gzip(message)),
        envelope(2, message),
        envelope(255, message),
        crate::support::wire::frame_that_says(0, u32::MAX, message),
        envelope(0, &vec![b' '; 1024 * 1024 + 1]),
    ] {
        let refused = error_of(&caller, &[], &body).await;
        assert_eq!(refused["code"], "invalid_argument", "{refused}");
    }
}

#[tokio::test]
async fn envelopes_may_be_compressed() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let names = tenant.crowd("u", 50).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for chunk in names.chunks(10) {
        tenant.import("alice", chunk).await.unwrap();
    }
    let headers = [
        ("content-type", JSON),
        ("connect-content-encoding", "gzip"),
        ("connect-accept-encoding", "gzip"),
    ];
    let body = envelope(1, &gzip(br#"{"owner":"alice"}"#));
    let wire = crate::support::wire::Wire::connect(caller.url()).await;
    let mut request = http::Request::post(format!("http://befriend/befriend.v1.{WATCH}"))
        .header("authorization", caller.bearer());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let (headers, first) = wire.first_data(request.body(()).unwrap(), body.into()).await;
    assert_eq!(headers["connect-content-encoding"], "gzip");
    let ((flags, message), _) = split(&first).unwrap();
    assert_eq!(flags, 1);
    let message: Value = serde_json::from_slice(&gunzip(&message)).unwrap();
    assert_eq!(message["changes"].as_array().unwrap().len(), 50);
}
