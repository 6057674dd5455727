//! A call for each reason, which is refused with it.

use befriend::{
    clock::Clock,
    proto::{self, ErrorReason},
};
use tonic::Status;

use super::broken;
use crate::support::{
    Tenant, TestApp,
    app::Bearer,
    follow::on_narrow_connection,
    tenant::{acme, block_limit, friend_limit},
};

/// The answer to a call that should be refused.
type Refused = Result<(), Status>;

/// Makes a call that is refused with this reason; nothing for the reason that is never sent.
pub async fn provoke(reason: ErrorReason) -> Option<Status> {
    let refused = match reason {
        ErrorReason::Unspecified => return None,
        ErrorReason::Unauthenticated => unauthenticated().await,
        ErrorReason::TokenScope => token_scope().await,
        ErrorReason::InvalidCredentials => invalid_credentials().await,
        ErrorReason::AppNotFound => app_not_found().await,
        ErrorReason::AppAlreadyExists => app_already_exists().await,
        ErrorReason::UserNotFound => user_not_found().await,
        ErrorReason::UserAlreadyExists => user_already_exists().await,
        ErrorReason::NotFriends => not_friends().await,
        ErrorReason::FriendLimitExceeded => friend_limit_exceeded().await,
        ErrorReason::BlockLimitExceeded => block_limit_exceeded().await,
        ErrorReason::RateLimited => rate_limited().await,
        ErrorReason::SelfRelation => self_relation().await,
        ErrorReason::InvalidUsername => invalid_username().await,
        ErrorReason::InvalidRemark => invalid_remark().await,
        ErrorReason::InvalidExtension => invalid_extension().await,
        ErrorReason::InvalidPageToken => invalid_page_token().await,
        ErrorReason::PageSizeOutOfRange => page_size_out_of_range().await,
        ErrorReason::BatchTooLarge => batch_too_large().await,
        ErrorReason::InvalidArgument => invalid_argument().await,
        ErrorReason::CallbackRuleNotFound => callback_rule_not_found().await,
        ErrorReason::CallbackRuleLimitExceeded => callback_rule_limit_exceeded().await,
        ErrorReason::EventNotFound => event_not_found().await,
        ErrorReason::AlreadyFriends => already_friends().await,
        ErrorReason::Blocked => blocked().await,
        ErrorReason::FriendRequestNotFound => request_not_found().await,
        ErrorReason::FriendRequestLimitExceeded => request_limit_exceeded().await,
        ErrorReason::VersionAhead => version_ahead().await,
        ErrorReason::WatcherTooSlow => watcher_too_slow().await,
        ErrorReason::Unavailable => unavailable().await,
        ErrorReason::Conflict => conflict().await,
        ErrorReason::DeadlineExceeded => deadline_exceeded().await,
        ErrorReason::Internal => internal().await,
        ErrorReason::OperatorRole => operator_role().await,
        ErrorReason::OperatorTokenNotFound => operator_token_not_found().await,
        ErrorReason::OperatorTokenAlreadyExists => operator_token_already_exists().await,
    };
    Some(refused.expect_err("the call should have been refused"))
}

async fn unauthenticated() -> Refused {
    let (_app, tenant) = acme(&[]).await;
    tenant.with_token("rubbish").profile("alice").await.map(drop)
}

async fn token_scope() -> Refused {
    let (app, tenant) = acme(&[]).await;
    let mut apps = proto::app_service_client::AppServiceClient::with_interceptor(
        app.channel.clone(),
        Bearer::new(&tenant.token),
    );
    apps.list_apps(proto::ListAppsRequest::default()).await.map(drop)
}

async fn operator_role() -> Refused {
    let app = TestApp::start().await;
    let token = app.operator("alice", proto::OperatorRole::ReadOnly).await;
    let mut tokens = app.operator_tokens_as(&token);
    let request = proto::RevokeOperatorTokenRequest { name: "alice".to_owned() };
    tokens.revoke_operator_token(request).await.map(drop)
}

async fn operator_token_not_found() -> Refused {
    let app = TestApp::start().await;
    let request = proto::RevokeOperatorTokenRequest { name: "alice".to_owned() };
    app.operator_tokens().revoke_operator_token(request).await.map(drop)
}

async fn operator_token_already_exists() -> Refused {
    let app = TestApp::start().await;
    app.operator("alice", proto::OperatorRole::ReadOnly).await;
    let role = proto::OperatorRole::Admin.into();
    let request = proto::CreateOperatorTokenRequest { name: "alice".to_owned(), role, ttl: None };
    app.operator_tokens().create_operator_token(request).await.map(drop)
}

async fn invalid_credentials() -> Refused {
    let (app, tenant) = acme(&[]).await;
    app.login(&tenant.app.client_id, "wrong", None).await.map(drop)
}

async fn app_not_found() -> Refused {
    let app = TestApp::start().await;
    let request = proto::GetAppRequest { app_key: "no#app".to_owned() };
    app.apps().get_app(request).await.map(drop)
}

async fn app_already_exists() -> Refused {
    let (app, tenant) = acme(&[]).await;
    let request = proto::CreateAppRequest { app_key: tenant.app.app_key, limits: None };
    app.apps().create_app(request).await.map(drop)
}

async fn user_not_found() -> Refused {
    acme(&[]).await.1.profile("nobody").await.map(drop)
}

