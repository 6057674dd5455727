//! The audit: every change by an operator, at the console, or by an app that concerns more than lists is one
//! record, with who, from where, what, before and after, and without secrets.

mod console;
mod pages;

use std::collections::BTreeSet;

use befriend::{clock::Clock, proto, server::upkeep, store};
use prost::Message as _;
use prost_types::method_options::IdempotencyLevel;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use time::{Duration, OffsetDateTime, macros::datetime};
use tonic::Code;

use crate::{
    access::{Caller, Known, caller_of, filled, marked_tenant},
    support::{
        TestApp,
        app::{Bearer, OPERATOR_TOKEN},
        easemob::Easemob,
        expect_error, postgres, raw,
        receiver::rule_to,
        tenant::{acme, friend_limit},
    },
};

/// The methods that change nothing although they are not without side effects.
const CHANGE_NOTHING: [&str; 1] = ["CallbackRuleService/TestCallbackRule"];

/// What apps do by their own credentials and is recorded; everything else that they do concerns lists.
const RECORDED_OF_APPS: [&str; 5] = [
    "EventService/RetryEvent",
    "EventService/RetryFailedEvents",
    "TokenService/IssueToken",
    "TokenService/RevokeToken",
    "UserService/DeleteUser",
];

fn all() -> proto::ListAuditEventsRequest {
    proto::ListAuditEventsRequest::default()
}

fn by(kind: proto::ActorKind, name: &str) -> proto::ListAuditEventsRequest {
    let (actor_kind, actor_name) = (kind.into(), name.to_owned());
    proto::ListAuditEventsRequest { actor_kind, actor_name, ..all() }
}

fn actions(events: &[proto::AuditEvent]) -> Vec<&str> {
    events.iter().map(|event| event.action.as_str()).collect()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// A tenant with an event, and what a request about it names.
async fn known(app: &TestApp, app_key: &str) -> (crate::support::Tenant, Known) {
    let tenant = marked_tenant(app, app_key, &["alice", "bob", "erin", "frank"], "as-before").await;
    let events = tenant.events().list_events(proto::ListEventsRequest::default()).await.unwrap();
    let event = events.into_inner().events.into_iter().next().unwrap();
    let issued = app.login(&tenant.app.client_id, &tenant.client_secret, None).await.unwrap();
    let known = Known {
        app_key: app_key.to_owned(),
        foreign_token: issued.access_token,
        rule_id: event.rule_id,
        event_id: event.event_id,
    };
    (tenant, known)
}

#[tokio::test]
async fn every_change_by_an_operator_is_one_record_and_reading_is_none() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let token = app.operator("alice", proto::OperatorRole::Admin).await;
    let (bearer, mine) = (format!("Bearer {token}"), by(proto::ActorKind::Operator, "alice"));
    let mut seen = BTreeSet::new();
    for (number, method) in raw::methods().into_iter().enumerate() {
        if !matches!(caller_of(&method), Caller::Operator | Caller::AppOrOperator) {
            continue;
        }
        let operation = raw::operation(&method);
        let (_, mut known) = known(&app, &format!("acme#app{number}")).await;
        match operation.as_str() {
            "AppService/CreateApp" => known.app_key = "new#app".to_owned(),
            // The call of CreateOperatorToken, which comes first, has made the token.
            "OperatorTokenService/RevokeOperatorToken" => {
                assert!(seen.contains("OperatorTokenService/CreateOperatorToken"));
            }
            _ => {}
        }
        let before = app.audit(mine.clone()).await;
        let request = filled(method.name(), method.input(), &known).encode_to_vec();
        let headers = [("authorization", &*bearer)];
        let answer = raw::call(&app.channel, &method, &headers, request).await;
        answer.unwrap_or_else(|refused| panic!("{operation} was refused: {refused}"));
        let after = app.audit(mine.clone()).await;
        let new = &after[..after.len() - before.len()];

        let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
        let reads = options.idempotency_level() == IdempotencyLevel::NoSideEffects;
        if reads || CHANGE_NOTHING.contains(&operation.as_str()) {
            assert!(new.is_empty(), "{operation} changes nothing: {new:?}");
            continue;
        }
        let [event] = new else { panic!("{operation} should be one record: {new:?}") };
        assert_eq!((event.action.as_str(), event.origin.as_str()), (&*operation, "127.0.0.1"));
        let of_app = method.input().get_field_by_name("app_key").is_some();
        assert_eq!(event.app_key, if of_app { &*known.app_key } else { "" }, "{operation}");
        assert_eq!(event.app_uuid.is_empty(), !of_app);
        seen.insert(operation);
    }
    assert!(seen.len() >= 13, "only {seen:?}");
}

