//! The log: one line a request, without names, contents and secrets.

use befriend::proto::{
    self, audit_service_client::AuditServiceClient, token_service_client::TokenServiceClient,
};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use crate::support::{
    Tenant,
    app::{Bearer, OPERATOR_TOKEN, tenant_on},
    binary::Service,
    postgres,
};

/// A service of its own, whose log can be read, with an app.
async fn service_with_an_app() -> (Service, Channel, Tenant) {
    let database = postgres::fresh_database().await;
    let arguments = ["--database-url", &database, "--operator-token", OPERATOR_TOKEN];
    let service = Service::start(&arguments).await;
    let channel = Endpoint::from_shared(service.url.clone()).unwrap().connect_lazy();
    let limits = proto::AppLimits::default();
    let tenant = tenant_on(channel.clone(), OPERATOR_TOKEN, "acme#chat", limits).await;
    (service, channel, tenant)
}

#[tokio::test]
async fn every_request_is_one_line_and_no_line_tells_names_contents_or_secrets() {
    let (mut service, channel, tenant) = service_with_an_app().await;
    let login = proto::IssueTokenRequest {
        client_id: tenant.app.client_id.clone(),
        client_secret: "a-wrong-secret".to_owned(),
        ttl: None,
    };
    TokenServiceClient::new(channel).issue_token(login).await.unwrap_err();
    tenant.create(&["zz-one", "zz-two"]).await;
    tenant.create_one("zz-three", "a nickname").await.unwrap();
    tenant.befriend_with("zz-one", "zz-two", "an extension").await.unwrap();
    tenant.remark("zz-one", "zz-two", "a remark").await.unwrap();
    tenant.remark("zz-one", "zz-three", "a remark").await.unwrap_err();
    tenant.befriend("zz-one", "zz-nobody").await.unwrap_err();
    tenant.befriend("zz-one", "zz four").await.unwrap_err();
    tenant.import("zz-one", &["zz-three", "zz five"]).await.unwrap();
    tenant.block("zz-one", &["zz-two"]).await.unwrap();
    tenant.with_token("a-wrong-token").profile("zz-one").await.unwrap_err();
    tenant.delete("zz-two").await.unwrap();
    assert!(service.stop().await, "{}", service.logged);

    let lines: Vec<Value> =
        service.logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<(&str, &str, Option<&str>)> = lines
        .iter()
        .filter(|line| line["message"] == "request")
        .map(|line| {
            assert_eq!(line["level"], "INFO");
            assert!(line["duration_ms"].as_f64().unwrap() >= 0.0);
            assert!(!line["request_id"].as_str().unwrap().is_empty());
            let text = |field: &str| line[field].as_str().unwrap();
            (text("operation"), text("grpc_code"), line["app"].as_str())
        })
        .collect();
    let acme = Some("acme#chat");
    let expected = [
        ("AppService/CreateApp", "Ok", None),
        ("TokenService/IssueToken", "Ok", None),
        ("TokenService/IssueToken", "Unauthenticated", None),
        ("UserService/BatchCreateUsers", "Ok", acme),
        ("UserService/CreateUser", "Ok", acme),
        ("FriendService/AddFriend", "Ok", acme),
        ("FriendService/SetRemark", "Ok", acme),
        ("FriendService/SetRemark", "FailedPrecondition", acme),
        ("FriendService/AddFriend", "NotFound", acme),
        ("FriendService/AddFriend", "InvalidArgument", acme),
        ("FriendService/ImportFriends", "Ok", acme),
        ("BlockService/BlockUsers", "Ok", acme),
        ("UserService/GetUser", "Unauthenticated", None),
        ("UserService/DeleteUser", "Ok", acme),
    ];
    assert_eq!(requests, expected);

    let (secret, client_id) = (&tenant.client_secret, &tenant.app.client_id);
    let secrets = [&tenant.token[..], secret, OPERATOR_TOKEN, client_id];
    let contents = ["zz-", "zz ", "a nickname", "an extension", "a remark", "a-wrong-"];
    for telling in secrets.into_iter().chain(contents) {
        assert!(!service.logged.contains(telling), "{telling} is in {}", service.logged);
    }
}

#[tokio::test]
async fn every_recorded_change_is_one_line_with_the_id_of_its_record() {
    let (mut service, channel, tenant) = service_with_an_app().await;
    tenant.create(&["zz-one"]).await;
    tenant.delete("zz-one").await.unwrap();
    let mut audit = AuditServiceClient::with_interceptor(channel, Bearer::new(OPERATOR_TOKEN));
    let all = proto::ListAuditEventsRequest::default();
    let mut events = audit.list_audit_events(all).await.unwrap().into_inner().audit_events;
    events.reverse();
    assert!(service.stop().await, "{}", service.logged);

    let lines = service.logged.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<Value> = lines.filter(|line| line["message"] == "audit").collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let expected = [
        ("root", "AppService/CreateApp", ""),
        ("app", "TokenService/IssueToken", events[1].target.as_str()),
        ("app", "UserService/DeleteUser", "…"),
    ];
    for ((line, event), (actor, action, target)) in lines.iter().zip(&events).zip(expected) {
        assert_eq!(line["audit_event"], event.audit_event_id);
        assert_eq!((&line["actor"], &line["action"]), (&actor.into(), &action.into()));
        assert_eq!((&line["audit_target"], &line["origin"]), (&target.into(), &"127.0.0.1".into()));
        assert_eq!(line["app"], "acme#chat");
        assert!(!line["request_id"].as_str().unwrap().is_empty());
    }
    let created: Value = serde_json::from_str(lines[0]["after"].as_str().unwrap()).unwrap();
    assert_eq!((&created["friend_limit"], &created["client_id"]), (&3000.into(), &"…".into()));
}
