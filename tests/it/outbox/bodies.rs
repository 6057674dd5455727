//! What a receiver gets of an event: the body and the headers of each format.

use befriend::{clock::Clock, proto};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use crate::support::{
    Tenant, TestApp,
    receiver::{Receiver, rule_to, status},
};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// A server with a stopped clock and a rule of this form, and its receiver.
async fn receiving(format: proto::BodyFormat, secret: &str) -> (TestApp, Tenant, Receiver) {
    let app = TestApp::with(&[], Clock::stopped_at(NOON)).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let receiver = Receiver::start().await;
    let rule = proto::CreateCallbackRuleRequest {
        body_format: format.into(),
        signing_secret: secret.to_owned(),
        ..rule_to(&receiver.url)
    };
    app.rule(rule).await;
    (app, tenant, receiver)
}

/// One of everything that can happen between alice and bob, one version after the other.
async fn let_all_happen(tenant: &Tenant) {
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "Bob \"from\" work").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["bob"]).await.unwrap();
    tenant.unblock("alice", "bob").await.unwrap();
}

#[tokio::test]
async fn the_standard_body_is_as_it_is_documented() {
    let (_app, tenant, mut receiver) = receiving(proto::BodyFormat::Standard, "").await;
    let_all_happen(&tenant).await;
    let tail = r#""version":"#;
    let heads = [
        r#"{"type":"friend.added","timestamp":"2026-11-21T12:00:00Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","#,
        r#"{"type":"friend.remark_set","timestamp":"2026-11-21T12:00:00Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","remark":"Bob \"from\" work","#,
        r#"{"type":"friend.removed","timestamp":"2026-11-21T12:00:00Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","#,
        r#"{"type":"block.added","timestamp":"2026-11-21T12:00:00Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","#,
        r#"{"type":"block.removed","timestamp":"2026-11-21T12:00:00Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","#,
    ];
    for (version, head) in (1..).zip(heads) {
        let sent = receiver.next().await;
        assert_eq!(sent.body, format!("{head}{tail}{version}}}}}"));
        assert_eq!(sent.header("content-type"), "application/json");
        assert_eq!(sent.header("webhook-timestamp"), NOON.unix_timestamp().to_string());
        assert!(sent.id().starts_with("evt_") && sent.id().ends_with(&format!("_{version}")));
    }
}

#[tokio::test]
async fn the_easemob_body_is_the_vendors_envelope_member_by_member() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (_app, tenant, mut receiver) = receiving(proto::BodyFormat::Easemob, secret).await;
    let_all_happen(&tenant).await;
    let payloads = [
        r#"{"reason":"","operation":"add"}"#,
        r#"{"operation":"remark","remark":"Bob \"from\" work"}"#,
        r#"{"roster_ver":"…","operation":"remove"}"#,
        r#"{"operation":"ban","status":{"error_code":"ok"}}"#,
        r#"{"operation":"allow","status":{"error_code":"ok"}}"#,
    ];
    let timestamp = NOON.unix_timestamp() * 1000;
    let mut seen = Vec::new();
    for payload in payloads {
        let sent = receiver.next().await;
        let body = sent.json();
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        let id = text("msg_id");
        assert!((18..=19).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
        assert!(!seen.contains(&id), "one for each event");
        let call_id = format!("acme#chat_{id}");
        let security = befriend::delivery::security(&call_id, secret, timestamp);
        let mut payload = payload.to_owned();
        if let Some(version) = body["payload"]["roster_ver"].as_str() {
            let hex = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
            assert!(version.len() == 40 && version.chars().all(hex), "{version}");
            payload = payload.replace('…', version);
        }
        let expected = format!(
            r#"{{"chat_type":"roster","callId":"{call_id}","security":"{security}","payload":{payload},"host":"befriend","appkey":"acme#chat","from":"alice","to":"bob","eventType":"chat","msg_id":"{id}","timestamp":{timestamp}}}"#
        );
        assert_eq!(sent.body, expected);
        seen.push(id);
    }
}

#[tokio::test]
async fn a_repeat_has_the_id_and_the_body_of_the_first_try() {
    let (app, tenant, mut receiver) = receiving(proto::BodyFormat::Easemob, "").await;
    receiver.answer(|_| status(500));
    tenant.befriend("alice", "bob").await.unwrap();
    let first = receiver.next().await;
    app.until_attempted(1).await;
    app.core.clock.advance(time::Duration::seconds(6));
    let second = receiver.next().await;
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
    let json: Value = second.json();
    assert_eq!(json["timestamp"], json!(NOON.unix_timestamp() * 1000), "when it happened");
}
