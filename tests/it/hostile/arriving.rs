//! Callers who send large requests slowly, or never to their end.

use std::time::Duration;

use befriend::{clock::Clock, proto};
use futures_util::future::{Either, select};
use h2::{SendStream, client::ResponseFuture};
use http::{HeaderMap, StatusCode};
use prost::{Message as _, bytes::Bytes};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tonic::Code;

use super::{answers::Deaf, connections::sends};
use crate::support::{Tenant, TestApp, wire::frame};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An app alone may have 62 % of these bytes, a caller who logs in 62 % of a quarter.
const MAX_ARRIVING: &str = "100000";

const GET_USER: &str = "/befriend.v1.UserService/GetUser";

/// A message that asks for alice, in so many bytes: the rest is a field that no message has.
fn asks_for_alice(bytes: usize) -> Bytes {
    let mut message = proto::GetUserRequest { username: "alice".to_owned() }.encode_to_vec();
    let rest = bytes - message.len() - 5;
    prost::encoding::encode_key(1000, prost::encoding::WireType::LengthDelimited, &mut message);
    prost::encoding::encode_varint(rest as u64, &mut message);
    message.resize(message.len() + rest, b'x');
    frame(&message).into()
}

/// A request of which the first bytes were sent.
struct Begun {
    response: ResponseFuture,
    stream: SendStream<Bytes>,
    rest: Bytes,
}

impl Begun {
    async fn new(caller: &Deaf, path: &str, token: &str, mut message: Bytes, sent: usize) -> Self {
        let (response, mut stream) = caller.begin(path, token).await.unwrap();
        let rest = message.split_off(sent);
        stream.send_data(message, false).unwrap();
        Self { response, stream, rest }
    }

    /// Sends the rest.
    async fn finish(mut self) -> Code {
        self.stream.send_data(self.rest, true).unwrap();
        code(timeout(PATIENCE, self.response).await.unwrap().unwrap().headers())
    }
}

fn code(headers: &HeaderMap) -> Code {
    headers.get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

async fn app() -> (TestApp, Tenant) {
    let app = TestApp::with(&["--max-arriving", MAX_ARRIVING], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    (app, tenant)
}

/// Begins two requests that are too large together. Returns the one that was not refused.
async fn one_of_two(caller: &Deaf, path: &str, token: &str, size: usize, sent: usize) -> Begun {
    let one = Begun::new(caller, path, token, asks_for_alice(size), sent).await;
    let other = Begun::new(caller, path, token, asks_for_alice(size), sent).await;
    let refused = timeout(PATIENCE, select(one.response, other.response)).await.unwrap();
    let (refused, response, stream, rest) = match refused {
        Either::Left((refused, response)) => (refused, response, other.stream, other.rest),
        Either::Right((refused, response)) => (refused, response, one.stream, one.rest),
    };
    assert_eq!(code(refused.unwrap().headers()), Code::Unavailable);
    Begun { response, stream, rest }
}

#[tokio::test]
async fn an_app_has_its_share_of_the_bytes_of_requests_that_are_coming() {
    let (app, tenant) = app().await;
    let caller = Deaf::connect(&app.url).await;
    let slow = one_of_two(&caller, GET_USER, &tenant.token, 60_000, 45_000).await;
    // What comes in one piece is not held up, nor are other apps, nor the slow one itself.
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    let other = app.tenant("acme#game").await;
    other.create(&["alice"]).await;
    let others = Begun::new(&caller, GET_USER, &other.token, asks_for_alice(30_000), 20_000).await;
    assert_eq!(others.finish().await, Code::Ok);
    assert_eq!(slow.finish().await, Code::Ok);
    // Its bytes have been given back, many times over.
    for _ in 0..5 {
        let next =
            Begun::new(&caller, GET_USER, &tenant.token, asks_for_alice(60_000), 45_000).await;
        assert_eq!(next.finish().await, Code::Ok);
    }
    // Also those of a caller who breaks off.
    drop(one_of_two(&caller, GET_USER, &tenant.token, 60_000, 45_000).await);
    let free = async {
        loop {
            let message = asks_for_alice(60_000);
            let next = Begun::new(&caller, GET_USER, &tenant.token, message, 45_000).await;
            if next.finish().await == Code::Ok {
                break;
            }
        }
    };
    timeout(PATIENCE, free).await.expect("the bytes are given back");
}

#[tokio::test]
async fn logins_share_a_quarter_of_these_bytes() {
    let (app, tenant) = app().await;
    let caller = Deaf::connect(&app.url).await;
    let login = "/befriend.v1.TokenService/IssueToken";
    let _slow = one_of_two(&caller, login, "", 30_000, 16_000).await;
    // They do not take what calls with a token need.
    let call = Begun::new(&caller, GET_USER, &tenant.token, asks_for_alice(60_000), 45_000).await;
    assert_eq!(call.finish().await, Code::Ok);
}

#[tokio::test]
async fn the_http_apis_refuse_too_many_bytes_with_503() {
    let (app, tenant) = app().await;
    let head = format!(
        "POST /acme/chat/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-length: 90000\r\n\r\n",
        tenant.token
    );
    let half = [head.as_bytes(), &[b' '; 80_000]].concat();
    let mut tcp = sends(&app.url, &half).await;
    let mut answer = vec![0; 12];
    timeout(PATIENCE, tcp.read_exact(&mut answer)).await.unwrap().unwrap();
    let expected = format!("HTTP/1.1 {}", StatusCode::SERVICE_UNAVAILABLE.as_u16());
    assert_eq!(String::from_utf8_lossy(&answer), expected);
    tcp.shutdown().await.unwrap();
}
