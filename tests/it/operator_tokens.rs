//! Operators' tokens: what each role may do, how tokens are made and revoked, and what operators do in the
//! events of an app.

use befriend::{clock::Clock, proto, server::upkeep};
use prost_reflect::MethodDescriptor;
use prost_types::method_options::IdempotencyLevel;
use time::{Duration, OffsetDateTime};
use tonic::{Code, Status};

use crate::{
    access::{Caller, caller_of},
    support::{
        TestApp,
        app::{Bearer, OPERATOR_TOKEN, tenant_on},
        binary, expect_error, metadata, raw,
        receiver::rule_to,
    },
};

/// The methods that a support may call beside those that read.
const FOR_SUPPORT: [&str; 3] = [
    "CallbackRuleService/TestCallbackRule",
    "EventService/RetryEvent",
    "EventService/RetryFailedEvents",
];

const ROLES: [(proto::OperatorRole, &str); 3] = [
    (proto::OperatorRole::ReadOnly, "read-only"),
    (proto::OperatorRole::Support, "support"),
    (proto::OperatorRole::Admin, "admin"),
];

/// The role with the fewest rights that may call a method, by its place in [`ROLES`].
fn required(method: &MethodDescriptor) -> usize {
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    if options.idempotency_level() == IdempotencyLevel::NoSideEffects {
        0
    } else if FOR_SUPPORT.contains(&raw::operation(method).as_str()) {
        1
    } else {
        2
    }
}

fn create(name: &str, role: i32, seconds: i64) -> proto::CreateOperatorTokenRequest {
    let ttl = (seconds != 0).then_some(prost_types::Duration { seconds, nanos: 0 });
    proto::CreateOperatorTokenRequest { name: name.to_owned(), role, ttl }
}

fn revoke(name: &str) -> proto::RevokeOperatorTokenRequest {
    proto::RevokeOperatorTokenRequest { name: name.to_owned() }
}

/// Whether the token is an operator's, and accepted.
async fn is_accepted(app: &TestApp, token: &str) -> bool {
    let request = proto::ListOperatorTokensRequest::default();
    match app.operator_tokens_as(token).list_operator_tokens(request).await {
        Ok(_) => true,
        Err(refused) => {
            expect_error(Err::<(), _>(refused), Code::Unauthenticated, "UNAUTHENTICATED");
            false
        }
    }
}

async fn names(app: &TestApp, page_size: i32, page_token: &str) -> (Vec<String>, String) {
    let request = proto::ListOperatorTokensRequest { page_size, page_token: page_token.to_owned() };
    let page = app.operator_tokens().list_operator_tokens(request).await.unwrap().into_inner();
    (page.operator_tokens.into_iter().map(|token| token.name).collect(), page.next_page_token)
}

#[tokio::test]
async fn every_method_for_operators_asks_for_a_role_and_refuses_those_below() {
    let app = TestApp::start().await;
    let mut seen = 0;
    for (at, (role, held)) in ROLES.into_iter().enumerate() {
        let token = app.operator(held, role).await;
        let bearer = format!("Bearer {token}");
        for method in raw::methods() {
            if !matches!(caller_of(&method), Caller::Operator | Caller::AppOrOperator) {
                continue;
            }
            seen += 1;
            let operation = raw::operation(&method);
            // An empty message is refused by itself, or reads: nothing changes.
            let headers = [("authorization", &*bearer)];
            let answer = raw::call(&app.channel, &method, &headers, Vec::new()).await;
            let required = required(&method);
            if required > at {
                let details = expect_error(answer, Code::PermissionDenied, "OPERATOR_ROLE");
                assert_eq!(metadata(&details, "required"), ROLES[required].1, "{operation}");
                assert_eq!(metadata(&details, "role"), held);
            } else {
                let code = answer.err().map(|refused| refused.code());
                assert!(
                    matches!(code, None | Some(Code::InvalidArgument)),
                    "{operation} as {held}: {code:?}"
                );
            }
        }
    }
    assert!(seen > 60, "only {seen} calls were made");
}

