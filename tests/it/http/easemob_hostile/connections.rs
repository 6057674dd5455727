//! Bodies without end, headers of any kind and broken HTTP on Easemob's API: only the connection that
//! sends them notices.

use std::fmt::Write as _;

use befriend::clock::Clock;
use http::Request;
use prost::bytes::Bytes;

use super::Siege;
use crate::support::{
    TestApp,
    easemob::{Easemob, expect_refusal},
    http::{Answer, exchange},
    tenant::acme,
    wire::Wire,
};

/// The largest body, unless a setting says otherwise.
const MAX_BODY: usize = 1 << 20;

#[tokio::test]
async fn a_body_above_the_bound_is_refused_however_it_comes() {
    let siege = Siege::lay().await;
    let client = &siege.client;
    for route in &siege.routes {
        let path = route.of("nobody", "bob");
        for size in [MAX_BODY + 1, 10 * MAX_BODY] {
            let whole = client.send(&route.method, &path, &[], &vec![b' '; size]).await;
            expect_refusal(&whole, 413, "payload_too_large", "the body is too large");
            let mut request = format!(
                "{} {}{path} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\nconnection: close\r\n\
                 transfer-encoding: chunked\r\n\r\n",
                route.method, client.base, client.authorization
            );
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
            for _ in 0..=size / 0x1_0000 {
                request += &chunk;
            }
            request += "0\r\n\r\n";
            let answer = exchange(&client.url, request.as_bytes()).await;
            let answer = Answer::parse(&answer, "POST").unwrap();
            expect_refusal(&answer, 413, "payload_too_large", "the body is too large");
        }
    }
    // Just as much as may be is read.
    let remark = r#"{"remark": ""#;
    let body = format!("{remark}{}\"}}", "a".repeat(MAX_BODY - remark.len() - 2));
    let answer = client.send("PUT", "/user/alice/contacts/users/bob", &[], body.as_bytes()).await;
    let why = "remark: must be at most 100 characters long";
    expect_refusal(&answer, 400, "illegal_argument", why);
    siege.lift().await;
}

#[tokio::test]
async fn who_may_not_call_is_told_so_however_much_they_send() {
    let siege = Siege::lay().await;
    let stranger = Easemob { authorization: "Bearer no".to_owned(), ..siege.client.clone() };
    for size in [100, MAX_BODY, 4 * MAX_BODY] {
        let path = "/users/alice/contacts/users/carol";
        let answer = stranger.send("POST", path, &[], &vec![b' '; size]).await;
        expect_refusal(&answer, 401, "unauthorized", "Unable to authenticate (OAuth)");
    }
    siege.lift().await;
}

#[tokio::test]
async fn headers_of_any_kind_break_nothing_and_are_not_repeated() {
    let siege = Siege::lay().await;
    let path = "/acme/chat/users/alice/contacts/users";
    let bearer = &siege.client.authorization;
    let long = "x".repeat(12_000);
    for (headers, status) in [
        (format!("host: x\r\nx-long: {long}\r\nauthorization: {bearer}\r\n"), 200),
        (format!("host: x\r\nauthorization: Bearer {long}\r\n"), 401),
        (format!("host: {long}\r\nauthorization: {bearer}\r\n"), 200),
        (format!("host: \"><script>alert(1)</script>\r\nauthorization: {bearer}\r\n"), 200),
        (format!("host: evil.example/path?x#y\r\nauthorization: {bearer}\r\n"), 200),
        (format!("host: a b\r\nauthorization: {bearer}\r\n"), 200),
        (format!("host:\r\nauthorization: {bearer}\r\n"), 200),
        (format!("host: x\r\nauthorization: {bearer}\r\nx-request-id: {long}\r\n"), 200),
        (format!("host: x\r\nauthorization: {bearer}\r\ncontent-type: {long}\r\n"), 200),
        (format!("host: x\r\nauthorization: {bearer}\r\nauthorization: Bearer no\r\n"), 200),
        ("host: x\r\nauthorization: Bearer \u{fe}\u{e9}\r\n".to_owned(), 401),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
        let answer = exchange(&siege.client.url, request.as_bytes()).await;
        let shown = &headers[..headers.len().min(60)];
        let answer = Answer::parse(&answer, "GET").unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(answer.status, status, "{shown}");
        let told = answer.json();
        let uri = told["uri"].as_str().unwrap_or_default();
        for mark in ["<", ">", " ", "evil", "\"", "?", "#"] {
            assert!(!uri.contains(mark), "{shown}: {uri}");
        }
        assert!(answer.header("x-request-id").len() <= 128);
    }
    siege.lift().await;
}

