//! The log: one line a request, and nothing that is nobody's business.

use befriend::proto;
use serde_json::Value;
use tonic::transport::Endpoint;

use crate::support::{Tenant, app::Bearer, app::OPERATOR_TOKEN, binary::Service, postgres};

#[tokio::test]
async fn every_request_is_one_line_and_no_line_tells_names_contents_or_secrets() {
    let database = postgres::fresh_database().await;
    let arguments = ["--database-url", &database, "--operator-token", OPERATOR_TOKEN];
    let mut service = Service::start(&arguments).await;
    let channel = Endpoint::from_shared(service.url.clone()).unwrap().connect_lazy();
    let mut operator = proto::app_service_client::AppServiceClient::with_interceptor(
        channel.clone(),
        Bearer::new(OPERATOR_TOKEN),
    );
    let request = proto::CreateAppRequest { app_key: "acme#chat".to_owned(), limits: None };
    let created = operator.create_app(request).await.unwrap().into_inner();
    let app = created.app.unwrap();
    let login = |client_secret: String| proto::IssueTokenRequest {
        client_id: app.client_id.clone(),
        client_secret,
        ttl: None,
    };
    let mut logins = proto::token_service_client::TokenServiceClient::new(channel.clone());
    let wrong = "a-wrong-secret".to_owned();
    logins.issue_token(login(wrong)).await.unwrap_err();
    let issued = logins.issue_token(login(created.client_secret.clone())).await.unwrap();
    let tenant = Tenant {
        channel,
        client_secret: created.client_secret.clone(),
        token: issued.into_inner().access_token,
        app: app.clone(),
    };
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
            assert!(!line["span"]["request_id"].as_str().unwrap().is_empty());
            let text = |field: &str| line[field].as_str().unwrap();
            (text("operation"), text("code"), line["app"].as_str())
        })
        .collect();
    let acme = Some("acme#chat");
    let expected = [
        ("AppService/CreateApp", "Ok", None),
        ("TokenService/IssueToken", "Unauthenticated", None),
        ("TokenService/IssueToken", "Ok", None),
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

    let secrets = [&tenant.token[..], &created.client_secret, OPERATOR_TOKEN, &app.client_id];
    let contents = ["zz-", "zz ", "a nickname", "an extension", "a remark", "a-wrong-"];
    for telling in secrets.into_iter().chain(contents) {
        assert!(!service.logged.contains(telling), "{telling} stands in {}", service.logged);
    }
}
