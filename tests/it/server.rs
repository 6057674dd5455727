//! The server around the calls: health, its end, reflection, request ids, compression.

use std::time::Duration;

use befriend::{clock::Clock, grpc, proto};
use prost::Message as _;
use tonic::{Code, Status, codec::CompressionEncoding, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb;

use crate::support::{
    TestApp,
    tenant::acme,
    wire::{self, Wire},
};

/// Comes back when a service says that it is in this state; services tell as soon as they know.
async fn until(app: &TestApp, service: &str, wanted: ServingStatus) {
    let request = HealthCheckRequest { service: service.to_owned() };
    let mut states =
        HealthClient::new(app.channel.clone()).watch(request).await.unwrap().into_inner();
    while states.message().await.unwrap().expect("it tells until its end").status() != wanted {}
}

/// The server as a whole, and each service by its name.
fn all_services() -> impl Iterator<Item = &'static str> {
    [""].into_iter().chain(grpc::SERVICES)
}

#[tokio::test]
async fn every_service_is_serving_until_the_server_is_told_to_stop() {
    // So long a drain never ends in a test.
    let app = TestApp::with(&["--drain", "1h"], Clock::system()).await;
    for service in all_services() {
        until(&app, service, ServingStatus::Serving).await;
    }
    let tenant = app.tenant("acme#chat").await;
    app.stop.cancel();
    for service in all_services() {
        until(&app, service, ServingStatus::NotServing).await;
    }
    tenant.create(&["alice"]).await; // Whoever has not noticed yet is served on.
}

#[tokio::test]
async fn without_its_database_no_service_is_serving() {
    // Nothing listens on port 1.
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let app = TestApp::on(nowhere, &[], Clock::system()).await;
    for service in all_services() {
        let request = HealthCheckRequest { service: service.to_owned() };
        let health = HealthClient::new(app.channel.clone()).check(request).await.unwrap();
        assert_eq!(health.into_inner().status(), ServingStatus::NotServing, "{service}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_has_no_health() {
    let app = TestApp::start().await;
    let request = HealthCheckRequest { service: "befriend.v1.Nope".to_owned() };
    let refused = HealthClient::new(app.channel.clone()).check(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn a_call_under_way_at_the_end_is_finished() {
    let (mut app, tenant) = acme(&["alice", "bob"]).await;
    let held = app.hold("alice").await;
    let waiting = {
        let tenant = tenant.clone();
        tokio::spawn(async move { tenant.befriend("alice", "bob").await })
    };
    app.until_somebody_waits_for_a_lock().await;
    app.stop.cancel();
    held.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    app.serving.take().unwrap().await.unwrap();

    let refused = tenant.friends_of("alice").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "nobody listens any more");
}

#[tokio::test]
async fn a_call_that_does_not_end_holds_nothing_up_beyond_the_shutdown_time() {
    let endless =
        ["--db-lock-timeout", "1h", "--db-statement-timeout", "1h", "--max-duration", "1h"];
    let flags = [&["--shutdown-timeout", "50ms"][..], &endless].concat();
    let mut app = TestApp::with(&flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let _held = app.hold("alice").await;
    let waiting = tokio::spawn(async move { tenant.befriend("alice", "bob").await });
    app.until_somebody_waits_for_a_lock().await;
    app.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), app.serving.take().unwrap()).await;
    ended.expect("the server ends").unwrap();
    waiting.abort();
}

#[tokio::test]
async fn an_open_health_watch_does_not_hold_up_the_end() {
    let mut app = TestApp::with(&["--shutdown-timeout", "1h"], Clock::system()).await;
    let request = HealthCheckRequest { service: String::new() };
    let watch = HealthClient::new(app.channel.clone()).watch(request).await.unwrap();
    app.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), app.serving.take().unwrap()).await;
    ended.expect("the server ends").unwrap();
    drop(watch);
}

/// The services that reflection of version 1 lists.
async fn listed(channel: Channel) -> Result<Vec<String>, Status> {
    use pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = tokio_stream::once(request);
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    match answers.message().await?.unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?} is no list"),
    }
}

/// The same of the version that older tools ask for.
async fn listed_alpha(channel: Channel) -> Result<Vec<String>, Status> {
    use pb::v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = tokio_stream::once(request);
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    match answers.message().await?.unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?} is no list"),
    }
}

#[tokio::test]
async fn reflection_lists_all_services_in_both_its_versions() {
    let app = TestApp::start().await;
    let lists = [
        listed(app.channel.clone()).await.unwrap(),
        listed_alpha(app.channel.clone()).await.unwrap(),
    ];
    for list in lists {
        for service in grpc::SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
            assert!(list.iter().any(|name| name == service), "{service} is not in {list:?}");
        }
    }
}

#[tokio::test]
async fn reflection_can_be_turned_off() {
    let app = TestApp::with(&["--reflection", "false"], Clock::system()).await;
    let answers = [listed(app.channel.clone()).await, listed_alpha(app.channel.clone()).await];
    for answer in answers {
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    }
    app.tenant("acme#chat").await; // The rest is there.
}

#[tokio::test]
async fn every_answer_has_the_callers_request_id_or_a_new_one() {
    let (app, tenant) = acme(&["alice"]).await;
    let wire = Wire::connect(&app.url).await;
    let bearer = format!("Bearer {}", tenant.token);
    let request_id = async |name: &str, given: &[u8]| {
        let request = proto::GetUserRequest { username: name.to_owned() };
        let headers = [("authorization", bearer.as_bytes()), ("x-request-id", given)];
        let body = wire::frame(&request.encode_to_vec());
        let answer = wire.post("/befriend.v1.UserService/GetUser", &headers, body).await.unwrap();
        answer.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    for name in ["alice", "nobody", "no body"] {
        assert_eq!(request_id(name, b"order-42/try#1").await, "order-42/try#1");
        // What could garble a log is not taken over.
        let (long, new) = ([b'x'; 129], async |given: &[u8]| request_id(name, given).await);
        for given in [&b""[..], b"two words", b"\xff\xfe", &long] {
            assert!(uuid::Uuid::parse_str(&new(given).await).is_ok());
        }
    }
    let refused = tenant.with_token("rubbish").profile("alice").await.unwrap_err();
    assert!(refused.metadata().contains_key("x-request-id"), "of refusals too");
}

#[tokio::test]
async fn messages_may_be_compressed_both_ways() {
    let (app, tenant) = acme(&["alice"]).await;
    let mut users = tenant
        .users()
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let request = proto::GetUserRequest { username: "alice".to_owned() };
    let answer = users.get_user(request.clone()).await.unwrap();
    assert_eq!(answer.into_inner().user.unwrap().username, "alice");

    let wire = Wire::connect(&app.url).await;
    let bearer = format!("Bearer {}", tenant.token);
    for (accepted, encoding) in [("gzip", Some("gzip")), ("identity", None)] {
        let headers =
            [("authorization", bearer.as_bytes()), ("grpc-accept-encoding", accepted.as_bytes())];
        let body = wire::frame(&request.encode_to_vec());
        let answer = wire.post("/befriend.v1.UserService/GetUser", &headers, body).await.unwrap();
        assert_eq!(answer.status().code(), Code::Ok);
        let given = answer.headers.get("grpc-encoding").map(|value| value.to_str().unwrap());
        assert_eq!((given, answer.body[0]), (encoding, u8::from(encoding.is_some())));
    }
}
