//! Bodies that are compressed, too large, or never come whole.

use prost::bytes::Bytes;
use serde_json::{Value, json};

use super::alice_and_bob;
use crate::support::{
    connect::{gunzip, gzip},
    http::{Answer, exchange},
    wire::Wire,
};

/// A message that asks for alice, with so many blanks behind.
fn asks_for_alice(bytes: usize) -> Vec<u8> {
    let mut message = json!({ "username": "alice" }).to_string().into_bytes();
    message.resize(bytes, b' ');
    message
}

#[tokio::test]
async fn a_request_may_be_compressed() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    let (method, plain) = ("UserService/GetUser", asks_for_alice(100));
    let compressed = gzip(&plain);
    for (encoding, body) in [("gzip", &compressed), ("identity", &plain)] {
        let reply = caller.call_with(method, &[("content-encoding", encoding)], body).await;
        assert_eq!((reply.status, &reply.json["user"]["username"]), (200, &json!("alice")));
    }
    let refused = caller.call_with(method, &[("content-encoding", "br")], &plain).await;
    assert_eq!((refused.status, &refused.json["code"]), (501, &json!("unimplemented")));
    let why = refused.json["message"].as_str().unwrap();
    assert!(why.contains("br") && why.contains("gzip"), "{why}");
    for wrong in [&plain[..], &compressed[..compressed.len() - 9], &compressed[..2]] {
        let refused = caller.call_with(method, &[("content-encoding", "gzip")], wrong).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"));
    }
}

#[tokio::test]
async fn an_answer_is_compressed_where_it_is_large_and_the_caller_takes_it() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let names = tenant.crowd("u", 250).await;
    let others: Vec<&str> = names.iter().map(String::as_str).collect();
    for chunk in others.chunks(10) {
        tenant.import("alice", chunk).await.unwrap();
    }
    let (method, owner) = ("FriendService/ListAllFriends", json!({ "owner": "alice" }).to_string());
    let ask = async |accepted| {
        let headers = [("accept-encoding", accepted)];
        caller.ask("POST", method, &headers, owner.as_bytes()).await
    };
    let plain = ask("identity").await;
    let compressed = ask("br, gzip").await;
    assert_eq!(compressed.header("content-encoding"), "gzip");
    assert_eq!(
        (plain.header("vary"), compressed.header("vary")),
        ("accept-encoding", "accept-encoding")
    );
    assert!(compressed.body.len() < plain.body.len() / 2);
    assert_eq!(gunzip(&compressed.body), plain.body);
    let listed: Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!(listed["usernames"], json!(names));
    let small = [("accept-encoding", "gzip")];
    let small = caller.call_with("UserService/GetUser", &small, &asks_for_alice(50)).await;
    assert_eq!((small.status, small.header("content-encoding")), (200, ""));
}

#[tokio::test]
async fn a_message_has_the_same_bound_by_json() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    const MAX: usize = 1024 * 1024;
    let method = "UserService/GetUser";
    let largest = caller.call_with(method, &[], &asks_for_alice(MAX)).await;
    assert_eq!(largest.status, 200);
    let encoding = [("content-encoding", "gzip")];
    let bomb = gzip(&vec![b' '; 64 * MAX]);
    assert!(bomb.len() < 128 * 1024);
    for (headers, body) in [(&[][..], asks_for_alice(MAX + 1)), (&encoding, bomb)] {
        let refused = caller.call_with(method, headers, &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"));
        let why = refused.json["message"].as_str().unwrap();
        assert!(why.contains("1048576 bytes"), "{why}");
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_it_has_come() {
    let (app, tenant, _caller) = alice_and_bob().await;
    let head = format!(
        "POST /befriend.v1.UserService/GetUser HTTP/1.1\r\nhost: x\r\n\
         content-type: application/json\r\nauthorization: Bearer {}\r\n",
        tenant.token
    );
    // By what the head says, and by what has come of a body whose length nobody says.
    let declared = format!("{head}content-length: 99999999\r\n\r\n{{");
    let chunk = asks_for_alice(64 * 1024);
    let chunk = [b"10000\r\n", &chunk[..], b"\r\n"].concat();
    let endless = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let endless = [endless.as_bytes(), &chunk.repeat(20)].concat();
    for request in [declared.into_bytes(), endless] {
        let answer = Answer::parse(&exchange(&app.url, &request).await, "POST").unwrap();
        assert_eq!((answer.status, answer.header("connection")), (400, "close"));
        assert!(String::from_utf8_lossy(&answer.body).contains("at most 1048576 bytes"));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_callers_fault() {
    let (app, tenant, _caller) = alice_and_bob().await;
    let request = format!(
        "POST /befriend.v1.UserService/GetUser HTTP/1.1\r\nhost: x\r\n\
         content-type: application/json\r\nauthorization: Bearer {}\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\n{{\"use\r\nzz\r\n",
        tenant.token
    );
    let answer = Answer::parse(&exchange(&app.url, request.as_bytes()).await, "POST").unwrap();
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &said["code"]), (400, &json!("invalid_argument")), "{said}");
    assert!(said["details"].to_string().contains("INVALID_ARGUMENT"), "{said}");
}

#[tokio::test]
async fn a_connection_of_http_1_goes_on_after_a_refusal() {
    let (app, tenant, _caller) = alice_and_bob().await;
    let request = |token: &str, end: &str| {
        let body = r#"{"username":"alice"}"#;
        format!(
            "POST /befriend.v1.UserService/GetUser HTTP/1.1\r\nhost: x\r\n{end}\
             content-type: application/json\r\nauthorization: Bearer {token}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let both = request("no", "") + &request(&tenant.token, "connection: close\r\n");
    let answers = String::from_utf8(exchange(&app.url, both.as_bytes()).await).unwrap();
    let statuses: Vec<&str> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["401", "200"], "{answers}");
}

#[tokio::test]
async fn json_is_taken_over_http_2_as_well() {
    let (app, tenant, _caller) = alice_and_bob().await;
    let wire = Wire::connect(&app.url).await;
    let request = http::Request::post("http://befriend/befriend.v1.UserService/GetUser")
        .header("authorization", format!("Bearer {}", tenant.token))
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let answer = wire.send(request, Bytes::from(asks_for_alice(40))).await.unwrap();
    assert_eq!(answer.http, 200);
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(said["user"]["username"], "alice");
}
