//! EventService and the commands `befriend events`: finding events and sending them again.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Output},
};

use befriend::{clock::Clock, proto};
use serde_json::Value;
use time::{Duration, OffsetDateTime, macros::datetime};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, binary, expect_error,
    receiver::{Receiver, process, rule_to, status, until},
    tenant::acme,
};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

fn at(time: OffsetDateTime) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: time.unix_timestamp(), nanos: 0 })
}

async fn list(
    tenant: &Tenant,
    request: proto::ListEventsRequest,
) -> Result<proto::ListEventsResponse, Status> {
    Ok(tenant.events().list_events(request).await?.into_inner())
}

async fn get(tenant: &Tenant, event_id: &str) -> Result<proto::GetEventResponse, Status> {
    let request = proto::GetEventRequest { event_id: event_id.to_owned(), ..Default::default() };
    Ok(tenant.events().get_event(request).await?.into_inner())
}

/// "alice 1" for version 1 of alice.
fn names(events: &[proto::Event]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.owner, event.version)).collect()
}

/// Three delivered events, a failed and a pending one, a minute apart; with a rule for all types and one for
/// `block.added`.
async fn history() -> (TestApp, Tenant, Clock, [proto::CallbackRule; 2]) {
    let clock = Clock::stopped_at(NOON);
    let flags = ["--callback-poll", "10ms", "--callback-schedule", "1s"];
    let app = TestApp::with(&flags, clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob", "carol"]).await;
    let receiver = Receiver::start().await;
    let (all, _) = app.rule(rule_to(&receiver.url)).await;
    let blocks = proto::CreateCallbackRuleRequest {
        event_types: vec!["block.added".to_owned()],
        ..rule_to(&receiver.url)
    };
    let (blocks, _) = app.rule(blocks).await;

    tenant.befriend("alice", "bob").await.unwrap();
    app.until_all_is_settled().await;
    clock.advance(Duration::MINUTE);
    tenant.block("alice", &["carol"]).await.unwrap();
    app.until_all_is_settled().await;
    clock.advance(Duration::MINUTE);
    receiver.answer(|_| status(500));
    tenant.remark("alice", "bob", "failed").await.unwrap();
    app.until_attempted(1).await;
    clock.advance(Duration::MINUTE);
    app.until_all_is_settled().await;
    tenant.befriend("carol", "bob").await.unwrap();
    app.until_attempted(1).await;
    (app, tenant, clock, [all, blocks])
}

#[tokio::test]
async fn events_are_found_by_every_condition_and_the_newest_come_first() {
    let (_app, tenant, _, [all, blocks]) = history().await;
    let everything = list(&tenant, proto::ListEventsRequest::default()).await.unwrap().events;
    assert_eq!(names(&everything), ["carol 1", "alice 3", "alice 2", "alice 2", "alice 1"]);
    let minute = |n: i64| at(NOON + Duration::minutes(n));
    let any = proto::ListEventsRequest::default;
    let (pending, delivered, failed) = (
        proto::EventState::Pending.into(),
        proto::EventState::Delivered.into(),
        proto::EventState::Failed.into(),
    );
    let by_rule = |rule: &proto::CallbackRule| proto::ListEventsRequest {
        rule_id: rule.rule_id.clone(),
        ..any()
    };
    let cases: [(proto::ListEventsRequest, &[&str]); 11] = [
        (by_rule(&all), &["carol 1", "alice 3", "alice 2", "alice 1"]),
        (by_rule(&blocks), &["alice 2"]),
        (proto::ListEventsRequest { owner: "CAROL".into(), ..any() }, &["carol 1"]),
        (proto::ListEventsRequest { owner: "bob".into(), ..any() }, &[]),
        (
            proto::ListEventsRequest { event_type: "friend.added".into(), ..any() },
            &["carol 1", "alice 1"],
        ),
        (proto::ListEventsRequest { state: pending, ..any() }, &["carol 1"]),
        (
            proto::ListEventsRequest { state: delivered, ..any() },
            &["alice 2", "alice 2", "alice 1"],
        ),
        (proto::ListEventsRequest { state: failed, ..any() }, &["alice 3"]),
        (
            proto::ListEventsRequest { start_time: minute(1), end_time: minute(2), ..any() },
            &["alice 2", "alice 2"],
        ),
        (proto::ListEventsRequest { start_time: minute(2), ..any() }, &["carol 1", "alice 3"]),
        (
            proto::ListEventsRequest {
                event_type: "friend.added".into(),
                state: delivered,
                owner: "alice".into(),
                ..by_rule(&all)
            },
            &["alice 1"],
        ),
    ];
    for (request, expected) in cases {
        let found = list(&tenant, request.clone()).await.unwrap().events;
        assert_eq!(names(&found), expected, "{request:?}");
    }
}

#[tokio::test]
async fn an_event_shows_its_state_and_its_attempts() {
    let (_app, tenant, _, [all, _]) = history().await;
    let events = list(&tenant, proto::ListEventsRequest::default()).await.unwrap().events;
    let (pending, failed, delivered) = (&events[0], &events[1], &events[4]);

    assert_eq!(pending.state(), proto::EventState::Pending);
    assert_eq!((&pending.rule_id, pending.event_type.as_str()), (&all.rule_id, "friend.added"));
    assert_eq!((pending.owner.as_str(), pending.other.as_str()), ("carol", "bob"));
    assert_eq!(pending.create_time, at(NOON + Duration::minutes(3)));
    assert!(pending.next_attempt_time.is_some() && pending.finish_time.is_none());
    assert_eq!(pending.attempt_count, 1);

    assert_eq!(failed.state(), proto::EventState::Failed);
    assert_eq!(failed.finish_time, at(NOON + Duration::minutes(3)));
    assert!(failed.next_attempt_time.is_none());
    let got = get(&tenant, &failed.event_id).await.unwrap();
    assert_eq!(got.event.as_ref(), Some(failed));
    let times: Vec<_> = got.attempts.iter().map(|attempt| attempt.start_time).collect();
    assert_eq!(times, [at(NOON + Duration::minutes(2)), at(NOON + Duration::minutes(3))]);

    assert_eq!(delivered.state(), proto::EventState::Delivered);
    let got = get(&tenant, &delivered.event_id).await.unwrap();
    assert_eq!((got.attempts.len(), got.attempts[0].http_status), (1, 200));
    assert_eq!(got.attempts[0].error, "");
}

#[tokio::test]
async fn paging_finds_every_event_once_although_they_are_settled_meanwhile() {
    let (app, tenant) = acme(&["alice"]).await;
    let receiver = Receiver::start().await;
    receiver.answer(|_| status(500));
    let (rule, _) = app.rule(rule_to(&receiver.url)).await;
    let crowd = tenant.crowd("user", 30).await;
    for friend in &crowd {
        tenant.befriend("alice", friend).await.unwrap();
    }
    app.until_attempted(1).await;
    let mut found = Vec::new();
    let mut page_token = String::new();
    for page in 0.. {
        let request = proto::ListEventsRequest { page_size: 7, page_token, ..Default::default() };
        let answer = list(&tenant, request).await.unwrap();
        found.extend(answer.events.iter().map(|event| event.version));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
        if page == 1 {
            // All events move from the outbox to the history.
            receiver.answer(|_| status(200));
            let retry = proto::RetryEventRequest {
                event_id: answer.events[6].event_id.clone(),
                ..Default::default()
            };
            tenant.events().retry_event(retry).await.unwrap();
            app.until_all_is_settled().await;
        }
    }
    assert_eq!(found, (1..=30).rev().collect::<Vec<i64>>());
    assert_eq!(app.rule_now(&rule.rule_id).await, rule);
}

#[tokio::test]
async fn a_page_token_is_refused_with_other_conditions() {
    let (_app, tenant, _, _) = history().await;
    let first = proto::ListEventsRequest { page_size: 2, ..Default::default() };
    let page_token = list(&tenant, first).await.unwrap().next_page_token;
    let other = proto::ListEventsRequest {
        page_token: page_token.clone(),
        owner: "alice".into(),
        ..Default::default()
    };
    let refused = list(&tenant, other).await;
    expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    let more = proto::ListEventsRequest { page_size: 50, page_token, ..Default::default() };
    assert_eq!(
        names(&list(&tenant, more).await.unwrap().events),
        ["alice 2", "alice 2", "alice 1"]
    );
}

#[tokio::test]
async fn malformed_conditions_are_refused() {
    let (_app, tenant) = acme(&[]).await;
    let any = proto::ListEventsRequest::default;
    for (request, reason) in [
        (proto::ListEventsRequest { rule_id: "mine".into(), ..any() }, "INVALID_ARGUMENT"),
        (proto::ListEventsRequest { owner: "a b".into(), ..any() }, "INVALID_USERNAME"),
        (proto::ListEventsRequest { event_type: "friend".into(), ..any() }, "INVALID_ARGUMENT"),
        (proto::ListEventsRequest { state: 9, ..any() }, "INVALID_ARGUMENT"),
        (proto::ListEventsRequest { page_size: 101, ..any() }, "PAGE_SIZE_OUT_OF_RANGE"),
        (proto::ListEventsRequest { page_size: -1, ..any() }, "PAGE_SIZE_OUT_OF_RANGE"),
        (proto::ListEventsRequest { page_token: "x".into(), ..any() }, "INVALID_PAGE_TOKEN"),
    ] {
        let refused = list(&tenant, request).await;
        expect_error(refused, Code::InvalidArgument, reason);
    }
    for event_id in ["", "1.2.3", "no event"] {
        expect_error(get(&tenant, event_id).await, Code::NotFound, "EVENT_NOT_FOUND");
    }
    let request = proto::RetryFailedEventsRequest {
        rule_id: uuid::Uuid::nil().to_string(),
        ..Default::default()
    };
    let refused = tenant.events().retry_failed_events(request).await;
    expect_error(refused, Code::NotFound, "CALLBACK_RULE_NOT_FOUND");
}

#[tokio::test]
async fn another_app_can_neither_find_nor_retry_an_event() {
    let (app, tenant, _, [all, _]) = history().await;
    let mine = list(&tenant, proto::ListEventsRequest::default()).await.unwrap().events;
    let stranger = app.tenant("other#chat").await;
    stranger.create(&["alice"]).await;
    for request in [
        proto::ListEventsRequest::default(),
        proto::ListEventsRequest { rule_id: all.rule_id.clone(), ..Default::default() },
        proto::ListEventsRequest { owner: "alice".into(), ..Default::default() },
    ] {
        assert!(list(&stranger, request).await.unwrap().events.is_empty());
    }
    for event in mine {
        let event_id = event.event_id;
        expect_error(get(&stranger, &event_id).await, Code::NotFound, "EVENT_NOT_FOUND");
        let retried = stranger
            .events()
            .retry_event(proto::RetryEventRequest { event_id, ..Default::default() })
            .await;
        expect_error(retried, Code::NotFound, "EVENT_NOT_FOUND");
    }
    let request =
        proto::RetryFailedEventsRequest { rule_id: all.rule_id.clone(), ..Default::default() };
    let refused = stranger.events().retry_failed_events(request).await;
    expect_error(refused, Code::NotFound, "CALLBACK_RULE_NOT_FOUND");
}

/// The command `befriend events` on this app's database.
fn events(app: &TestApp, arguments: &[&str]) -> Output {
    binary::run(&[&["--database-url", &app.database_url, "events"], arguments].concat())
}

#[track_caller]
fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn the_command_lists_shows_and_retries_events() {
    let (app, tenant, _, [_, blocks]) = history().await;
    let all = text(&events(&app, &["list", "acme#chat"]));
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), 6, "a header and five events: {all}");
    assert!(lines[0].starts_with("EVENT_ID "), "{}", lines[0]);
    let listed = |arguments: &[&str]| -> Vec<Value> {
        let arguments = [&["list", "acme#chat", "--output", "json"], arguments].concat();
        serde_json::from_str(&text(&events(&app, &arguments))).unwrap()
    };
    let all = listed(&[]);
    let words = |event: &Value| {
        let words = ["event_type", "owner", "other", "state"].map(|name| event[name].clone());
        words.map(|word| word.as_str().unwrap().to_owned()).join(" ")
    };
    assert_eq!(words(&all[0]), "friend.added carol bob pending");
    assert_eq!(words(&all[1]), "friend.remark_set alice bob failed");
    assert_eq!(listed(&["--limit", "2"]), all[..2]);
    let filter = ["--rule", &blocks.rule_id, "--user", "alice", "--type", "block.added"];
    assert_eq!(listed(&[&filter[..], &["--state", "delivered"]].concat()).len(), 1);
    // A time that is printed can be asked for.
    let since = all[1]["create_time"].as_str().unwrap();
    assert_eq!(listed(&["--from", since]), all[..2]);
    assert_eq!(listed(&["--to", since]), all[2..]);

    let event_id = all[1]["event_id"].as_str().unwrap();
    let shown = text(&events(&app, &["show", "acme#chat", event_id, "--output", "json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(shown["attempts"][0]["http_status"], 500, "{shown}");
    let shown = text(&events(&app, &["show", "acme#chat", event_id]));
    assert!(shown.contains("\nattempts:\nSTART_TIME "), "{shown}");
    let retried = text(&events(&app, &["retry", "acme#chat", event_id]));
    assert!(retried.contains("state: pending\n"), "{retried}");
    let found = get(&tenant, event_id).await.unwrap().event.unwrap();
    assert_ne!(found.state(), proto::EventState::Failed);

    let nothing = events(&app, &["show", "acme#chat", "x"]);
    assert_eq!(nothing.status.code(), Some(1));
}

/// `befriend receiver` as a process. It ends with the test.
struct Console {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
}

impl Console {
    fn start(arguments: &[&str]) -> Self {
        let mut child = process(&[&["receiver", "--listen", "127.0.0.1:0"], arguments].concat());
        let lines = child.stdout.take().map(BufReader::new);
        Self { child, lines }
    }

    async fn line(&mut self) -> String {
        let mut lines = self.lines.take().unwrap();
        let read = move || {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            (lines, line)
        };
        let (lines, line) = tokio::task::spawn_blocking(read).await.unwrap();
        self.lines = Some(lines);
        line
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_receiver_for_development_checks_signatures_and_prints_what_arrives() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut console = Console::start(&["--secret", secret]);
    let said = console.line().await;
    let url = said.trim().strip_prefix("receiving callbacks on ").unwrap();
    let rule =
        proto::CreateCallbackRuleRequest { signing_secret: secret.to_owned(), ..rule_to(url) };
    app.rule(rule).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let line = console.line().await;
    assert!(line.contains("(signature verified)") && line.contains(r#""owner":"alice""#), "{line}");
    app.until_all_is_settled().await;

    let (wrong, _) = app.rule(rule_to(url)).await;
    let test = proto::TestCallbackRuleRequest {
        app_key: "acme#chat".to_owned(),
        rule_id: wrong.rule_id.clone(),
    };
    let tested = app.callback_rules().test_callback_rule(test).await.unwrap().into_inner();
    assert_eq!(tested.attempt.unwrap().http_status, 401);
    let line = console.line().await;
    assert!(line.contains("SIGNATURE WRONG") && line.contains("callback.test"), "{line}");
}

#[tokio::test]
async fn the_receiver_for_development_answers_as_it_is_told_to() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let mut console = Console::start(&["--status", "503", "--delay", "1ms"]);
    let said = console.line().await;
    let (rule, _) =
        app.rule(rule_to(said.trim().strip_prefix("receiving callbacks on ").unwrap())).await;
    tenant.befriend("alice", "bob").await.unwrap();
    assert!(console.line().await.contains("(signature not checked)"));
    let event = until("the try to be noted", || async {
        let events = list(&tenant, proto::ListEventsRequest::default()).await.unwrap().events;
        events.into_iter().find(|event| event.attempt_count == 1)
    })
    .await;
    assert_eq!(event.rule_id, rule.rule_id);
    assert_eq!(get(&tenant, &event.event_id).await.unwrap().attempts[0].http_status, 503);
}
