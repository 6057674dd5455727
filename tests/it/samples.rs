//! docs/callbacks.md shows every type of callback in both formats, as it is sent.

use std::collections::BTreeSet;

use befriend::{
    delivery::{render, security, sign},
    domain::{
        BodyFormat, CallbackRule, CallbackUrl, Event, EventId, EventState, EventType, OwnerKey,
        SigningSecret, Username,
    },
};
use time::macros::datetime;
use uuid::Uuid;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/callbacks.md"));

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn rule(body_format: BodyFormat) -> CallbackRule {
    let at = datetime!(2026-11-21 12:00 UTC);
    CallbackRule {
        id: Uuid::from_u128(1),
        app_id: Uuid::from_u128(2),
        url: CallbackUrl::parse("url", "https://example.com/callbacks").unwrap(),
        event_types: EventType::wanted().collect(),
        body_format,
        enabled: true,
        disabled_reason: String::new(),
        ca_certificates: String::new(),
        secret: SigningSecret::parse("secret", SECRET).unwrap(),
        old_secret: None,
        created_at: at,
        modified_at: at,
    }
}

/// The event of the document: alice did something to bob.
fn event(event_type: EventType) -> Event {
    let (owner, friend) =
        (Username::parse("", "alice").unwrap(), Username::parse("", "bob").unwrap());
    let at = datetime!(2026-11-21 12:00:00.123 UTC);
    let detail = match event_type {
        EventType::FriendRemarkSet => "Bob from work",
        EventType::FriendRequestSent => "Hi, I am Alice",
        EventType::FriendRequestAccepted => "Welcome",
        EventType::FriendRequestRejected => "Do we know each other?",
        _ => "",
    };
    Event {
        id: EventId {
            owner: OwnerKey::of(Uuid::from_u128(2), &owner),
            version: 7,
            rule_id: Uuid::from_u128(1),
        },
        message_id: 2_235_128_347_312_640_001,
        event_type: Some(event_type),
        owner,
        friend,
        detail: detail.to_owned(),
        created_at: at,
        attempts: 0,
        state: EventState::Pending { next_attempt_at: at },
    }
}

/// JSON without the spaces and line ends between its members.
fn dense(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            let keep = quoted || !c.is_whitespace();
            quoted ^= *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            keep
        })
        .collect()
}

#[test]
fn the_documents_samples_are_what_is_sent() {
    let blocks = DOCUMENT.split("```json\n").skip(1);
    let shown: BTreeSet<String> =
        blocks.map(|block| dense(block.split("```").next().unwrap())).collect();
    let mut sent = BTreeSet::new();
    for event_type in EventType::wanted() {
        for format in [BodyFormat::Standard, BodyFormat::Easemob] {
            let body = render(&rule(format), "acme#chat", &event(event_type));
            sent.insert(String::from_utf8(body).unwrap());
        }
    }
    let list =
        |bodies: BTreeSet<&String>| bodies.into_iter().cloned().collect::<Vec<_>>().join("\n");
    let missing = list(sent.difference(&shown).collect());
    let wrong = list(shown.difference(&sent).collect());
    assert!(missing.is_empty() && wrong.is_empty(), "missing:\n{missing}\nwrong:\n{wrong}");
}

#[test]
fn the_documents_signatures_are_right() {
    let secret = SigningSecret::parse("secret", SECRET).unwrap();
    let body = render(&rule(BodyFormat::Standard), "acme#chat", &event(EventType::FriendAdded));
    let id = event(EventType::FriendAdded).id.webhook_id();
    let headers = format!(
        "webhook-id: {id}\nwebhook-timestamp: 1795262400\nwebhook-signature: {}\n",
        sign(&secret, &id, 1_795_262_400, &body)
    );
    assert!(DOCUMENT.contains(&headers), "not in the document:\n{headers}");
    // Whoever copies the headers and the body out of the document can verify them.
    let blocks: Vec<&str> = DOCUMENT.split("```text\n").skip(1).collect();
    let block = |at: usize| blocks[at].split("\n```").next().unwrap();
    let (shown, printed) = (block(0), block(1));
    let of = |name: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {shown}"))
    };
    let expected = sign(
        &secret,
        of("webhook-id"),
        of("webhook-timestamp").parse().unwrap(),
        printed.as_bytes(),
    );
    assert_eq!(of("webhook-signature"), expected, "{printed}");
    let call_id = "acme#chat_2235128347312640001";
    let line = format!(
        "md5(\"{call_id}\" + \"{SECRET}\" + \"1795262400123\") = {}",
        security(call_id, SECRET, 1_795_262_400_123)
    );
    assert!(DOCUMENT.contains(&line), "not in the document: {line}");
}