#[tokio::test]
async fn what_is_no_http_ends_its_connection_and_no_other() {
    let siege = Siege::lay().await;
    let mut many = String::new();
    for number in 0..200 {
        write!(many, "x-{number}: y\r\n").unwrap();
    }
    let bearer = &siege.client.authorization;
    let put = format!(
        "PUT /acme/chat/user/alice/contacts/users/bob HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\n"
    );
    for request in [
        "\r\n\r\n\0\0\0\0\r\n\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
        "GET /acme/chat/users HTTP/9.9\r\n\r\n".to_owned(),
        "GET /a b/c HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /acme/chat/users\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /acme/chat/users HTTP/1.1\r\nho st: x\r\n\r\n".to_owned(),
        "GET /acme/chat/users HTTP/1.1\r\nx: a\0b\r\n\r\n".to_owned(),
        format!("GET /acme/chat/users HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)),
        format!("{put}content-length: -1\r\n\r\n"),
        format!("{put}content-length: 5\r\ncontent-length: 6\r\n\r\n{{}}"),
        format!("{put}content-length: 99999999999999999999\r\n\r\n"),
        format!("{put}transfer-encoding: gzip\r\n\r\n"),
        format!("{put}transfer-encoding: chunked\r\n\r\nZZ\r\n{{}}\r\n0\r\n\r\n"),
        format!("{put}transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"),
    ] {
        let answer = exchange(&siege.client.url, request.as_bytes()).await;
        let shown = &request[..request.len().min(300)];
        let answer = Answer::parse(&answer, "GET").unwrap_or_else(|| panic!("{shown}"));
        let theirs = (400..500).contains(&answer.status);
        assert!(theirs, "{shown} got {answer:?}");
    }
    siege.lift().await;
}

#[tokio::test]
async fn a_body_that_never_ends_ends_at_the_deadline() {
    let (app, tenant) = acme(&[]).await;
    let hasty = TestApp::on(&app.database_url, &["--max-duration", "50ms"], Clock::system()).await;
    let client = Easemob::of(&hasty, &tenant);
    for body in
        ["content-length: 100\r\n\r\n{\"remark\"", "transfer-encoding: chunked\r\n\r\n2\r\n{}"]
    {
        for (method, path) in
            [("PUT", "/user/alice/contacts/users/bob"), ("POST", "/users"), ("POST", "/token")]
        {
            let request = format!(
                "{method} {}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {}\r\n{body}",
                client.base, client.authorization
            );
            let answer = exchange(&client.url, request.as_bytes()).await;
            let answer = Answer::parse(&answer, method).unwrap();
            expect_refusal(&answer, 504, "gateway_timeout", "the deadline passed");
        }
    }
}

#[tokio::test]
async fn hostile_requests_of_http_2_get_the_same_answers() {
    let siege = Siege::lay().await;
    let wire = Wire::connect(&siege.client.url).await;
    let large = Bytes::from(vec![b' '; 2 * MAX_BODY]);
    for (method, path, body, status) in [
        ("PUT", "/user/alice/contacts/users/bob", Bytes::from_static(b"\xff"), 400),
        ("PUT", "/user/alice/contacts/users/bob", large, 413),
        ("GET", "/users/a%00", Bytes::new(), 400),
        ("PATCH", "/users/alice", Bytes::new(), 405),
        ("GET", "/nothing", Bytes::new(), 404),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://x{}{path}", siege.client.base))
            .header("authorization", &siege.client.authorization);
        let request = request.body(()).unwrap();
        let answer = wire.send(request, body).await.unwrap();
        assert_eq!(answer.http, status, "{method} {path}");
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(json["error_description"].is_string(), "{json}");
    }
    siege.lift().await;
}

#[tokio::test]
async fn an_answer_before_the_body_leaves_a_connection_that_works_or_says_that_it_closes() {
    let siege = Siege::lay().await;
    let base = &siege.client.base;
    let path = format!("{base}/user/alice/contacts/users/bob");
    let next = format!("GET {base}/users/alice HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    for (start, status) in [
        (format!("PUT {path}"), 401),
        (format!("POST {base}/nothing"), 404),
        (format!("PATCH {path}"), 405),
    ] {
        // A body that has come is read, so the next request on the connection is answered too.
        for framing in [
            "content-length: 3\r\n\r\n{ }",
            "transfer-encoding: chunked\r\n\r\n3\r\n{ }\r\n0\r\n\r\n",
        ] {
            let both = format!("{start} HTTP/1.1\r\nhost: x\r\n{framing}{next}");
            let answers = exchange(&siege.client.url, both.as_bytes()).await;
            let answers = String::from_utf8(answers).unwrap();
            assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{answers}");
            assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "{start} {framing}: {answers}");
        }
        // One that does not come ends the connection, and the answer says so.
        for rest in [
            "content-length: 1000000\r\n\r\n{",
            "content-length: 5\r\nexpect: 100-continue\r\n\r\n",
        ] {
            let half = format!("{start} HTTP/1.1\r\nhost: x\r\n{rest}");
            let answer = exchange(&siege.client.url, half.as_bytes()).await;
            let answer = Answer::parse(&answer, "POST").unwrap();
            assert_eq!((answer.status, answer.header("connection")), (status, "close"), "{start}");
        }
    }
    siege.lift().await;
}
