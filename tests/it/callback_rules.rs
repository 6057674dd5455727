//! Callback rules: what a rule may be, how it signs, and which receivers it reaches.

use befriend::{clock::Clock, proto};
use http::HeaderMap;
use standardwebhooks::Webhook;
use time::{Duration, OffsetDateTime, macros::datetime};
use tonic::{Code, Status};

use crate::support::{
    TestApp, expect_error, metadata,
    receiver::{Answer, Callback, Receiver, authority, rule_to, status},
    tenant::acme,
};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// Sends a test event by a rule of "acme#chat".
async fn try_out(app: &TestApp, rule_id: &str) -> Result<proto::DeliveryAttempt, Status> {
    let (app_key, rule_id) = ("acme#chat".to_owned(), rule_id.to_owned());
    let request = proto::TestCallbackRuleRequest { app_key, rule_id };
    let answer = app.callback_rules().test_callback_rule(request).await?;
    Ok(answer.into_inner().attempt.expect("an attempt"))
}

/// Gives a rule of "acme#chat" a new secret and returns it.
async fn rotate(app: &TestApp, rule_id: &str, grace: Option<i64>) -> String {
    let request = proto::RotateSigningSecretRequest {
        app_key: "acme#chat".to_owned(),
        rule_id: rule_id.to_owned(),
        grace_period: grace.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        signing_secret: String::new(),
    };
    let answer = app.callback_rules().rotate_signing_secret(request).await.expect("a new secret");
    answer.into_inner().signing_secret
}

/// Whether the request carries a signature by this secret, as the crate `standardwebhooks` verifies it. The
/// age of the request does not matter.
fn is_signed_with(callback: &Callback, secret: &str) -> bool {
    let at = callback.header("webhook-timestamp").parse().unwrap();
    let webhook = Webhook::new(secret).unwrap();
    let signature = webhook.sign(callback.id(), at, callback.body.as_bytes()).unwrap();
    callback.header("webhook-signature").split(' ').any(|other| other == signature)
}

fn change(rule_id: &str) -> proto::UpdateCallbackRuleRequest {
    proto::UpdateCallbackRuleRequest {
        app_key: "acme#chat".to_owned(),
        rule_id: rule_id.to_owned(),
        ..proto::UpdateCallbackRuleRequest::default()
    }
}

#[tokio::test]
async fn a_rule_is_as_the_operator_chose_it_and_its_secret_is_shown_once() {
    let (app, _) = acme(&[]).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let chosen = proto::CreateCallbackRuleRequest {
        event_types: vec!["block.added".into(), "friend.added".into(), "block.added".into()],
        body_format: proto::BodyFormat::Easemob.into(),
        ca_certificates: authority().0,
        signing_secret: secret.to_owned(),
        ..rule_to("https://example.com/hook?a=b")
    };
    let (rule, shown) = app.rule(chosen.clone()).await;
    assert_eq!(shown, secret);
    assert_eq!(rule.url, "https://example.com/hook?a=b");
    assert_eq!(rule.event_types, ["block.added", "friend.added"], "each once, in order");
    assert_eq!(rule.body_format(), proto::BodyFormat::Easemob);
    assert_eq!(rule.ca_certificates, chosen.ca_certificates);
    assert_eq!((rule.enabled, rule.disabled_reason.as_str()), (true, ""));
    assert_eq!(rule.create_time, rule.update_time);
    assert_eq!(app.rule_now(&rule.rule_id).await, rule, "and nowhere is the secret");
    let listed = app.list_rules().await;
    assert_eq!(listed, [rule]);
}

#[tokio::test]
async fn by_default_a_rule_gets_all_types_in_the_standard_format() {
    let (app, _) = acme(&[]).await;
    let (rule, secret) = app.rule(rule_to("http://example.com")).await;
    assert_eq!(rule.event_types.len(), 9);
    assert!(!rule.event_types.contains(&"callback.test".to_owned()));
    assert_eq!(rule.body_format(), proto::BodyFormat::Standard);
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "256 bits: {secret}");
}