async fn user_already_exists() -> Refused {
    acme(&["alice"]).await.1.create_one("alice", "").await.map(drop)
}

async fn not_friends() -> Refused {
    acme(&["alice", "bob"]).await.1.entry("alice", "bob").await.map(drop)
}

async fn friend_limit_exceeded() -> Refused {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    app.set_limits(&tenant, friend_limit(0)).await;
    tenant.befriend("alice", "bob").await.map(drop)
}

async fn block_limit_exceeded() -> Refused {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    app.set_limits(&tenant, block_limit(0)).await;
    tenant.block("alice", &["bob"]).await.map(drop)
}

async fn rate_limited() -> Refused {
    let app = TestApp::start().await;
    let slow = proto::AppLimits { requests_per_second: Some(1), ..proto::AppLimits::default() };
    let tenant = app.tenant_with("acme#chat", slow).await;
    let _counted = tenant.profile("alice").await;
    tenant.profile("alice").await.map(drop)
}

async fn self_relation() -> Refused {
    acme(&["alice"]).await.1.befriend("alice", "alice").await.map(drop)
}

async fn invalid_username() -> Refused {
    acme(&[]).await.1.profile("no body").await.map(drop)
}

async fn invalid_remark() -> Refused {
    acme(&[]).await.1.remark("alice", "bob", &"x".repeat(101)).await.map(drop)
}

async fn invalid_extension() -> Refused {
    acme(&[]).await.1.befriend_with("alice", "bob", &"x".repeat(257)).await.map(drop)
}

async fn invalid_page_token() -> Refused {
    let request = proto::ListUsersRequest { page_size: 0, page_token: "x".to_owned() };
    acme(&[]).await.1.users().list_users(request).await.map(drop)
}

async fn page_size_out_of_range() -> Refused {
    let request = proto::ListUsersRequest { page_size: -1, page_token: String::new() };
    acme(&[]).await.1.users().list_users(request).await.map(drop)
}

async fn batch_too_large() -> Refused {
    acme(&[]).await.1.import("alice", &["bob"; 11]).await.map(drop)
}

async fn invalid_argument() -> Refused {
    acme(&[]).await.1.import("alice", &[]).await.map(drop)
}

async fn callback_rule_not_found() -> Refused {
    let (app, tenant) = acme(&[]).await;
    let request = proto::GetCallbackRuleRequest {
        app_key: tenant.app.app_key,
        rule_id: "5d331a77-4f10-4327-b7a6-7d1f1d22f175".to_owned(),
    };
    app.callback_rules().get_callback_rule(request).await.map(drop)
}

async fn callback_rule_limit_exceeded() -> Refused {
    let (app, tenant) = acme(&[]).await;
    let request = proto::CreateCallbackRuleRequest {
        app_key: tenant.app.app_key,
        url: "https://example.com/".to_owned(),
        ..proto::CreateCallbackRuleRequest::default()
    };
    for _ in 0..4 {
        app.callback_rules().create_callback_rule(request.clone()).await.expect("a rule");
    }
    app.callback_rules().create_callback_rule(request).await.map(drop)
}

async fn event_not_found() -> Refused {
    let request = proto::GetEventRequest { event_id: "no event".to_owned(), ..Default::default() };
    acme(&[]).await.1.events().get_event(request).await.map(drop)
}

async fn already_friends() -> Refused {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.expect("friends");
    tenant.ask("alice", "bob", "").await.map(drop)
}

async fn blocked() -> Refused {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.block("bob", &["alice"]).await.expect("a block");
    tenant.ask("alice", "bob", "").await.map(drop)
}

async fn request_not_found() -> Refused {
    acme(&["alice", "bob"]).await.1.accept("alice", "bob").await.map(drop)
}

async fn request_limit_exceeded() -> Refused {
    let app = TestApp::with(&["--max-pending-requests", "1"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "").await.expect("a request");
    tenant.ask("alice", "carol", "").await.map(drop)
}

async fn version_ahead() -> Refused {
    let request = proto::SyncFriendsRequest {
        owner: "alice".to_owned(),
        since_version: 1,
        ..proto::SyncFriendsRequest::default()
    };
    acme(&["alice"]).await.1.friends().sync_friends(request).await.map(drop)
}

async fn conflict() -> Refused {
    let app = TestApp::with(&["--db-lock-timeout", "20ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let _held = app.hold("alice").await;
    tenant.befriend("alice", "bob").await.map(drop)
}

async fn deadline_exceeded() -> Refused {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let _held = app.hold("alice").await;
    let flags = ["--max-duration", "50ms"];
    let hasty = TestApp::on(&app.database_url, &flags, Clock::system()).await;
    let tenant = Tenant { channel: hasty.channel.clone(), ..tenant };
    tenant.befriend("alice", "bob").await.map(drop)
}

async fn internal() -> Refused {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    broken(&app).await;
    tenant.befriend("alice", "bob").await.map(drop)
}

async fn unavailable() -> Refused {
    // Nothing listens on port 1.
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let flags = ["--db-acquire-timeout", "50ms"];
    let app = TestApp::on(nowhere, &flags, Clock::system()).await;
    app.apps().list_apps(proto::ListAppsRequest::default()).await.map(drop)
}

/// Watches without reading, until the service gives up on it.
async fn watcher_too_slow() -> Refused {
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
                extension: Some(extension.to_owned()),
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
