//! Calls with one answer, by JSON and by protobuf.

use befriend::proto;
use prost::Message as _;
use serde_json::{Value, json};

use super::alice_and_bob;
use crate::support::{
    TestApp,
    app::{OPERATOR_TOKEN, tenant_on},
    binary::Service,
    connect::Caller,
    postgres,
    raw::{self, methods},
};

#[tokio::test]
async fn a_call_by_json_answers_json() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let pair = json!({ "owner": "alice", "friend": "bob" });
    let added = caller.call("FriendService/AddFriend", &pair).await;
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(added.json["user"]["username"], "bob");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    let headers = [("x-request-id", "mine"), ("content-type", "Application/JSON; charset=utf-8")];
    let body = pair.to_string();
    let got = caller.call_with("FriendService/GetFriend", &headers, body.as_bytes()).await;
    assert_eq!((got.status, got.header("x-request-id")), (200, "mine"));
    assert!(got.headers.keys().all(|name| !name.as_str().starts_with("grpc-")), "{got:?}");
    let entry = &got.json["friend"];
    assert_eq!((&entry["username"], &entry["bidirectional"]), (&json!("bob"), &json!(true)));
    assert!(entry.get("remark").is_none(), "fields with their default are left out: {entry}");
}

#[tokio::test]
async fn a_call_by_protobuf_answers_protobuf() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    let request = proto::AddFriendRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        ..proto::AddFriendRequest::default()
    };
    let kind = [("content-type", "application/proto"), ("connect-protocol-version", "1")];
    let body = request.encode_to_vec();
    let added = caller.ask("POST", "FriendService/AddFriend", &kind, &body).await;
    assert_eq!((added.status, added.header("content-type")), (200, "application/proto"));
    let added = proto::AddFriendResponse::decode(added.body.as_slice()).unwrap();
    assert_eq!(added.user.unwrap().username, "bob");
}

#[tokio::test]
async fn every_method_is_reached_by_json() {
    let (app, _tenant, caller) = alice_and_bob().await;
    let operator = Caller::new(&app.url, OPERATOR_TOKEN);
    for method in methods().iter().filter(|method| !method.is_server_streaming()) {
        let operation = raw::operation(method);
        for caller in [&caller, &operator] {
            let reply = caller.call(&operation, &json!({})).await;
            let code = reply.json.get("code").and_then(Value::as_str);
            assert_eq!(code.is_some(), reply.status != 200, "{operation}: {reply:?}");
            assert_ne!(code, Some("unimplemented"), "{operation}: {reply:?}");
            assert!(![405, 415, 500].contains(&reply.status), "{operation}: {reply:?}");
            assert!(!reply.header("x-request-id").is_empty(), "{operation}");
        }
    }
}

#[tokio::test]
async fn values_are_written_as_proto3_says() {
    let (app, tenant, caller) = alice_and_bob().await;
    let login = json!({
        "clientId": tenant.app.client_id, "client_secret": tenant.client_secret, "ttl": "3600s",
    });
    let issued = Caller::new(&app.url, "").call("TokenService/IssueToken", &login).await;
    assert_eq!(issued.json["expiresIn"], "3600s", "{issued:?}");
    tenant.befriend("alice", "bob").await.unwrap();
    let change = json!({
        "owner": "alice", "friend": "bob", "remark": "B", "serverExtension": "x",
        "updateMask": "remark,serverExtension",
    });
    let updated = caller.call("FriendService/UpdateFriend", &change).await;
    let entry = &updated.json["friend"];
    assert_eq!((&entry["remark"], &entry["serverExtension"]), (&json!("B"), &json!("x")));
    assert_eq!(entry["version"], "2", "64 bits are a text");
    let stamp = entry["createTime"].as_str().unwrap();
    assert!(stamp.contains('T') && stamp.ends_with('Z'), "{stamp}");
    tenant.create(&["carol"]).await;
    tenant.ask("carol", "alice", "hello").await.unwrap();
    let list = json!({
        "username": "alice", "direction": "FRIEND_REQUEST_DIRECTION_INCOMING",
        "states": ["FRIEND_REQUEST_STATE_PENDING", 2],
    });
    let listed = caller.call("FriendService/ListFriendRequests", &list).await;
    assert_eq!(
        listed.json["friendRequests"][0]["state"], "FRIEND_REQUEST_STATE_PENDING",
        "{listed:?}"
    );
    for wrong in [
        json!({ "updateMask": "server_Extension" }),
        json!({ "updateMask": 5 }),
        json!({ "owner": null, "friend": ["bob"] }),
        json!({ "owner": 1 }),
    ] {
        let refused = caller.call("FriendService/UpdateFriend", &wrong).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"), "{wrong}");
    }
    let wrong = json!({ "direction": "SIDEWAYS" });
    let refused = caller.call("FriendService/ListFriendRequests", &wrong).await;
    assert!(refused.json["message"].as_str().unwrap().contains("SIDEWAYS"), "{refused:?}");
}