#[tokio::test]
async fn an_app_has_four_rules_at_the_most_whatever_races() {
    let (app, _) = acme(&[]).await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let mut rules = app.callback_rules();
            let rule = rule_to("http://example.com");
            tokio::spawn(async move { rules.create_callback_rule(rule).await })
        })
        .collect();
    let mut made: Vec<String> = Vec::new();
    for answer in tries {
        match answer.await.unwrap() {
            Ok(answer) => made.push(answer.into_inner().rule.unwrap().rule_id),
            refused => {
                let code = Code::ResourceExhausted;
                let details = expect_error(refused, code, "CALLBACK_RULE_LIMIT_EXCEEDED");
                assert_eq!(metadata(&details, "limit"), "4");
            }
        }
    }
    assert_eq!(made.len(), 4);

    let (app_key, rule_id) = ("acme#chat".to_owned(), made[0].clone());
    let request = proto::DeleteCallbackRuleRequest { app_key, rule_id };
    app.callback_rules().delete_callback_rule(request).await.unwrap();
    app.rule(rule_to("http://example.com")).await;
    assert_eq!(app.list_rules().await.len(), 4, "a deleted one made room");
}

#[tokio::test]
async fn the_number_of_rules_is_a_setting() {
    let app = TestApp::with(&["--max-callback-rules", "1"], Clock::system()).await;
    app.tenant("acme#chat").await;
    app.rule(rule_to("http://example.com")).await;
    let refused = app.callback_rules().create_callback_rule(rule_to("http://example.com")).await;
    expect_error(refused, Code::ResourceExhausted, "CALLBACK_RULE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_malformed_rule_is_refused_by_the_field() {
    let (app, _) = acme(&[]).await;
    let good = || rule_to("http://example.com");
    let with = |change: &dyn Fn(&mut proto::CreateCallbackRuleRequest)| {
        let mut rule = good();
        change(&mut rule);
        rule
    };
    let cases = [
        ("url", with(&|r| r.url.clear())),
        ("url", with(&|r| r.url = "ftp://example.com".into())),
        ("url", with(&|r| r.url = "http://me:secret@example.com".into())),
        ("url", with(&|r| r.url = "http://example.com/#part".into())),
        ("url", with(&|r| r.url = "http://example.com:65536/".into())),
        ("url", with(&|r| r.url = format!("http://example.com/{}", "a".repeat(2048)))),
        ("event_types[1]", with(&|r| r.event_types = vec!["friend.added".into(), "x".into()])),
        ("event_types[0]", with(&|r| r.event_types = vec!["callback.test".into()])),
        ("body_format", with(&|r| r.body_format = 9)),
        ("ca_certificates", with(&|r| r.ca_certificates = "no PEM".into())),
        ("ca_certificates", with(&|r| r.ca_certificates = "x".repeat(64 * 1024 + 1))),
        (
            "ca_certificates",
            with(&|r| {
                r.ca_certificates =
                    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into();
            }),
        ),
        ("signing_secret", with(&|r| r.signing_secret = "whsec_c2hvcnQ=".into())),
        ("signing_secret", with(&|r| r.signing_secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())),
        ("app_key", with(&|r| r.app_key = "acme".into())),
    ];
    for (field, rule) in cases {
        let refused = app.callback_rules().create_callback_rule(rule.clone()).await;
        let reason = "INVALID_ARGUMENT";
        let details = expect_error(refused, Code::InvalidArgument, reason);
        let violations = details.bad_request().unwrap().field_violations.clone();
        assert_eq!(violations[0].field, field, "{rule:?}");
    }
    assert!(app.list_rules().await.is_empty());
}

#[tokio::test]
async fn a_rule_that_does_not_exist_or_is_of_another_app_is_not_found() {
    let (app, _) = acme(&[]).await;
    app.tenant("other#chat").await;
    let foreign = proto::CreateCallbackRuleRequest {
        app_key: "other#chat".into(),
        ..rule_to("http://example.com")
    };
    let foreign = app.rule(foreign).await.0.rule_id;
    for rule_id in [foreign, uuid::Uuid::nil().to_string()] {
        let mut rules = app.callback_rules();
        let refused = rules.update_callback_rule(change(&rule_id)).await;
        expect_error(refused, Code::NotFound, "CALLBACK_RULE_NOT_FOUND");
        let app_key = "acme#chat".to_owned();
        let request = proto::DeleteCallbackRuleRequest { app_key, rule_id: rule_id.clone() };
        let refused = rules.delete_callback_rule(request).await;
        expect_error(refused, Code::NotFound, "CALLBACK_RULE_NOT_FOUND");
        expect_error(try_out(&app, &rule_id).await, Code::NotFound, "CALLBACK_RULE_NOT_FOUND");
    }
    let nobodys = proto::CreateCallbackRuleRequest {
        app_key: "no#body".into(),
        ..rule_to("http://example.com")
    };
    let refused = app.callback_rules().create_callback_rule(nobodys).await;
    expect_error(refused, Code::NotFound, "APP_NOT_FOUND");
}

#[tokio::test]
async fn an_update_changes_only_the_fields_that_it_names() {
    let clock = Clock::stopped_at(NOON);
    let app = TestApp::with(&[], clock.clone()).await;
    app.tenant("acme#chat").await;
    let (rule, _) = app.rule(rule_to("http://example.com")).await;
    clock.advance(Duration::MINUTE);

    let url = Some("http://example.org/".to_owned());
    let request = proto::UpdateCallbackRuleRequest { url, ..change(&rule.rule_id) };
    let changed = app.callback_rules().update_callback_rule(request).await.unwrap().into_inner();
    let changed = changed.rule.unwrap();
    assert_ne!(changed.update_time, rule.update_time);
    let expected = proto::CallbackRule {
        url: "http://example.org/".into(),
        update_time: changed.update_time,
        ..rule.clone()
    };
    assert_eq!(changed, expected);

    let request = proto::UpdateCallbackRuleRequest {
        event_types: vec!["friend.removed".to_owned()],
        body_format: Some(proto::BodyFormat::Easemob.into()),
        enabled: Some(false),
        ca_certificates: Some(authority().0),
        ..change(&rule.rule_id)
    };
    let changed = app.callback_rules().update_callback_rule(request).await.unwrap().into_inner();
    let changed = changed.rule.unwrap();
    assert_eq!(changed.event_types, ["friend.removed"]);
    assert_eq!(changed.body_format(), proto::BodyFormat::Easemob);
    assert_eq!((changed.enabled, changed.disabled_reason.as_str()), (false, ""));
    assert!(!changed.ca_certificates.is_empty());

    let refused = proto::UpdateCallbackRuleRequest {
        url: Some("nowhere".to_owned()),
        ..change(&rule.rule_id)
    };
    let refused = app.callback_rules().update_callback_rule(refused).await;
    expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(app.rule_now(&rule.rule_id).await, changed);
}

#[tokio::test]
async fn a_test_event_is_sent_once_whether_the_rule_is_enabled_or_not_and_not_stored() {
    let (app, _) = acme(&[]).await;
    let mut receiver = Receiver::start().await;
    let (rule, secret) = app.rule(rule_to(&receiver.url)).await;
    app.switch(&rule.rule_id, false).await;
    receiver.answer(|_| Answer::With(500, &[], "out of order"));

    let attempt = try_out(&app, &rule.rule_id).await.unwrap();
    assert_eq!((attempt.http_status, attempt.response_body.as_str()), (500, "out of order"));
    assert_eq!(attempt.error, "status 500");
    let sent = receiver.next().await;
    assert_eq!(sent.json()["type"], "callback.test");
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, sent.header(name).parse().unwrap());
    }
    let verifier = Webhook::new(&secret).unwrap();
    verifier.verify(sent.body.as_bytes(), &headers).expect("others find the signature good");
    assert!(verifier.verify(b"{}", &headers).is_err());

    receiver.answer(|_| status(204));
    let attempt = try_out(&app, &rule.rule_id).await.unwrap();
    assert_eq!((attempt.http_status, attempt.error.as_str()), (204, ""));
    assert_ne!(receiver.next().await.header("webhook-id"), "", "a success is not repeated either");
    assert_eq!(app.waiting().await, 0);
    assert!(receiver.rest().is_empty());
}

