//! Callers who open connections and leave it at that, or send what asks for nothing.

use std::time::Duration;

use befriend::clock::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::answers::Deaf;
use crate::support::{TestApp, tenant::acme};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection of HTTP/2 begins with, and an empty SETTINGS frame.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A head of HTTP/1 that is not whole.
const HALF_A_HEAD: &[u8] = b"GET /acme/chat/users HTTP/1.1\r\nhost: x\r\nx-sl";

/// A whole request of HTTP/1.
const REQUEST: &[u8] = b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection that has sent these bytes.
pub async fn sends(url: &str, bytes: &[u8]) -> TcpStream {
    let mut tcp = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    tcp
}

/// Comes back when the server has closed the connection.
async fn until_closed(mut tcp: TcpStream, what: &str) {
    let mut read = Vec::new();
    // A reset is an end too.
    let end = timeout(PATIENCE, tcp.read_to_end(&mut read)).await;
    assert!(end.is_ok(), "{what} was not closed");
}

/// A frame of HTTP/2 on this stream.
pub fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn a_connection_without_a_whole_request_is_closed_after_a_time() {
    let app = TestApp::with(&["--header-timeout", "200ms"], Clock::system()).await;
    for (what, bytes) in [
        ("a silent connection", &b""[..]),
        ("half a preface", &PREFACE[..10]),
        ("half a head", HALF_A_HEAD),
    ] {
        until_closed(sends(&app.url, bytes).await, what).await;
    }
    let mut tcp = sends(&app.url, REQUEST).await;
    tcp.readable().await.unwrap();
    tcp.write_all(HALF_A_HEAD).await.unwrap();
    until_closed(tcp, "half a head after an answer").await;
    app.tenant("acme#chat").await;
}

#[tokio::test]
async fn a_connection_without_calls_is_closed_after_a_time() {
    let flags = ["--idle-timeout", "300ms"];
    let app = TestApp::with(&flags, Clock::system()).await;
    for (what, bytes) in [("HTTP/2", PREFACE), ("HTTP/1", REQUEST)] {
        until_closed(sends(&app.url, bytes).await, what).await;
    }
    // A caller with a library does not notice: it connects again.
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
}

#[tokio::test]
async fn a_connection_with_a_stream_is_not_idle() {
    use crate::support::follow::Watcher;
    let app = TestApp::with(&["--idle-timeout", "100ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    // Connections without calls come and go meanwhile.
    for _ in 0..3 {
        until_closed(sends(&app.url, PREFACE).await, "an idle connection").await;
    }
    tenant.befriend("alice", "bob").await.unwrap();
    watcher.until(1).await;
}

#[tokio::test]
async fn where_there_are_too_many_connections_those_go_that_make_no_calls() {
    let flags = ["--max-connections", "8", "--max-connections-per-address", "8"];
    let app = TestApp::with(&flags, Clock::system()).await;
    let mut silent = Vec::new();
    for _ in 0..30 {
        silent.push(sends(&app.url, b"").await);
    }
    // Callers get in, and stay.
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    for tcp in silent.drain(..22) {
        until_closed(tcp, "an older silent connection").await;
    }
    tenant.create(&["bob"]).await;
}

#[tokio::test]
async fn where_all_connections_make_calls_a_new_one_is_refused() {
    let flags = ["--max-connections", "2", "--max-connections-per-address", "2"];
    let (app, tenant) = acme(&["alice"]).await;
    let small = TestApp::on(&app.database_url, &flags, Clock::system()).await;
    let message = tonic_health::pb::HealthCheckRequest::default();
    let message = prost::Message::encode_to_vec(&message);
    let mut held = Vec::new();
    for _ in 0..2 {
        let caller = Deaf::connect(&small.url).await;
        let watch = caller.ask("/grpc.health.v1.Health/Watch", "", &message).await.unwrap();
        held.push((caller, watch));
    }
    until_closed(sends(&small.url, b"").await, "a third connection").await;
    held.pop();
    let free = async {
        let path = "/openapi.json";
        let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        loop {
            let mut answer = Vec::new();
            let mut tcp = sends(&small.url, ask.as_bytes()).await;
            if tcp.read_to_end(&mut answer).await.is_ok() && !answer.is_empty() {
                return;
            }
        }
    };
    timeout(PATIENCE, free).await.expect("there is room again");
    drop(tenant);
}

#[tokio::test]
async fn a_flood_of_frames_that_ask_for_nothing_ends_its_connection() {
    let (app, tenant) = acme(&["alice"]).await;
    for (what, flood) in [
        ("PRIORITY", frame(2, 1, &[0, 0, 0, 0, 7])),
        ("PING", frame(6, 0, &[0; 8])),
        ("SETTINGS", frame(4, 0, &[])),
        ("WINDOW_UPDATE", frame(8, 0, &[0, 0, 0, 1])),
        ("unknown frames", frame(200, 0, &[1, 2, 3])),
    ] {
        let tcp = sends(&app.url, PREFACE).await;
        let (mut from, mut to) = tcp.into_split();
        let flood = flood.repeat(1_000);
        let mut rest = Vec::new();
        let ends = async {
            let write = async { while to.write_all(&flood).await.is_ok() {} };
            // What comes back is read, so that only the flood ends the connection.
            let _ = tokio::join!(write, from.read_to_end(&mut rest));
        };
        timeout(PATIENCE, ends).await.unwrap_or_else(|_| panic!("{what} went on for ever"));
    }
    tenant.head("alice").await.unwrap();
}

#[tokio::test]
async fn connections_without_calls_do_not_hold_up_the_end() {
    let mut app = TestApp::with(&["--shutdown-timeout", "1h"], Clock::system()).await;
    let mut open = Vec::new();
    // A connection of HTTP/2 that never acknowledges the end, and all that is not whole.
    for bytes in [b"", &PREFACE[..10], PREFACE, HALF_A_HEAD, &[REQUEST, HALF_A_HEAD].concat()] {
        open.push(sends(&app.url, bytes).await);
    }
    app.tenant("acme#chat").await;
    app.stop.cancel();
    let ended = timeout(Duration::from_secs(20), app.serving.take().unwrap()).await;
    ended.expect("the server ends").unwrap();
}
