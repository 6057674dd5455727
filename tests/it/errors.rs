//! Every reason there is, as its example in the proto says it looks.

use std::collections::BTreeSet;

use befriend::{
    clock::Clock,
    proto::{self, DESCRIPTORS, ErrorReason},
};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{
    Tenant, TestApp,
    follow::on_narrow_connection,
    metadata,
    tenant::{acme, block_limit, friend_limit},
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
        let Some(status) = provoke(reason).await else {
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

/// Makes a call that is refused with this reason; nothing for the one that is never sent.
async fn provoke(reason: ErrorReason) -> Option<Status> {
    let refused = match reason {
        ErrorReason::Unspecified => return None,
        ErrorReason::Unauthenticated => {
            let (_app, tenant) = acme(&[]).await;
            tenant.with_token("rubbish").profile("alice").await.map(drop)
        }
        ErrorReason::TokenScope => {
            let (app, tenant) = acme(&[]).await;
            let mut apps = proto::app_service_client::AppServiceClient::with_interceptor(
                app.channel.clone(),
                crate::support::app::Bearer::new(&tenant.token),
            );
            apps.list_apps(proto::ListAppsRequest::default()).await.map(drop)
        }
        ErrorReason::InvalidCredentials => {
            let (app, tenant) = acme(&[]).await;
            app.login(&tenant.app.client_id, "wrong", None).await.map(drop)
        }
        ErrorReason::AppNotFound => {
            let app = TestApp::start().await;
            let request = proto::GetAppRequest { app_key: "no#app".to_owned() };
            app.apps().get_app(request).await.map(drop)
        }
        ErrorReason::AppAlreadyExists => {
            let (app, tenant) = acme(&[]).await;
            let request = proto::CreateAppRequest { app_key: tenant.app.app_key, limits: None };
            app.apps().create_app(request).await.map(drop)
        }
        ErrorReason::UserNotFound => acme(&[]).await.1.profile("nobody").await.map(drop),
        ErrorReason::UserAlreadyExists => {
            acme(&["alice"]).await.1.create_one("alice", "").await.map(drop)
        }
        ErrorReason::NotFriends => {
            acme(&["alice", "bob"]).await.1.entry("alice", "bob").await.map(drop)
        }
        ErrorReason::FriendLimitExceeded => {
            let (app, tenant) = acme(&["alice", "bob"]).await;
            app.set_limits(&tenant, friend_limit(0)).await;
            tenant.befriend("alice", "bob").await.map(drop)
        }
        ErrorReason::BlockLimitExceeded => {
            let (app, tenant) = acme(&["alice", "bob"]).await;
            app.set_limits(&tenant, block_limit(0)).await;
            tenant.block("alice", &["bob"]).await.map(drop)
        }
        ErrorReason::RateLimited => {
            let app = TestApp::start().await;
            let slow = proto::AppLimitsChange {
                requests_per_second: Some(1),
                ..proto::AppLimitsChange::default()
            };
            let tenant = app.tenant_with("acme#chat", slow).await;
            let _counted = tenant.profile("alice").await;
            tenant.profile("alice").await.map(drop)
        }
        ErrorReason::SelfRelation => {
            acme(&["alice"]).await.1.befriend("alice", "alice").await.map(drop)
        }
        ErrorReason::InvalidUsername => acme(&[]).await.1.profile("no body").await.map(drop),
        ErrorReason::InvalidRemark => {
            acme(&[]).await.1.remark("alice", "bob", &"x".repeat(101)).await.map(drop)
        }
        ErrorReason::InvalidExtension => {
            acme(&[]).await.1.befriend_with("alice", "bob", &"x".repeat(257)).await.map(drop)
        }
        ErrorReason::InvalidPageToken => {
            let request = proto::ListUsersRequest { page_size: 0, page_token: "x".to_owned() };
            acme(&[]).await.1.users().list_users(request).await.map(drop)
        }
        ErrorReason::PageSizeOutOfRange => {
            let request = proto::ListUsersRequest { page_size: -1, page_token: String::new() };
            acme(&[]).await.1.users().list_users(request).await.map(drop)
        }
        ErrorReason::BatchTooLarge => {
            acme(&[]).await.1.import("alice", &["bob"; 11]).await.map(drop)
        }
        ErrorReason::InvalidArgument => acme(&[]).await.1.import("alice", &[]).await.map(drop),
        ErrorReason::CallbackRuleNotFound => {
            let (app, tenant) = acme(&[]).await;
            let request = proto::GetCallbackRuleRequest {
                app_key: tenant.app.app_key,
                rule_id: "5d331a77-4f10-4327-b7a6-7d1f1d22f175".to_owned(),
            };
            app.apps().get_callback_rule(request).await.map(drop)
        }
        ErrorReason::CallbackRuleLimitExceeded => {
            let (app, tenant) = acme(&[]).await;
            let request = proto::CreateCallbackRuleRequest {
                app_key: tenant.app.app_key,
                url: "https://example.com/".to_owned(),
                ..proto::CreateCallbackRuleRequest::default()
            };
            for _ in 0..4 {
                app.apps().create_callback_rule(request.clone()).await.expect("a rule");
            }
            app.apps().create_callback_rule(request).await.map(drop)
        }
        ErrorReason::EventNotFound => {
            let request = proto::GetEventRequest { event_id: "no event".to_owned() };
            acme(&[]).await.1.events().get_event(request).await.map(drop)
        }
        ErrorReason::AlreadyFriends => {
            let (_app, tenant) = acme(&["alice", "bob"]).await;
            tenant.befriend("alice", "bob").await.expect("friends");
            tenant.ask("alice", "bob", "").await.map(drop)
        }
        ErrorReason::Blocked => {
            let (_app, tenant) = acme(&["alice", "bob"]).await;
            tenant.block("bob", &["alice"]).await.expect("a block");
            tenant.ask("alice", "bob", "").await.map(drop)
        }
        ErrorReason::RequestNotFound => {
            acme(&["alice", "bob"]).await.1.accept("alice", "bob").await.map(drop)
        }
        ErrorReason::RequestLimitExceeded => {
            let app = TestApp::with(&["--max-pending-requests", "1"], Clock::system()).await;
            let tenant = app.tenant("acme#chat").await;
            tenant.create(&["alice", "bob", "carol"]).await;
            tenant.ask("alice", "bob", "").await.expect("a request");
            tenant.ask("alice", "carol", "").await.map(drop)
        }
        ErrorReason::VersionAhead => {
            let request = proto::SyncFriendsRequest {
                owner: "alice".to_owned(),
                since_version: 1,
                ..proto::SyncFriendsRequest::default()
            };
            acme(&["alice"]).await.1.friends().sync_friends(request).await.map(drop)
        }
        ErrorReason::WatcherTooSlow => too_slow_watcher().await,
        ErrorReason::Unavailable => without_database().await,
        ErrorReason::Conflict => {
            let app = TestApp::with(&["--db-lock-timeout", "20ms"], Clock::system()).await;
            let tenant = app.tenant("acme#chat").await;
            tenant.create(&["alice", "bob"]).await;
            let _held = app.hold("alice").await;
            tenant.befriend("alice", "bob").await.map(drop)
        }
        ErrorReason::DeadlineExceeded => {
            let (app, tenant) = acme(&["alice", "bob"]).await;
            let _held = app.hold("alice").await;
            let flags = ["--max-duration", "50ms"];
            let hasty = TestApp::on(&app.database_url, &flags, Clock::system()).await;
            let tenant = Tenant { channel: hasty.channel.clone(), ..tenant };
            tenant.befriend("alice", "bob").await.map(drop)
        }
        ErrorReason::Internal => {
            let (app, tenant) = acme(&["alice", "bob"]).await;
            broken(&app).await;
            tenant.befriend("alice", "bob").await.map(drop)
        }
    };
    Some(refused.expect_err("the call should have been refused"))
}

async fn without_database() -> Result<(), Status> {
    // Nothing listens on port 1.
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let flags = ["--db-acquire-timeout", "50ms"];
    let app = TestApp::on(nowhere, &flags, Clock::system()).await;
    app.apps().list_apps(proto::ListAppsRequest::default()).await.map(drop)
}

/// Takes away what the service can't do without.
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

/// Watches without reading, until the service gives up on it.
async fn too_slow_watcher() -> Result<(), Status> {
    let app = TestApp::with(&["--watch-send-timeout", "1ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.expect("friends");
    let request = proto::WatchFriendsRequest { owner: "alice".to_owned(), since_version: 0 };
    let slow = on_narrow_connection(&app, &tenant);
    let mut stream = slow.friends().watch_friends(request).await.expect("a stream").into_inner();
    // What the connection holds for a reader is bounded; more than that is written.
    let long = "x".repeat(256);
    while app.core.watches.count() > 0 {
        for extension in ["", &long] {
            let request = proto::UpdateFriendRequest {
                owner: "alice".to_owned(),
                friend: "bob".to_owned(),
                extension: extension.to_owned(),
                update_mask: Some(prost_types::FieldMask { paths: vec!["extension".to_owned()] }),
                ..proto::UpdateFriendRequest::default()
            };
            tenant.friends().update_friend(request).await.expect("a change");
        }
    }
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => return Err(status),
        }
    }
}
