//! Deadlines, tokens and retries.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use befriend::clock::Clock;
use befriend_client::{
    Client, Error,
    proto::{ErrorReason, GetUserRequest, ListAppsRequest, SendFriendRequestRequest},
};
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::net::{TcpListener, TcpSocket};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Status, body::Body, codegen::Bytes};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{add, client_of};
use crate::support::{TestApp, app::OPERATOR_TOKEN, certificates::Certificates, tenant::acme};

#[tokio::test]
async fn a_token_that_the_service_does_not_accept_any_longer_is_replaced() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let client = client_of(&app, &tenant);
    client.friends().add_friend(add("alice", "bob")).await.unwrap();
    let revoke = befriend_client::proto::RevokeTokenRequest::default();
    client.tokens().revoke_token(revoke).await.unwrap();
    client.friends().add_friend(add("bob", "alice")).await.expect("with another token");
}

#[tokio::test]
async fn calls_at_once_fetch_one_token() {
    let (app, tenant) = acme(&["alice"]).await;
    let client = client_of(&app, &tenant);
    let before = tokens(app.pool()).await;
    let calls = (0..20).map(|_| {
        let client = client.clone();
        async move {
            let request = GetUserRequest { username: "alice".to_owned() };
            client.users().get_user(request).await.unwrap();
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(tokens(app.pool()).await - before, 1);
}

async fn tokens(pool: &sqlx::PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from tokens").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn wrong_credentials_and_wrong_tokens_are_told() {
    let (app, tenant) = acme(&["alice"]).await;
    let reason = async |client: Client| {
        let refused = client.friends().add_friend(add("alice", "bob")).await.unwrap_err();
        Error::from(refused).reason()
    };
    let wrong = Client::builder(&app.url).credentials(&tenant.app.client_id, "wrong");
    let wrong = wrong.build().unwrap();
    assert_eq!(reason(wrong).await, Some(ErrorReason::InvalidCredentials));
    let wrong = Client::builder(&app.url).token("wrong").build().unwrap();
    assert_eq!(reason(wrong).await, Some(ErrorReason::Unauthenticated));
    let none = Client::builder(&app.url).build().unwrap();
    assert_eq!(reason(none).await, Some(ErrorReason::Unauthenticated));
}

#[tokio::test]
async fn what_no_client_can_be_made_of_is_told() {
    for url in ["", "localhost", "127.0.0.1:50051"] {
        let error = Client::builder(url).build().err().unwrap_or_else(|| panic!("{url:?}"));
        assert_eq!(error.code(), Code::InvalidArgument, "{url:?}");
    }
    let error = Client::builder("http://127.0.0.1:1").token("line\nend").build().err();
    assert_eq!(error.expect("an error").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_call_ends_at_the_deadline_of_the_request_or_the_client() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let _held = app.hold("alice").await;
    let client = client_of(&app, &tenant);
    let mut request = Request::new(add("alice", "bob"));
    request.set_timeout(Duration::from_millis(100));
    let late = client.friends().add_friend(request).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let hasty = Client::builder(&app.url)
        .credentials(&tenant.app.client_id, &tenant.client_secret)
        .timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let late = hasty.friends().add_friend(add("alice", "bob")).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
}

/// A service that answers each call with the next of these errors, and when there are none left with an empty
/// message. Returns its URL, and the number of calls so far.
async fn stand_in(errors: Vec<Status>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, serve(listener, errors))
}

fn serve(listener: TcpListener, errors: Vec<Status>) -> Arc<AtomicUsize> {
    let errors = Arc::new(Mutex::new(VecDeque::from(errors)));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let router = axum::Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let error = errors.lock().unwrap().pop_front();
        let answer = error.map_or_else(empty_message, Status::into_http);
        std::future::ready(answer)
    });
    let serving = tonic::transport::Server::builder()
        .add_routes(router.into())
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    calls
}

fn empty_message() -> http::Response<Body> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Status>)));
    let mut answer = http::Response::new(Body::new(body));
    let grpc = http::HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    answer
}

/// An error as befriend makes it.
fn refused(code: Code, reason: &str, wait: Option<Duration>) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, "befriend.v1", HashMap::<String, String>::new());
    if let Some(wait) = wait {
        details.set_retry_info(Some(wait));
    }
    Status::with_error_details(code, "refused", details)
}