#[tokio::test]
async fn a_token_is_shown_once_stored_as_its_hash_and_listed_by_name() {
    let app = TestApp::start().await;
    let admin = proto::OperatorRole::Admin;
    let request = create("alice", admin.into(), 3600);
    let created = app.operator_tokens().create_operator_token(request).await.unwrap().into_inner();
    let shown = created.operator_token.unwrap();
    assert_eq!((shown.name.as_str(), shown.role()), ("alice", admin));
    let (begin, end) = (shown.create_time.unwrap(), shown.expire_time.unwrap());
    assert_eq!(end.seconds - begin.seconds, 3600);
    assert_eq!((created.access_token.len(), &created.access_token[..4]), (4 + 43, "bfo_"));
    assert!(is_accepted(&app, &created.access_token).await);

    let request = proto::ListOperatorTokensRequest::default();
    let page = app.operator_tokens().list_operator_tokens(request).await.unwrap().into_inner();
    assert_eq!(page.operator_tokens, [shown]);
    let rows: Vec<String> =
        sqlx::query_scalar("select t::text || encode(token_hash, 'escape') from operator_tokens t")
            .fetch_all(app.pool())
            .await
            .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains(&created.access_token[4..]), "{rows:?}");
}

#[tokio::test]
async fn tokens_are_listed_in_pages_by_name() {
    let app = TestApp::start().await;
    for name in ["carol", "alice", "bob"] {
        app.operator(name, proto::OperatorRole::ReadOnly).await;
    }
    let (first, next) = names(&app, 2, "").await;
    assert_eq!(first, ["alice", "bob"]);
    assert_eq!(names(&app, 2, &next).await, (vec!["carol".to_owned()], String::new()));
}

#[tokio::test]
async fn a_name_a_role_and_a_life_out_of_range_are_refused() {
    let app = TestApp::start().await;
    let year = 366 * 86_400;
    for (request, field) in [
        (create("", 1, 0), "name"),
        (create("root", 3, 0), "name"),
        (create("a b", 3, 0), "name"),
        (create("alice", 0, 0), "role"),
        (create("alice", 4, 0), "role"),
        (create("alice", 1, 59), "ttl"),
        (create("alice", 1, year + 1), "ttl"),
        (create("alice", 1, -60), "ttl"),
    ] {
        let refused = app.operator_tokens().create_operator_token(request).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), field);
    }
    assert!(names(&app, 0, "").await.0.is_empty());
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_elsewhere_when_the_cache_is_old() {
    let app = TestApp::start().await;
    let elsewhere =
        TestApp::on(&app.database_url, &["--token-cache", "1ms"], Clock::system()).await;
    let token = app.operator("alice", proto::OperatorRole::Admin).await;
    assert!(is_accepted(&app, &token).await && is_accepted(&elsewhere, &token).await);
    app.operator_tokens().revoke_operator_token(revoke("alice")).await.unwrap();
    assert!(!is_accepted(&app, &token).await);
    while is_accepted(&elsewhere, &token).await {
        tokio::task::yield_now().await;
    }
    let again = app.operator_tokens().revoke_operator_token(revoke("alice")).await;
    let details = expect_error(again, Code::NotFound, "OPERATOR_TOKEN_NOT_FOUND");
    assert_eq!(metadata(&details, "name"), "alice");

    let next = app.operator("alice", proto::OperatorRole::ReadOnly).await;
    assert!(is_accepted(&app, &next).await, "the name is free");
    assert!(!is_accepted(&app, &token).await, "and the old token stays revoked");
}

#[tokio::test]
async fn an_expired_token_is_refused_and_leaves_its_name() {
    let clock = Clock::stopped_at(OffsetDateTime::UNIX_EPOCH + Duration::days(20_000));
    let app = TestApp::with(&[], clock.clone()).await;
    let make = async |seconds| {
        let request = create("alice", proto::OperatorRole::Admin.into(), seconds);
        app.operator_tokens().create_operator_token(request).await
    };
    let token = make(60).await.unwrap().into_inner().access_token;
    assert!(is_accepted(&app, &token).await, "and is in the cache now");
    expect_error(make(60).await, Code::AlreadyExists, "OPERATOR_TOKEN_ALREADY_EXISTS");
    clock.advance(Duration::MINUTE);
    assert!(!is_accepted(&app, &token).await, "the cache does not outlive the token");
    assert!(names(&app, 0, "").await.0.is_empty());
    make(60).await.unwrap();
    clock.advance(Duration::MINUTE);
    upkeep::round(&app.core).await;
    let kept: i64 = sqlx::query_scalar("select count(*) from operator_tokens")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(kept, 0, "what has expired is removed");
}

