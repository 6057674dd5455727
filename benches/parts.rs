//! The pure functions that every call runs, each measured alone: `make bench-parts`.

use std::hint::black_box;

use befriend::{
    delivery,
    domain::{
        BodyFormat, CallbackRule, CallbackUrl, Event, EventId, EventState, EventType, OwnerKey,
        Remark, Secret, SecretKind, SigningSecret, Username,
    },
    page_token,
};
use criterion::{Criterion, criterion_group, criterion_main};
use time::OffsetDateTime;
use uuid::Uuid;

const APP: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn name(name: &str) -> Username {
    Username::parse("name", name).expect("it is valid")
}

fn parsing(c: &mut Criterion) {
    c.bench_function("parse a username", |b| {
        b.iter(|| Username::parse("owner", black_box("alice.liddell@example")));
    });
    c.bench_function("parse a remark", |b| {
        b.iter(|| Remark::parse("remark", black_box("the one from the gym, with the dog")));
    });
}

fn keys(c: &mut Criterion) {
    let alice = name("alice.liddell@example");
    c.bench_function("the key of a user", |b| b.iter(|| OwnerKey::of(APP, black_box(&alice))));
    let token = Secret::generate(SecretKind::AppToken);
    c.bench_function("hash a token", |b| b.iter(|| black_box(&token).hash()));
}

fn page_tokens(c: &mut Criterion) {
    let alice = name("alice");
    let tokens = page_token::friends(APP, &alice);
    let write = || tokens.write(Some(black_box("bob.the.builder").to_owned()));
    c.bench_function("write a page token", |b| b.iter(write));
    let token = write();
    c.bench_function("read a page token", |b| {
        b.iter(|| tokens.read(black_box(&token)));
    });
}

fn json(c: &mut Criterion) {
    let now = OffsetDateTime::UNIX_EPOCH;
    let rule = CallbackRule {
        id: APP,
        app_id: APP,
        url: CallbackUrl::parse("url", "https://example.com/hook").expect("it is valid"),
        event_types: Vec::new(),
        body_format: BodyFormat::Standard,
        enabled: true,
        disabled_reason: String::new(),
        ca_certificates: String::new(),
        secret: SigningSecret::generate(),
        old_secret: None,
        created_at: now,
        modified_at: now,
    };
    let owner = name("alice");
    let event = Event {
        id: EventId { owner: OwnerKey::of(APP, &owner), version: 7, rule_id: APP },
        message_id: 1_234_567_890_123_456_789,
        event_type: Some(EventType::FriendRemarkSet),
        owner,
        friend: name("bob"),
        detail: "the one from the gym".to_owned(),
        created_at: now,
        attempts: 0,
        state: EventState::Pending { next_attempt_at: now },
    };
    let body = || delivery::render(black_box(&rule), "acme#chat", black_box(&event));
    c.bench_function("write a callback's body", |b| b.iter(body));
    let body = body();
    c.bench_function("sign a callback", |b| {
        b.iter(|| delivery::sign(&rule.secret, "id", 1_700_000_000, black_box(&body)));
    });
}

criterion_group!(parts, parsing, keys, page_tokens, json);
criterion_main!(parts);