#[tokio::test]
async fn a_test_of_a_silent_receiver_ends_before_the_callers_deadline() {
    let app = TestApp::with(&["--max-duration", "1s"], Clock::system()).await;
    app.tenant("acme#chat").await;
    let receiver = Receiver::start().await;
    receiver.answer(|_| Answer::Hang);
    let (rule, _) = app.rule(rule_to(&receiver.url)).await;
    let attempt = try_out(&app, &rule.rule_id).await.unwrap();
    assert_eq!(attempt.http_status, 0);
    assert!(attempt.error.starts_with("no answer within"), "{}", attempt.error);
}

#[tokio::test]
async fn both_secrets_sign_during_the_grace_period() {
    let clock = Clock::stopped_at(NOON);
    let app = TestApp::with(&[], clock.clone()).await;
    app.tenant("acme#chat").await;
    let mut receiver = Receiver::start().await;
    let (rule, old) = app.rule(rule_to(&receiver.url)).await;
    let signatures = |sent: &Callback| sent.header("webhook-signature").split(' ').count();

    let new = rotate(&app, &rule.rule_id, Some(3600)).await;
    clock.advance(Duration::seconds(3599));
    try_out(&app, &rule.rule_id).await.unwrap();
    let sent = receiver.next().await;
    assert_eq!(signatures(&sent), 2);
    assert!(is_signed_with(&sent, &old) && is_signed_with(&sent, &new));
    assert_eq!(sent.header("webhook-timestamp"), (NOON.unix_timestamp() + 3599).to_string());

    clock.advance(Duration::SECOND);
    try_out(&app, &rule.rule_id).await.unwrap();
    let sent = receiver.next().await;
    assert_eq!(signatures(&sent), 1);
    assert!(!is_signed_with(&sent, &old) && is_signed_with(&sent, &new));

    let newest = rotate(&app, &rule.rule_id, Some(0)).await;
    try_out(&app, &rule.rule_id).await.unwrap();
    let sent = receiver.next().await;
    assert!(!is_signed_with(&sent, &new) && is_signed_with(&sent, &newest), "without a grace");

    let before = rotate(&app, &rule.rule_id, None).await;
    rotate(&app, &rule.rule_id, None).await;
    clock.advance(Duration::DAY - Duration::SECOND);
    try_out(&app, &rule.rule_id).await.unwrap();
    assert!(is_signed_with(&receiver.next().await, &before), "a day of grace is usual");
}

