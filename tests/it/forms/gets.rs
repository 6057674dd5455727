//! Reads by GET.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use befriend::proto;
use prost::Message as _;
use serde_json::json;

use super::alice_and_bob;
use crate::support::{connect::gzip, raw, raw::methods};

/// The query of a message in JSON.
fn of(message: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("connect", "v1").append_pair("encoding", "json");
    query.append_pair("message", message).finish()
}

#[tokio::test]
async fn a_read_is_called_by_get() {
    let (_app, tenant, caller) = alice_and_bob().await;
    tenant.befriend("alice", "bob").await.unwrap();
    let (method, text) = ("FriendService/ListAllFriends", json!({ "owner": "alice" }).to_string());
    let request = proto::ListAllFriendsRequest { owner: "alice".to_owned() };
    let base64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    for query in [
        of(&text),
        format!("encoding=json&base64=1&message={}", base64(text.as_bytes())),
        format!("encoding=json&base64=1&message={}%3D", base64(text.as_bytes())),
        format!(
            "encoding=json&base64=1&compression=gzip&message={}",
            base64(&gzip(text.as_bytes()))
        ),
    ] {
        let reply = caller.get(method, &query).await;
        assert_eq!((reply.status, &reply.json["usernames"]), (200, &json!(["bob"])), "{query}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let query = format!("encoding=proto&base64=1&message={}", base64(&request.encode_to_vec()));
    let answer = caller.ask("GET", &format!("{method}?{query}"), &[], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/proto"));
    let answer = proto::ListAllFriendsResponse::decode(answer.body.as_slice()).unwrap();
    assert_eq!(answer.usernames, ["bob"]);
}

#[tokio::test]
async fn a_wrong_query_is_refused_with_the_name_of_what_is_wrong() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    for (query, field) in [
        ("", "encoding"),
        ("encoding=xml&message=x", "encoding"),
        ("encoding=json", "message"),
        ("encoding=json&message=", "message"),
        ("encoding=json&message=%FF", "message"),
        ("encoding=json&base64=1&message=!", "message"),
        ("encoding=json&compression=gzip&base64=1&message=e30", "message"),
        ("connect=v2&encoding=json&message=%7B%7D", "connect"),
    ] {
        let refused = caller.get("FriendService/ListAllFriends", query).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"), "{query}");
        let violation = &refused.detail("google.rpc.BadRequest")["fieldViolations"][0];
        assert_eq!(violation["field"], field, "{query}");
    }
    let query = "encoding=json&compression=br&message=%7B%7D";
    let refused = caller.get("FriendService/ListAllFriends", query).await;
    assert_eq!((refused.status, &refused.json["code"]), (501, &json!("unimplemented")));
}

#[tokio::test]
async fn get_reaches_all_reads_and_no_change() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    for method in methods() {
        let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
        let is_read = options.idempotency_level.is_some_and(|level| level == 1);
        let path = format!("{}?{}", raw::operation(&method), of("{}"));
        let answer = caller.ask("GET", &path, &[], b"").await;
        let taken = is_read && !method.is_server_streaming();
        assert_eq!(answer.status != 405, taken, "{path}: {answer:?}");
        assert_eq!(answer.header("allow"), if taken { "" } else { "POST" }, "{path}");
    }
}