#[tokio::test]
async fn an_unknown_field_is_refused_with_its_name() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let typo = json!({ "owner": "alice", "frend": "bob" });
    let refused = caller.call("FriendService/AddFriend", &typo).await;
    assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"));
    let violation = &refused.detail("google.rpc.BadRequest")["fieldViolations"][0];
    assert_eq!(violation["field"], "frend");
    assert!(refused.json["message"].as_str().unwrap().contains("frend"));
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_health_service_answers_by_json() {
    let app = TestApp::start().await;
    let caller = Caller::new(&app.url, "");
    let health = caller.call("/grpc.health.v1.Health/Check", &json!({})).await;
    // Until the first probe of the database it does not serve.
    let said = health.json["status"].as_str().unwrap();
    assert!(health.status == 200 && said.ends_with("SERVING"), "{health:?}");
    let nothing = caller.call("/grpc.health.v1.Health/Check", &json!({ "service": "no" })).await;
    assert_eq!((nothing.status, &nothing.json["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn a_call_is_logged_with_its_form() {
    let database = postgres::fresh_database().await;
    let arguments = ["--database-url", &database, "--operator-token", OPERATOR_TOKEN];
    let mut service = Service::start(&arguments).await;
    let channel = tonic::transport::Endpoint::from_shared(service.url.clone()).unwrap();
    let limits = proto::AppLimits::default();
    let tenant = tenant_on(channel.connect_lazy(), OPERATOR_TOKEN, "acme#chat", limits).await;
    let caller = Caller::new(&service.url, &tenant.token);
    let nobody = json!({ "username": "nobody" });
    assert_eq!(caller.call("UserService/GetUser", &nobody).await.status, 404);
    // What is wrong with the request itself is logged as well.
    let late = [("connect-timeout-ms", "soon")];
    assert_eq!(caller.call_with("UserService/GetUser", &late, b"{}").await.status, 400);
    assert_eq!(caller.call_with("UserService/ListUsers", &[], b"no").await.status, 400);
    assert!(service.stop().await, "{}", service.logged);
    let lines = service.logged.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let logged = lines.filter(|line| line["surface"] == "connect").map(|line| {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        (text("operation"), text("grpc_code"), text("reason"), text("app"))
    });
    let line = |operation: &str, code: &str, reason: &str, app: &str| {
        (operation.to_owned(), code.to_owned(), reason.to_owned(), app.to_owned())
    };
    let expected = [
        line("UserService/GetUser", "NotFound", "USER_NOT_FOUND", "acme#chat"),
        line("UserService/GetUser", "InvalidArgument", "INVALID_ARGUMENT", ""),
        line("UserService/ListUsers", "InvalidArgument", "INVALID_ARGUMENT", "acme#chat"),
    ];
    assert_eq!(logged.collect::<Vec<_>>(), expected);
}
