//! Every reason of an error looks as its example in the proto says.

mod provoke;

use std::collections::BTreeSet;

use befriend::{
    clock::Clock,
    proto::{self, DESCRIPTORS, ErrorReason},
};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{
    TestApp, metadata,
    tenant::acme,
    wire::{self, Wire},
};

/// What the comment above a value of ErrorReason promises.
struct Promise {
    code: String,
    metadata_keys: BTreeSet<String>,
    comment: String,
}

/// Reads the comment above a value: its text, its "Code …" and its example.
fn promise(value: &str) -> Promise {
    let source = include_str!("../../proto/befriend/v1/error_reason.proto");
    let (before, _) = source.split_once(&format!("  {value} = ")).expect("the value is there");
    let lines: Vec<&str> =
        before.lines().rev().map_while(|l| l.trim().strip_prefix("//")).collect();
    let comment = lines.into_iter().rev().map(str::trim).collect::<Vec<_>>().join(" ");
    let code = comment.split("Code ").nth(1).expect("the comment tells the code");
    let code = code.split([',', '.']).next().unwrap().to_owned();
    let example = comment.split("Example: ").nth(1).expect("the comment has an example");
    let example: serde_json::Value = serde_json::from_str(example).expect("the example is JSON");
    assert_eq!(format!("ERROR_REASON_{}", example["reason"].as_str().unwrap()), value);
    assert_eq!(example["domain"], "befriend.v1");
    let metadata_keys = example["metadata"].as_object().unwrap().keys().cloned().collect();
    Promise { code, metadata_keys, comment }
}

#[tokio::test]
async fn every_reason_is_given_as_its_example_says() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let reasons = pool.get_enum_by_name("befriend.v1.ErrorReason").unwrap();
    for value in reasons.values() {
        let reason = ErrorReason::try_from(value.number()).unwrap();
        let Some(status) = provoke::provoke(reason).await else {
            assert_eq!(reason, ErrorReason::Unspecified, "it is never sent");
            continue;
        };
        let promise = promise(value.name());
        let details = status.get_error_details();
        let info = details.error_info().unwrap_or_else(|| panic!("{}: {status:?}", value.name()));
        assert_eq!(format!("ERROR_REASON_{}", info.reason), value.name());
        assert_eq!(info.domain, "befriend.v1");
        let code = proto_code(status.code());
        assert_eq!(code, promise.code, "{}", value.name());
        let keys: BTreeSet<String> = info.metadata.keys().cloned().collect();
        assert_eq!(keys, promise.metadata_keys, "{}", value.name());
        for (detail, given) in [
            ("BadRequest", details.bad_request().is_some()),
            ("ResourceInfo", details.resource_info().is_some()),
            ("QuotaFailure", details.quota_failure().is_some()),
            ("PreconditionFailure", details.precondition_failure().is_some()),
            ("RetryInfo", details.retry_info().is_some()),
        ] {
            let promised = promise.comment.contains(detail);
            assert_eq!(given, promised, "{}: {detail}", value.name());
        }
        assert!(!status.message().is_empty(), "{} says nothing", value.name());
    }
}

/// A code as the documentation of gRPC writes it.
fn proto_code(code: Code) -> String {
    let name = format!("{code:?}");
    let mut written = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_ascii_uppercase() {
            written.push('_');
        }
        written.push(c.to_ascii_uppercase());
    }
    written
}

/// Takes away a table that the service needs.
async fn broken(app: &TestApp) {
    sqlx::query("alter table friends rename to hidden_friends").execute(app.pool()).await.unwrap();
}

#[tokio::test]
async fn something_unforeseen_is_told_in_one_fixed_sentence() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    broken(&app).await;
    let answers = [
        tenant.befriend("alice", "bob").await.map(drop),
        tenant.friends_of("alice").await.map(drop),
    ];
    let statuses = answers.map(|answer| answer.unwrap_err());
    for status in &statuses {
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), statuses[0].message());
        let seen = format!("{} {:?}", status.message(), String::from_utf8_lossy(status.details()));
        for detail in ["friends", "relation", "sql", "alice"] {
            assert!(!seen.contains(detail), "{seen} tells of {detail}");
        }
        assert!(status.metadata().contains_key("x-request-id"), "by which to find it in the log");
    }
    tenant.profile("alice").await.unwrap(); // The rest goes on.
}

#[tokio::test]
async fn the_callers_deadline_ends_a_call_with_details_and_without_the_change() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let held = app.hold("alice").await;
    let request = proto::AddFriendRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        server_extension: String::new(),
    };
    let bearer = format!("Bearer {}", tenant.token);
    let headers = [("authorization", bearer.as_bytes()), ("grpc-timeout", b"200m")];
    let wire = Wire::connect(&app.url).await;
    let path = "/befriend.v1.FriendService/AddFriend";
    let answer = wire.post(path, &headers, wire::frame(&request.encode_to_vec())).await.unwrap();
    let status = answer.status();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "DEADLINE_EXCEEDED");

    // The database has stopped too: nothing happens once the row is free.
    held.rollback().await.unwrap();
    tenant.remark("alice", "bob", "x").await.unwrap_err();
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_call_that_waits_for_a_row_goes_on_when_the_row_is_free() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let held = app.hold("alice").await;
    let waiting = {
        let tenant = tenant.clone();
        tokio::spawn(async move { tenant.befriend("alice", "bob").await })
    };
    app.until_somebody_waits_for_a_lock().await;
    assert!(tenant.friends_of("alice").await.unwrap().is_empty(), "reads do not wait");
    held.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_are_refused_and_may_be_repeated() {
    let app = TestApp::with(&["--max-in-flight", "1"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let held = app.hold("alice").await;
    let waiting = {
        let tenant = tenant.clone();
        tokio::spawn(async move { tenant.befriend("alice", "bob").await })
    };
    app.until_somebody_waits_for_a_lock().await;
    let refused = tenant.profile("bob").await;
    let details = crate::support::expect_error(refused, Code::Unavailable, "UNAVAILABLE");
    assert!(details.retry_info().is_some());

    held.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    tenant.profile("bob").await.unwrap();
}

#[tokio::test]
async fn the_metadata_names_what_the_message_names() {
    let (_app, tenant) = acme(&["alice"]).await;
    let status = tenant.befriend("alice", "nobody").await.unwrap_err();
    let details = status.get_error_details();
    assert!(status.message().contains(metadata(&details, "username")), "{}", status.message());
}