#[tokio::test]
async fn of_what_apps_do_only_what_concerns_more_than_lists_is_recorded() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let mut seen = BTreeSet::from(["TokenService/IssueToken".to_owned()]);
    for (number, method) in raw::methods().into_iter().enumerate() {
        if !matches!(caller_of(&method), Caller::App | Caller::AppOrOperator) {
            continue;
        }
        let operation = raw::operation(&method);
        let (tenant, known) = known(&app, &format!("acme#app{number}")).await;
        let mine = by(proto::ActorKind::App, &tenant.app.client_id);
        let before = app.audit(mine.clone()).await;
        assert_eq!(actions(&before), ["TokenService/IssueToken"; 2]);
        let request = filled(method.name(), method.input(), &known).encode_to_vec();
        let bearer = format!("Bearer {}", tenant.token);
        let headers = [("authorization", &*bearer)];
        raw::call(&app.channel, &method, &headers, request).await.unwrap();
        let after = app.audit(mine).await;
        match &after[..after.len() - before.len()] {
            [] => {}
            [event] => {
                assert_eq!((&event.action, &event.app_key), (&operation, &known.app_key));
                assert_eq!(event.origin, "127.0.0.1");
                seen.insert(operation);
            }
            more => panic!("{operation} is several records: {more:?}"),
        }
    }
    assert_eq!(seen, RECORDED_OF_APPS.map(str::to_owned).into());
}

#[tokio::test]
async fn a_record_tells_what_is_different() {
    let clock = Clock::stopped_at(datetime!(2026-11-21 12:00 UTC));
    let app = TestApp::with(&[], clock.clone()).await;
    let tenant = app.tenant_with("acme#chat", friend_limit(7)).await;
    clock.advance(Duration::SECOND);
    app.set_limits(&tenant, friend_limit(9)).await;
    let events = app.audit(by(proto::ActorKind::Root, "")).await;
    assert_eq!(actions(&events), ["AppService/UpdateApp", "AppService/CreateApp"]);
    let [changed, created] = &events[..] else { panic!("{events:?}") };
    assert_eq!(changed.create_time.unwrap().seconds, 1_795_262_401);
    assert_eq!((&*changed.app_key, &changed.app_uuid), ("acme#chat", &tenant.app.uuid));
    assert_eq!(json(&changed.before), serde_json::json!({ "friend_limit": 7 }));
    assert_eq!(json(&changed.after), serde_json::json!({ "friend_limit": 9 }));
    assert_eq!((&*changed.target, &*created.before), ("", "{}"));
    assert_eq!(json(&created.after)["client_id"], tenant.app.client_id);
}

#[tokio::test]
async fn a_rule_is_recorded_by_its_id_and_without_the_query_of_its_url() {
    let (app, _tenant) = acme(&[]).await;
    let (rule, _) = app.rule(rule_to("https://example.com/in?token=hush")).await;
    let request = proto::UpdateCallbackRuleRequest {
        app_key: "acme#chat".to_owned(),
        rule_id: rule.rule_id.clone(),
        url: Some("https://example.com/in?token=hush-hush".to_owned()),
        enabled: Some(false),
        ..proto::UpdateCallbackRuleRequest::default()
    };
    app.callback_rules().update_callback_rule(request).await.unwrap();
    let (app_key, rule_id) = ("acme#chat".to_owned(), rule.rule_id.clone());
    let delete = proto::DeleteCallbackRuleRequest { app_key, rule_id };
    app.callback_rules().delete_callback_rule(delete).await.unwrap();
    let events = app.audit(all()).await;
    let [deleted, updated, created, ..] = &events[..] else { panic!("{events:?}") };
    for event in [deleted, updated, created] {
        assert_eq!(event.target, rule.rule_id);
    }
    assert_eq!(json(&created.after)["url"], "https://example.com/in?…");
    assert_eq!(json(&updated.before), serde_json::json!({ "enabled": true }));
    let after = serde_json::json!({ "enabled": false, "url_query": "replaced" });
    assert_eq!(json(&updated.after), after);
    assert_eq!((json(&deleted.before)["enabled"].clone(), &*deleted.after), (false.into(), "{}"));
}

