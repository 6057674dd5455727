//! Requests that are no calls, in whatever form.

use serde_json::{Value, json};

use super::alice_and_bob;
use crate::support::wire::{Wire, frame};

#[tokio::test]
async fn a_path_without_a_method_is_not_found() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    for path in [
        "FriendService/Nope",
        "Nope/AddFriend",
        "FriendService/AddFriend/",
        "/grpc.health.v1.Health/Nope",
    ] {
        for (verb, kind) in [
            ("POST", "application/json"),
            ("POST", "application/connect+json"),
            ("POST", "text/plain"),
            ("GET", "application/json"),
            ("DELETE", "application/json"),
        ] {
            let answer = caller.ask(verb, path, &[("content-type", kind)], b"{}").await;
            assert_eq!(answer.status, 404, "{verb} {path} {kind}");
            let said: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(said["code"], "unimplemented", "{said}");
            assert!(!answer.header("x-request-id").is_empty());
        }
    }
}

#[tokio::test]
async fn another_method_of_http_is_not_allowed() {
    let (_app, tenant, caller) = alice_and_bob().await;
    for (path, allowed) in [
        ("FriendService/AddFriend", "POST"),
        ("FriendService/ListFriends", "POST, GET"),
        ("FriendService/WatchFriends", "POST"),
        ("/grpc.health.v1.Health/Check", "POST"),
    ] {
        for verb in ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
            for kind in ["application/json", "application/grpc", "application/grpc-web"] {
                let answer = caller.ask(verb, path, &[("content-type", kind)], b"{}").await;
                assert_eq!(
                    (answer.status, answer.header("allow")),
                    (405, allowed),
                    "{verb} {path}"
                );
                let said = String::from_utf8(answer.body).unwrap();
                assert_eq!(said.contains(allowed), verb != "HEAD", "{said}");
            }
        }
    }
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_content_type_that_is_not_taken_is_told_what_is() {
    let (_app, tenant, caller) = alice_and_bob().await;
    let pair = json!({ "owner": "alice", "friend": "bob" }).to_string();
    for (path, kind, instead) in [
        ("FriendService/AddFriend", "text/plain", "application/json"),
        ("FriendService/AddFriend", "application/x-www-form-urlencoded", "application/json"),
        ("FriendService/AddFriend", "application/x-protobuf", "application/proto"),
        ("FriendService/AddFriend", "application/grpc+json", "application/grpc"),
        ("FriendService/AddFriend", "application/connect+json", "application/json"),
        ("FriendService/AddFriend", "", "application/json"),
        ("FriendService/WatchFriends", "application/json", "application/connect+json"),
        ("FriendService/WatchFriends", "application/proto", "application/connect+proto"),
        (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "application/json",
            "application/grpc",
        ),
    ] {
        let answer = caller.ask("POST", path, &[("content-type", kind)], pair.as_bytes()).await;
        assert_eq!(answer.status, 415, "{path} {kind}");
        let said = String::from_utf8_lossy(&answer.body);
        assert!(said.contains(instead) && !said.contains("details"), "{said}");
        assert!(answer.header("accept-post").contains(instead), "{answer:?}");
    }
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    for version in ["2", "", "v1"] {
        let headers = [("connect-protocol-version", version)];
        let refused = caller.call_with("UserService/GetUser", &headers, b"{}").await;
        assert_eq!(refused.refusal(), (400, "invalid_argument", "INVALID_ARGUMENT"), "{version:?}");
    }
}

#[tokio::test]
async fn too_much_metadata_is_refused_by_json_as_well() {
    let (_app, _tenant, caller) = alice_and_bob().await;
    // Counted as HTTP/2 does, with 32 bytes for each header: HTTP/1 takes a head of so many bytes.
    let names: Vec<String> = (0..90).map(|number| format!("x-{number}")).collect();
    let long = "x".repeat(150);
    let large: Vec<_> = names.iter().map(|name| (name.as_str(), long.as_str())).collect();
    let refused = caller.call_with("UserService/GetUser", &large, b"{}").await;
    assert_eq!((refused.status, &refused.json["code"]), (429, &json!("resource_exhausted")));
}

#[tokio::test]
async fn grpc_is_answered_as_before() {
    let (app, tenant, _caller) = alice_and_bob().await;
    let wire = Wire::connect(&app.url).await;
    let bearer = format!("Bearer {}", tenant.token);
    // The headers of the other forms mean nothing in gRPC.
    let headers = [
        ("authorization", bearer.as_bytes()),
        ("connect-timeout-ms", b"soon"),
        ("connect-protocol-version", b"9"),
        ("content-encoding", b"br"),
    ];
    let path = "/befriend.v1.AppService/ListApps";
    let refused = wire.post(path, &headers, frame(&[])).await.unwrap();
    assert_eq!(
        (refused.http.as_u16(), refused.status().code()),
        (200, tonic::Code::PermissionDenied)
    );
    assert_eq!(refused.headers["content-type"], "application/grpc");
}