fn away() -> Status {
    refused(Code::Unavailable, "UNAVAILABLE", Some(Duration::from_millis(1)))
}

fn client_with(url: &str, attempts: u32) -> Client {
    let client = Client::builder(url).first_pause(Duration::from_millis(1)).attempts(attempts);
    client.build().unwrap()
}

/// Makes a call that may be repeated and one that may not, each against a service that refuses the first call
/// with this error. Returns how often each was made.
async fn made(error: &Status) -> (usize, usize) {
    let (url, adds) = stand_in(vec![error.clone()]).await;
    let _ = client_with(&url, 4).friends().add_friend(add("alice", "bob")).await;
    let (url, sends) = stand_in(vec![error.clone()]).await;
    let send = SendFriendRequestRequest::default();
    let _ = client_with(&url, 4).friends().send_friend_request(send).await;
    (adds.load(Ordering::SeqCst), sends.load(Ordering::SeqCst))
}

#[tokio::test]
async fn only_what_can_do_no_harm_is_tried_again() {
    assert_eq!(made(&away()).await, (2, 1), "what is not IDEMPOTENT may have happened");
    let proxy = Status::unavailable("a proxy's own");
    assert_eq!(made(&proxy).await, (2, 1));
    let moment = Some(Duration::from_millis(1));
    assert_eq!(made(&refused(Code::ResourceExhausted, "RATE_LIMITED", moment)).await, (2, 2));
    assert_eq!(made(&refused(Code::Aborted, "CONFLICT", None)).await, (2, 2));
    // Repeating helps none of these.
    let full = refused(Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED", None);
    assert_eq!(made(&full).await, (1, 1));
    assert_eq!(made(&refused(Code::Internal, "INTERNAL", None)).await, (1, 1));
    assert_eq!(made(&refused(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", None)).await, (1, 1));
    assert_eq!(made(&refused(Code::NotFound, "USER_NOT_FOUND", None)).await, (1, 1));
}

#[tokio::test]
async fn a_call_is_tried_as_often_as_the_client_says() {
    let (url, calls) = stand_in(vec![away(); 9]).await;
    let failed = client_with(&url, 3).friends().add_friend(add("alice", "bob")).await;
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let failed = client_with(&url, 1).friends().add_friend(add("alice", "bob")).await;
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
    assert_eq!(calls.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_pause_that_the_deadline_would_end_is_not_waited_for() {
    let hour = Some(Duration::from_secs(3600));
    let (url, calls) = stand_in(vec![refused(Code::Unavailable, "UNAVAILABLE", hour)]).await;
    let failed = client_with(&url, 4).friends().add_friend(add("alice", "bob")).await.unwrap_err();
    let failed = Error::from(failed);
    assert_eq!((failed.code(), failed.retry_after()), (Code::Unavailable, hour));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_not_sent_is_tried_again_whatever_it_is() {
    // The port is the test's own from the start, but nobody listens yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let patient = client_with(&url, u32::MAX);
    let sending = tokio::spawn(async move {
        patient.friends().send_friend_request(SendFriendRequestRequest::default()).await
    });
    let impatient = client_with(&url, 1);
    let failed = impatient.friends().send_friend_request(SendFriendRequestRequest::default()).await;
    assert_eq!(failed.unwrap_err().code(), Code::Unavailable);
    let calls = serve(socket.listen(16).unwrap(), vec![]);
    sending.await.unwrap().expect("the service is there now");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_service_with_certificates_of_its_own_is_called_over_tls() {
    let certs = Certificates::make();
    let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|file| certs.path(file));
    let flags = ["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", &ca];
    let app = TestApp::with(&flags, Clock::system()).await;
    let url = app.url.replace("http://127.0.0.1", "https://localhost");
    let builder = || Client::builder(&url).token(OPERATOR_TOKEN).attempts(1);
    let list = async |client: Client| client.apps().list_apps(ListAppsRequest::default()).await;

    let known = builder()
        .ca_certificate(certs.read("ca.pem"))
        .client_certificate(certs.read("client.pem"), certs.read("client.key"));
    list(known.build().unwrap()).await.unwrap();
    let without = builder().ca_certificate(certs.read("ca.pem")).build().unwrap();
    list(without).await.expect_err("without a certificate");
    list(builder().build().unwrap()).await.expect_err("an authority that the system does not know");
}
