//! Callers who ask and do not read: they hold up themselves, for a time, and nobody else.

use std::time::Duration;

use befriend::{clock::Clock, proto};
use h2::{
    SendStream,
    client::{Connection, ResponseFuture, SendRequest},
};
use http::Request;
use prost::{Message as _, bytes::Bytes};
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;

use crate::support::{
    Tenant, TestApp,
    wire::{Wire, frame},
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A caller whose HTTP/2 window is 0: no byte of an answer can be sent to it.
pub struct Deaf {
    sender: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Deaf {
    pub async fn connect(url: &str) -> Self {
        let tcp = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
        Self::on(tcp).await
    }

    async fn on(tcp: TcpStream) -> Self {
        let mut deaf = h2::client::Builder::new();
        let handshake = deaf.initial_window_size(0).handshake::<_, Bytes>(tcp).await;
        let (sender, connection): (_, Connection<_, _>) = handshake.unwrap();
        Self { sender, connection: tokio::spawn(connection) }
    }

    /// Asks, and comes back when the head of the answer is there.
    pub async fn ask(&self, path: &str, token: &str, message: &[u8]) -> Result<Held, h2::Error> {
        let (response, mut stream) = self.begin(path, token).await?;
        stream.send_data(frame(message).into(), true)?;
        Ok(Held { head: response.await?, _stream: stream })
    }

    /// Sends the head of a request.
    pub async fn begin(
        &self,
        path: &str,
        token: &str,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let request = Request::post(format!("http://befriend{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap();
        let mut sender = self.sender.clone().ready().await?;
        sender.send_request(request, false)
    }

    /// Whether the server has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.connection.is_finished()
    }

    /// Comes back when the server has closed the connection.
    async fn until_closed(self) {
        let closed = timeout(PATIENCE, self.connection).await;
        let _ = closed.expect("the server closes the connection");
    }
}

/// An answer that is not read.
pub struct Held {
    head: http::Response<h2::RecvStream>,
    _stream: h2::SendStream<Bytes>,
}

impl Held {
    /// The code of an answer that is an error.
    fn code(&self) -> Code {
        let code = self.head.headers().get("grpc-status");
        code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
    }
}

const SYNC: &str = "/befriend.v1.FriendService/SyncFriends";

fn sync_alice() -> Vec<u8> {
    proto::SyncFriendsRequest { owner: "alice".to_owned(), ..Default::default() }.encode_to_vec()
}

/// A server with these flags, on which alice has a friend.
async fn alice_has_a_friend(flags: &[&str]) -> (TestApp, Tenant) {
    let app = TestApp::with(flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    (app, tenant)
}

#[tokio::test]
async fn a_call_keeps_its_place_until_its_answer_is_sent_and_no_longer_than_a_time() {
    let flags = ["--max-in-flight", "3", "--send-timeout", "2s"];
    let (app, tenant) = alice_has_a_friend(&flags).await;
    let deaf = Deaf::connect(&app.url).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(deaf.ask(SYNC, &tenant.token, &sync_alice()).await.unwrap());
    }
    let refused = tenant.friends_of("alice").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "three answers wait: {refused:?}");
    deaf.until_closed().await;
    // The places are free as soon as the connection has gone.
    let free = async { while tenant.friends_of("alice").await.is_err() {} };
    timeout(PATIENCE, free).await.expect("the places are free");
}

#[tokio::test]
async fn a_connection_gets_its_next_answers_when_it_has_read_those_before() {
    // A sixteenth is less than one answer.
    let flags = ["--max-unsent", "65536", "--send-timeout", "2s"];
    let (app, tenant) = alice_has_a_friend(&flags).await;
    let deaf = Deaf::connect(&app.url).await;
    let _first = deaf.ask(SYNC, &tenant.token, &sync_alice()).await.unwrap();
    let second = deaf.ask(SYNC, &tenant.token, &sync_alice()).await;
    assert!(second.is_err(), "the second call waited until the connection was closed");
    deaf.until_closed().await;
    // A caller who reads is not held up, however many calls there were.
    for _ in 0..20 {
        assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    }
}

#[tokio::test]
async fn above_the_bound_of_bytes_the_connection_with_most_of_them_is_closed() {
    let (app, tenant) =
        alice_has_a_friend(&["--max-unsent", "200000", "--send-timeout", "1h"]).await;
    // Each holds more than a sixteenth, so that no one reaches the bound alone.
    let mut deaf = Vec::new();
    loop {
        let caller = Deaf::connect(&app.url).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            match timeout(PATIENCE, caller.ask(SYNC, &tenant.token, &sync_alice())).await {
                Ok(Ok(answer)) => held.push(answer),
                Ok(Err(_)) => break,
                Err(_) => panic!("neither an answer nor an end"),
            }
        }
        deaf.push((caller, held));
        if deaf.iter().any(|(caller, _)| caller.is_closed()) {
            break;
        }
        assert!(deaf.len() < 100, "answers wait without a bound");
    }
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"], "who reads is served on");
}

#[tokio::test]
async fn a_connection_makes_few_calls_without_a_token() {
    let (app, _tenant) = alice_has_a_friend(&[]).await;
    let deaf = Deaf::connect(&app.url).await;
    let watch = HealthCheckRequest::default().encode_to_vec();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(deaf.ask("/grpc.health.v1.Health/Watch", "", &watch).await.unwrap());
        assert_eq!(held.last().unwrap().code(), Code::Ok);
    }
    for path in ["/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"] {
        let refused = deaf.ask(path, "", &watch).await.unwrap();
        assert_eq!(refused.code(), Code::Unavailable, "{path}");
    }
    // Other connections have their own.
    let other = Deaf::connect(&app.url).await;
    assert_eq!(
        other.ask("/grpc.health.v1.Health/Watch", "", &watch).await.unwrap().code(),
        Code::Ok
    );
    // And a stream that ends makes room.
    held.pop();
    let again = async {
        while deaf.ask("/grpc.health.v1.Health/Watch", "", &watch).await.unwrap().code() != Code::Ok
        {
        }
    };
    timeout(PATIENCE, again).await.expect("there is room again");
}

#[tokio::test]
async fn large_messages_to_services_without_a_token_are_refused() {
    let (app, _tenant) = alice_has_a_friend(&[]).await;
    let wire = Wire::connect(&app.url).await;
    let request = HealthCheckRequest { service: "x".repeat(5_000) }.encode_to_vec();
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        let answer = wire.post(path, &[], frame(&request)).await.unwrap();
        assert!(answer.body.len() < 1_000, "{path} sent it back");
    }
}

#[tokio::test]
async fn a_caller_that_reads_nothing_over_http_1_is_closed_too() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (app, _tenant) = alice_has_a_friend(&["--send-timeout", "1s"]).await;
    let mut tcp = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    // The description is long, and asked for again and again in one go.
    let ask = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000);
    let closed = async {
        // Until the server closes, since it reads no further while its answers are not taken.
        while tcp.write_all(&ask).await.is_ok() {}
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest).await;
    };
    timeout(PATIENCE, closed).await.expect("the server closes the connection");
}
