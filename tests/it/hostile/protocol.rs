//! Requests that are no calls of gRPC, or come in another way than gRPC's.

use tokio::io::AsyncReadExt as _;
use tonic::Code;

use super::{Siege, connections, delimited};
use crate::support::wire::frame;

#[tokio::test]
async fn a_path_that_leads_nowhere_is_unimplemented() {
    let siege = Siege::lay().await;
    for path in
        ["/", "/befriend.v1.FriendService/Nope", "/befriend.v1.Nope/AddFriend", "/a/b/c", "/%00"]
    {
        let answer = siege.wire.post(path, &[], frame(&[])).await.unwrap();
        assert_eq!(answer.status().code(), Code::Unimplemented, "{path}");
    }
    siege.lift().await;
}

#[tokio::test]
async fn a_request_that_is_no_grpc_is_told_what_a_grpc_path_takes_and_runs_nothing() {
    let siege = Siege::lay().await;
    let bearer = format!("Bearer {}", siege.tenant.token);
    let pair = [delimited(1, b"alice"), delimited(2, b"bob")].concat();
    for (method, path, kind, status) in [
        ("POST", "/befriend.v1.FriendService/AddFriend", Some("text/plain"), 415),
        ("POST", "/befriend.v1.FriendService/AddFriend", Some("application/xml"), 415),
        ("POST", "/befriend.v1.FriendService/AddFriend", Some("application/connect+json"), 415),
        ("POST", "/befriend.v1.FriendService/AddFriend", None, 415),
        ("PUT", "/befriend.v1.FriendService/AddFriend", Some("application/grpc"), 405),
        ("GET", "/befriend.v1.FriendService/AddFriend", None, 405),
        ("HEAD", "/befriend.v1.FriendService/AddFriend", None, 405),
        ("HEAD", "/befriend.v1.FriendService/AddFriend", Some("application/grpc"), 405),
        ("POST", "/befriend.v1.TokenService/IssueToken", Some("text/plain"), 415),
        ("POST", "/grpc.health.v1.Health/Check", Some("text/plain"), 415),
    ] {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://befriend{path}"))
            .header("authorization", &bearer)
            .header("te", "trailers");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let sent = siege.wire.send(request.body(()).unwrap(), frame(&pair).into()).await;
        let over_h2 = sent.unwrap();
        let kinds = kind.map(|kind| ("content-type", kind));
        let headers: Vec<_> =
            [("authorization", bearer.as_str())].into_iter().chain(kinds).collect();
        let over_h1 =
            crate::support::http::ask(&siege.app.url, method, path, &headers, &frame(&pair)).await;
        for (http, headers, body) in [
            (over_h2.http.as_u16(), &over_h2.headers, &over_h2.body),
            (over_h1.status, &over_h1.headers, &over_h1.body),
        ] {
            assert_eq!(http, status, "{method} {path} {kind:?}");
            let said = String::from_utf8_lossy(body);
            let told = said.contains("POST") && said.contains("application/grpc");
            assert_eq!(told, method != "HEAD", "{said}");
            assert_eq!(headers.contains_key("allow"), status == 405);
            assert!(!headers.contains_key("grpc-status"));
        }
    }
    assert!(siege.tenant.friends_of("alice").await.unwrap().is_empty(), "nothing was executed");
    siege.lift().await;
}

#[tokio::test]
async fn a_grpc_call_over_http_1_ends_its_connection() {
    let siege = Siege::lay().await;
    // Answered before the rest of the body comes, which would be taken for the next request.
    let request = "POST /befriend.v1.FriendService/AddFriend HTTP/1.1\r\nhost: x\r\n\
                   content-type: application/grpc\r\nauthorization: Bearer no\r\n\
                   content-length: 100000\r\n\r\nabc";
    let mut tcp = connections::sends(&siege.app.url, request.as_bytes()).await;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let answer = answer.to_ascii_lowercase();
    assert!(answer.contains("grpc-status: 16"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    siege.lift().await;
}

#[tokio::test]
async fn a_head_of_http_1_that_is_too_long_is_refused_and_its_connection_closed() {
    let siege = Siege::lay().await;
    for (length, status) in [(15_000, 401), (30_000, 431), (1_000_000, 431)] {
        let long = "x".repeat(length);
        let path = "/acme/chat/users/alice";
        let answer =
            crate::support::http::ask(&siege.app.url, "GET", path, &[("x-long", &long)], b"").await;
        assert_eq!(answer.status, status, "{length}");
    }
    siege.lift().await;
}