#[tokio::test]
async fn no_secret_is_recorded() {
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let app = TestApp::with(&["--credentials-key", key], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let (rule, signing_secret) = app.rule(rule_to("https://example.com/in?token=hush")).await;
    let credentials = proto::SetCredentialsRequest {
        app_key: "acme#chat".to_owned(),
        client_id: "YXA6".to_owned(),
        client_secret: "a-client-secret-of-its-own".to_owned(),
        netease_app_key: "netease".to_owned(),
        netease_app_secret: "a-netease-secret-of-its-own".to_owned(),
        remove_netease_credentials: false,
    };
    app.apps().set_credentials(credentials).await.unwrap();
    let rotate =
        proto::RotateClientSecretRequest { app_key: "acme#chat".to_owned(), revoke_tokens: false };
    let rotated = app.apps().rotate_client_secret(rotate).await.unwrap().into_inner();
    let rotate = proto::RotateSigningSecretRequest {
        app_key: "acme#chat".to_owned(),
        rule_id: rule.rule_id,
        signing_secret: String::new(),
        grace_period: None,
    };
    let signing = app.callback_rules().rotate_signing_secret(rotate).await.unwrap().into_inner();
    let operator = app.operator("alice", proto::OperatorRole::Admin).await;
    let issued = app.login("YXA6", &rotated.client_secret, None).await.unwrap();
    let rows: Vec<String> = sqlx::query_scalar("select e::text from audit_events e")
        .fetch_all(app.pool())
        .await
        .unwrap();
    assert_eq!(rows.len(), 8);
    for secret in [
        tenant.client_secret.as_str(),
        &tenant.token,
        &rotated.client_secret,
        &signing_secret,
        &signing.signing_secret,
        &operator,
        &issued.access_token,
        "secret-of-its-own",
        "hush",
        OPERATOR_TOKEN,
    ] {
        assert!(!rows.iter().any(|row| row.contains(secret)), "{secret} is in {rows:?}");
    }
}

#[tokio::test]
async fn a_token_is_recorded_by_the_beginning_of_its_hash() {
    use sha2::Digest as _;
    let (app, tenant) = acme(&[]).await;
    let request = proto::RevokeTokenRequest { access_token: String::new() };
    tenant.tokens().revoke_token(request).await.unwrap();
    let events = app.audit(by(proto::ActorKind::App, &tenant.app.client_id)).await;
    assert_eq!(actions(&events), ["TokenService/RevokeToken", "TokenService/IssueToken"]);
    let hash = hex::encode(sha2::Sha256::digest(&tenant.token));
    assert!(events.iter().all(|event| event.target == hash[..12]), "{events:?}");
}

#[tokio::test]
async fn a_deletion_and_a_login_over_http_are_recorded_like_any_other() {
    let (app, tenant) = acme(&["alice"]).await;
    let (easemob, client_id) = (Easemob::of(&app, &tenant), &tenant.app.client_id);
    easemob.call("DELETE", "/users/alice", serde_json::Value::Null).await.ok();
    let login = serde_json::json!({
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": tenant.client_secret,
    });
    easemob.call("POST", "/token", login).await.ok();
    let events = app.audit(by(proto::ActorKind::App, client_id)).await;
    let issue = "TokenService/IssueToken";
    assert_eq!(actions(&events), [issue, "UserService/DeleteUser", issue]);
    assert_eq!(events[1].target, "alice");
    assert!(events.iter().all(|event| event.origin == "127.0.0.1"), "{events:?}");
}

#[tokio::test]
async fn what_is_refused_is_not_recorded_and_what_cant_be_recorded_is_not_changed() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let grant =
        format!("grant select, insert, update, delete on all tables in schema public to {role}");
    owner.execute(AssertSqlSafe(grant)).await.unwrap();
    let app = TestApp::between(&as_role, &url, &[], Clock::system()).await;
    let tenant = app.tenant_with("acme#chat", friend_limit(7)).await;
    let recorded = app.audit(all()).await;
    let update = async |limit| {
        let (app_key, limits) = ("acme#chat".to_owned(), Some(friend_limit(limit)));
        let request = proto::UpdateAppRequest { app_key, limits, update_mask: None };
        app.apps().update_app(request).await
    };
    expect_error(update(-1).await, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(app.audit(all()).await, recorded);

    let revoke = format!("revoke insert on audit_events from {role}");
    owner.execute(AssertSqlSafe(revoke)).await.unwrap();
    expect_error(update(9).await, Code::Internal, "INTERNAL");
    let request = proto::GetAppRequest { app_key: "acme#chat".to_owned() };
    let limits = app.apps().get_app(request).await.unwrap().into_inner().app.unwrap().limits;
    assert_eq!(limits, tenant.app.limits);
    assert_eq!(app.audit(all()).await, recorded);
}

#[tokio::test]
async fn records_are_removed_after_the_retention_and_kept_for_ever_without_one() {
    for (retention, left) in [("2d", 1), ("0s", 2)] {
        let clock = Clock::stopped_at(OffsetDateTime::UNIX_EPOCH + Duration::days(20_000));
        let app = TestApp::with(&["--audit-retention", retention], clock.clone()).await;
        app.operator("alice", proto::OperatorRole::Admin).await;
        clock.advance(Duration::days(2));
        upkeep::round(&app.core).await;
        assert_eq!(app.audit(all()).await.len(), 1, "it is not too old yet");
        app.operator("bob", proto::OperatorRole::Admin).await;
        clock.advance(Duration::seconds(1));
        upkeep::round(&app.core).await;
        assert_eq!(app.audit(all()).await.len(), left, "{retention}");
    }
}

#[tokio::test]
async fn a_role_that_can_neither_change_nor_remove_records_serves() {
    let url = postgres::fresh_database().await;
    let (role, as_role) = postgres::plain_role(&url).await;
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let grants = format!(
        "grant select, insert, update, delete on all tables in schema public to {role};
         revoke update, delete on audit_events from {role}"
    );
    owner.execute(AssertSqlSafe(grants)).await.unwrap();
    store::require_current(&as_role).await.unwrap();
    let flags = ["--audit-retention", "0s"];
    let app = TestApp::between(&as_role, &url, &flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    tenant.delete("alice").await.unwrap();
    upkeep::round(&app.core).await;
    assert_eq!(app.audit(all()).await.len(), 3);
}

#[test]
fn no_statement_changes_a_record_and_one_removes_them() {
    let naming = store::all_statements().filter(|sql| sql.contains("audit_events\n"));
    let verbs: Vec<&str> = naming
        .filter_map(|sql| sql.lines().nth(1)?.split(' ').next())
        .filter(|verb| *verb != "select")
        .collect();
    assert_eq!(verbs, ["delete"]);
    let changing = store::all_statements().filter(|sql| sql.contains("update audit_events"));
    assert_eq!(changing.count(), 0);
}

#[tokio::test]
async fn the_audit_is_for_operators_of_every_role_and_for_no_app() {
    let (app, tenant) = acme(&[]).await;
    let as_bearer = |token: &str| {
        proto::audit_service_client::AuditServiceClient::with_interceptor(
            app.channel.clone(),
            Bearer::new(token),
        )
    };
    let token = app.operator("alice", proto::OperatorRole::ReadOnly).await;
    as_bearer(&token).list_audit_events(all()).await.unwrap();
    let refused = as_bearer(&tenant.token).list_audit_events(all()).await;
    expect_error(refused, Code::PermissionDenied, "TOKEN_SCOPE");
}