#[tokio::test]
async fn a_grace_period_is_neither_negative_nor_longer_than_thirty_days() {
    let (app, _) = acme(&[]).await;
    let (rule, _) = app.rule(rule_to("http://example.com")).await;
    for seconds in [-1, 30 * 86_400 + 1, i64::MIN, i64::MAX] {
        let request = proto::RotateSigningSecretRequest {
            app_key: "acme#chat".to_owned(),
            rule_id: rule.rule_id.clone(),
            grace_period: Some(prost_types::Duration { seconds, nanos: 0 }),
            signing_secret: String::new(),
        };
        let refused = app.callback_rules().rotate_signing_secret(request).await;
        expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn a_rule_trusts_its_own_authorities_and_no_others() {
    let (app, _) = acme(&[]).await;
    let (pem, config) = authority();
    let mut receiver = Receiver::with_tls(config).await;
    let trusting = |pem: &str| proto::CreateCallbackRuleRequest {
        ca_certificates: pem.to_owned(),
        ..rule_to(&receiver.url)
    };
    let (pinned, _) = app.rule(trusting(&pem)).await;
    let (anothers, _) = app.rule(trusting(&authority().0)).await;
    let (systems, _) = app.rule(trusting("")).await;

    let attempt = try_out(&app, &pinned.rule_id).await.unwrap();
    assert_eq!((attempt.http_status, attempt.error.as_str()), (200, ""));
    assert_eq!(receiver.next().await.json()["type"], "callback.test");
    for rule in [anothers, systems] {
        let attempt = try_out(&app, &rule.rule_id).await.unwrap();
        assert_eq!(attempt.http_status, 0);
        assert!(attempt.error.contains("certificate"), "{}", attempt.error);
    }
    assert!(receiver.rest().is_empty(), "nothing was told to one who is not trusted");
}

#[tokio::test]
async fn callbacks_do_not_go_to_private_addresses_unless_these_are_allowed() {
    let app = TestApp::with(&["--callback-allow-private", "false"], Clock::system()).await;
    app.tenant("acme#chat").await;
    let mut receiver = Receiver::start().await;
    let port = receiver.url.split(':').nth(2).unwrap().to_owned();
    for host in ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]"] {
        let (rule, _) = app.rule(rule_to(&format!("http://{host}:{port}"))).await;
        let attempt = try_out(&app, &rule.rule_id).await.unwrap();
        assert_eq!(attempt.http_status, 0, "{host}");
        assert!(attempt.error.contains("is not a public address"), "{host}: {}", attempt.error);
    }
    assert!(receiver.rest().is_empty());
}

impl TestApp {
    async fn list_rules(&self) -> Vec<proto::CallbackRule> {
        let request = proto::ListCallbackRulesRequest { app_key: "acme#chat".to_owned() };
        self.callback_rules().list_callback_rules(request).await.unwrap().into_inner().rules
    }
}