#[tokio::test]
async fn a_made_up_operator_token_is_throttled_like_any_guess() {
    let app = TestApp::with(&["--failed-logins", "2"], Clock::system()).await;
    let token = app.operator("alice", proto::OperatorRole::ReadOnly).await;
    let made_up = format!("bfo_{}", "A".repeat(43));
    assert!(!is_accepted(&app, &made_up).await && !is_accepted(&app, &made_up).await);
    let request = proto::ListOperatorTokensRequest::default();
    let refused = app.operator_tokens_as(&made_up).list_operator_tokens(request).await;
    expect_error(refused, Code::ResourceExhausted, "RATE_LIMITED");
    assert!(is_accepted(&app, &token).await, "guesses lock no operator out");
}

#[tokio::test]
async fn an_operators_token_is_no_token_of_an_app() {
    let app = TestApp::start().await;
    let token = app.operator("alice", proto::OperatorRole::Admin).await;
    let tenant = app.tenant("acme#chat").await.with_token(&token);
    let details = expect_error(tenant.profile("x").await, Code::PermissionDenied, "TOKEN_SCOPE");
    assert_eq!(metadata(&details, "required"), "app");
}

/// The events of acme#chat, as the bearer of a token who names `app_key`.
async fn events(app: &TestApp, token: &str, app_key: &str) -> Result<Vec<proto::Event>, Status> {
    let request = proto::ListEventsRequest {
        app_key: app_key.to_owned(),
        ..proto::ListEventsRequest::default()
    };
    Ok(app.events_as(token).list_events(request).await?.into_inner().events)
}

#[tokio::test]
async fn a_support_finds_and_retries_events_of_the_app_that_the_call_names() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    app.rule(rule_to("http://127.0.0.1:9/")).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let support = app.operator("sam", proto::OperatorRole::Support).await;

    let found = events(&app, &support, "acme#chat").await.unwrap();
    assert_eq!(found, events(&app, &tenant.token, "").await.unwrap());
    let (event_id, rule_id) = (found[0].event_id.clone(), found[0].rule_id.clone());
    let app_key = "acme#chat".to_owned();
    let request = proto::RetryEventRequest { event_id, app_key: app_key.clone() };
    app.events_as(&support).retry_event(request).await.unwrap();
    let request = proto::RetryFailedEventsRequest { rule_id, app_key, ..Default::default() };
    app.events_as(&support).retry_failed_events(request).await.unwrap();

    for token in [&support, OPERATOR_TOKEN] {
        let details =
            expect_error(events(&app, token, "").await, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "app_key");
        expect_error(events(&app, token, "no#app").await, Code::NotFound, "APP_NOT_FOUND");
    }
}

#[tokio::test]
async fn an_app_names_itself_or_nobody() {
    let app = TestApp::start().await;
    let (acme, other) = (app.tenant("acme#chat").await, app.tenant("other#app").await);
    events(&app, &acme.token, "acme#chat").await.unwrap();
    for app_key in [other.app.app_key.as_str(), "no#app", "nonsense"] {
        let refused = events(&app, &acme.token, app_key).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "app_key");
    }
}

#[tokio::test]
async fn an_installation_without_a_root_is_run_by_named_operators() {
    let url = crate::support::postgres::fresh_database().await;
    let run = |arguments: &[&str]| {
        let output = binary::run(&[arguments, &["--database-url", &url]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let created = run(&["operator", "create", "alice", "--role", "admin", "--ttl", "1h"]);
    let token = created.lines().find_map(|line| line.strip_prefix("token: ")).unwrap();
    let listed = run(&["operator", "list"]);
    assert!(listed.contains("alice") && listed.contains("admin"), "{listed}");
    assert!(!listed.contains(token), "it is shown once");

    let service = binary::Service::start(&["--database-url", &url]).await;
    let channel = tonic::transport::Endpoint::from_shared(service.url.clone()).unwrap();
    let channel = channel.connect_lazy();
    tenant_on(channel.clone(), token, "acme#chat", proto::AppLimits::default()).await;
    let mut rules =
        proto::callback_rule_service_client::CallbackRuleServiceClient::with_interceptor(
            channel,
            Bearer::new(token),
        );
    rules.create_callback_rule(rule_to("https://example.com/")).await.unwrap();

    assert!(run(&["operator", "revoke", "alice"]).contains("revoked"));
    assert!(!run(&["operator", "list"]).contains("alice"));
}
