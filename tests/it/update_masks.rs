//! The masks of updates: UpdateApp, UpdateCallbackRule and UpdateUser. UpdateFriend's is in `fields`.

use befriend::proto;
use tonic::Code;

use crate::support::{
    TestApp, expect_error, metadata, receiver::rule_to, tenant::acme, tenant::strings,
};

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: strings(paths) })
}

fn limits(of: [Option<i32>; 3]) -> proto::AppLimits {
    let [friend_limit, block_limit, requests_per_second] = of;
    proto::AppLimits { friend_limit, block_limit, requests_per_second }
}

#[tokio::test]
async fn a_limit_changes_only_if_it_is_named_and_goes_back_to_its_default_if_it_is_absent() {
    let app = TestApp::start().await;
    app.tenant_with("acme#chat", limits([Some(7), Some(8), Some(9)])).await;
    type Case = (&'static [&'static str], [Option<i32>; 3], [i32; 3]);
    let cases: [Case; 4] = [
        (&["limits.friend_limit"], [Some(1), Some(2), Some(3)], [1, 8, 9]),
        (&["limits.friend_limit", "limits.block_limit"], [None, Some(0), None], [3000, 0, 9]),
        (&["limits"], [Some(5), None, None], [5, 500, 100]),
        (&[], [None, Some(6), None], [5, 6, 100]),
    ];
    for (paths, given, left) in cases {
        let request = proto::UpdateAppRequest {
            app_key: "acme#chat".to_owned(),
            limits: Some(limits(given)),
            update_mask: mask(paths),
        };
        let updated = app.apps().update_app(request).await.unwrap().into_inner().app.unwrap();
        assert_eq!(updated.limits, Some(limits(left.map(Some))), "{paths:?}");
    }
}

#[tokio::test]
async fn a_field_of_a_rule_changes_only_if_it_is_named_and_is_cleared_if_it_is_absent() {
    let (app, _) = acme(&[]).await;
    let chosen = proto::CreateCallbackRuleRequest {
        event_types: strings(&["friend.added"]),
        body_format: proto::BodyFormat::Easemob.into(),
        ..rule_to("http://example.com")
    };
    let (rule, _) = app.rule(chosen).await;
    let update = async |paths: &[&str]| {
        let request = proto::UpdateCallbackRuleRequest {
            app_key: "acme#chat".to_owned(),
            rule_id: rule.rule_id.clone(),
            url: Some("http://example.org/".to_owned()),
            update_mask: mask(paths),
            ..proto::UpdateCallbackRuleRequest::default()
        };
        let answer = app.callback_rules().update_callback_rule(request).await;
        answer.unwrap().into_inner().rule.unwrap()
    };
    let updated = update(&["event_types"]).await;
    assert_eq!((&updated.url, updated.event_types.len()), (&rule.url, 9), "all types");
    let updated = update(&["body_format", "enabled"]).await;
    assert_eq!((updated.body_format(), updated.enabled), (proto::BodyFormat::Standard, false));
    let updated = update(&["url"]).await;
    assert_eq!((updated.url.as_str(), updated.enabled), ("http://example.org/", false));
}

#[tokio::test]
async fn a_nickname_changes_only_if_it_is_named_and_is_cleared_if_it_is_absent() {
    let (_app, tenant) = acme(&["alice"]).await;
    for (paths, nickname, left) in [
        (&[][..], Some("Al"), "Al"),
        (&["nickname"], Some("Alice"), "Alice"),
        (&["nickname"], None, ""),
    ] {
        let request = proto::UpdateUserRequest {
            username: "alice".to_owned(),
            nickname: nickname.map(str::to_owned),
            update_mask: mask(paths),
        };
        let updated = tenant.users().update_user(request).await.unwrap().into_inner();
        assert_eq!(updated.user.unwrap().nickname, left);
    }
}

#[tokio::test]
async fn a_mask_that_names_another_field_is_refused_and_nothing_changes() {
    let (app, tenant) = acme(&["alice"]).await;
    let (rule, _) = app.rule(rule_to("http://example.com")).await;
    for path in ["", "*", "limits.", "limit", "username", "app_key", "rule_id", "event_types.types"]
    {
        let user = proto::UpdateUserRequest {
            username: "alice".to_owned(),
            nickname: Some("Al".to_owned()),
            update_mask: mask(&["nickname", path]),
        };
        let limits = proto::UpdateAppRequest {
            app_key: "acme#chat".to_owned(),
            limits: Some(limits([Some(1), None, None])),
            update_mask: mask(&["limits", path]),
        };
        let callbacks = proto::UpdateCallbackRuleRequest {
            app_key: "acme#chat".to_owned(),
            rule_id: rule.rule_id.clone(),
            url: Some("http://example.org/".to_owned()),
            update_mask: mask(&["url", path]),
            ..proto::UpdateCallbackRuleRequest::default()
        };
        for refused in [
            tenant.users().update_user(user).await.map(drop),
            app.apps().update_app(limits).await.map(drop),
            app.callback_rules().update_callback_rule(callbacks).await.map(drop),
        ] {
            let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
            assert_eq!(metadata(&details, "field"), "update_mask");
        }
    }
    assert_eq!(tenant.profile("alice").await.unwrap().nickname, "");
    assert_eq!(app.rule_now(&rule.rule_id).await, rule);
}
