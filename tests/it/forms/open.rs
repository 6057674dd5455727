//! The health service in other forms than gRPC's: whoever calls it has no token, and so small bounds.

use serde_json::json;

use super::alice_and_bob;
use crate::support::{
    connect::gzip,
    http::{Answer, exchange},
};

const CHECK: &str = "/grpc.health.v1.Health/Check";

#[tokio::test]
async fn a_message_to_health_is_small_in_every_form() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    let message = |bytes: usize| [b"{}", &b" ".repeat(bytes - 2)[..]].concat();
    let largest = caller.call_with(CHECK, &[], &message(4096)).await;
    assert_eq!((largest.status, &largest.json["status"]), (200, &json!("SERVING")));
    let encoding = [("content-encoding", "gzip")];
    let bomb = gzip(&message(1024 * 1024));
    for (headers, body) in [(&[][..], message(4097)), (&encoding, bomb)] {
        let refused = caller.call_with(CHECK, headers, &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"));
        let why = refused.json["message"].as_str().unwrap();
        assert!(why.contains("4096 bytes"), "{why}");
    }
}

#[tokio::test]
async fn health_keeps_the_deadline_of_its_caller() {
    let (app, _tenant, caller) = alice_and_bob().await;
    let refused = caller.call_with(CHECK, &[("connect-timeout-ms", "soon")], b"{}").await;
    assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"));
    // A message that never comes, and a stream that would never end.
    let unfinished = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         connect-timeout-ms: 50\r\ncontent-length: 9\r\n\r\n{{"
    );
    let answer = Answer::parse(&exchange(&app.url, unfinished.as_bytes()).await, "POST").unwrap();
    let said = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 504, "{said}");
    assert!(said.contains("deadline_exceeded"), "{said}");
    let headers = [("content-type", "application/connect+json"), ("connect-timeout-ms", "50")];
    let watch = "/grpc.health.v1.Health/Watch";
    let answer = caller.ask("POST", watch, &headers, b"\0\0\0\0\x02{}").await;
    let said = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == 200 && said.contains("SERVING"), "{said}");
    assert!(said.contains("deadline_exceeded"), "{said}");
}
