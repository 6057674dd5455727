//! Delivering: the schedule of tries, order, and receivers that misbehave in every way.
//!
//! The clock is stopped where a rule is about time, and moved on by the test.

use std::sync::Arc;

use befriend::{clock::Clock, delivery::Schedule, proto, upkeep};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::sync::Semaphore;

use crate::support::{
    Tenant, TestApp,
    receiver::{Answer, Receiver, rule_to, status, until},
};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// A server whose clock stands still, a tenant, a receiver and its rule.
struct Stage {
    app: TestApp,
    tenant: Tenant,
    receiver: Receiver,
    rule: proto::CallbackRule,
    clock: Clock,
}

impl Stage {
    async fn set(usernames: &[&str]) -> Self {
        Self::with(&[], usernames).await
    }

    async fn with(flags: &[&str], usernames: &[&str]) -> Self {
        let clock = Clock::stopped_at(NOON);
        // The tenant's token is to outlive all tries.
        let always = ["--callback-poll", "10ms", "--token-ttl", "60d"];
        let flags = [&always, flags].concat();
        let app = TestApp::with(&flags, clock.clone()).await;
        let tenant = app.tenant("acme#chat").await;
        tenant.create(usernames).await;
        let receiver = Receiver::start().await;
        let (rule, _) = app.rule(rule_to(&receiver.url)).await;
        Self { app, tenant, receiver, rule, clock }
    }

    async fn befriend(&self, owner: &str, friend: &str) {
        self.tenant.befriend(owner, friend).await.expect("friends");
    }

    /// Moves on to the next try of what has failed, and not further.
    async fn next_try(&self) {
        let next = "select min(next_attempt_at) from outbox where attempts > 0";
        let next: OffsetDateTime =
            sqlx::query_scalar(next).fetch_one(self.app.pool()).await.expect("something waits");
        self.clock.advance(next - self.clock.now());
    }

    async fn events(&self) -> Vec<proto::Event> {
        let request = proto::ListEventsRequest { page_size: 100, ..Default::default() };
        self.tenant.events().list_events(request).await.expect("events").into_inner().events
    }

    async fn event(&self, event_id: &str) -> (proto::Event, Vec<proto::DeliveryAttempt>) {
        let request = proto::GetEventRequest { event_id: event_id.to_owned() };
        let answer = self.tenant.events().get_event(request).await.expect("it is there");
        let answer = answer.into_inner();
        (answer.event.expect("an event"), answer.attempts)
    }

    async fn retry(&self, event_id: &str) -> proto::Event {
        let request = proto::RetryEventRequest { event_id: event_id.to_owned() };
        let answer = self.tenant.events().retry_event(request).await.expect("it goes again");
        answer.into_inner().event.expect("an event")
    }
}

#[tokio::test]
async fn an_event_is_tried_eleven_times_by_the_schedule_and_then_given_up() {
    let mut stage = Stage::set(&["alice", "bob"]).await;
    stage.receiver.answer(|_| Answer::With(500, &[], "no"));
    stage.befriend("alice", "bob").await;
    let waits = Schedule::default().0;
    for (tried, wait) in (1..).zip(&waits) {
        stage.receiver.next().await;
        stage.app.until_tried(tried).await;
        let before = stage.clock.now();
        stage.next_try().await;
        let waited = (stage.clock.now() - before) / *wait;
        assert!((0.9..=1.1).contains(&waited), "try {tried}: {waited} of {wait:?}");
    }
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    stage.clock.advance(Duration::days(2));

    let [failed] = &stage.events().await[..] else { panic!("one event") };
    assert_eq!(failed.state(), proto::EventState::Failed);
    let (failed, attempts) = stage.event(&failed.event_id).await;
    assert_eq!((failed.attempt_count, attempts.len()), (11, 11));
    for attempt in attempts {
        assert_eq!((attempt.status, attempt.answer.as_str()), (500, "no"));
        assert_eq!(attempt.error, "status 500");
    }
    assert!(stage.receiver.rest().is_empty());
}

#[tokio::test]
async fn a_dead_letter_goes_again_on_demand_with_its_whole_schedule_and_its_old_id() {
    let mut stage = Stage::with(&["--callback-schedule", "1s"], &["alice", "bob"]).await;
    stage.receiver.answer(|_| status(500));
    stage.befriend("alice", "bob").await;
    let first = stage.receiver.next().await;
    stage.app.until_tried(1).await;
    stage.next_try().await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;

    let event_id = stage.events().await[0].event_id.clone();
    let again = stage.retry(&event_id).await;
    assert_eq!((again.state(), again.attempt_count), (proto::EventState::Pending, 0));
    assert_eq!(stage.receiver.next().await.id(), first.id());
    stage.app.until_tried(1).await;
    stage.receiver.answer(|_| status(200));
    stage.next_try().await;
    assert_eq!(stage.receiver.next().await.id(), first.id());
    stage.app.until_all_is_settled().await;
    let (event, attempts) = stage.event(&event_id).await;
    assert_eq!(event.state(), proto::EventState::Delivered);
    assert_eq!(attempts.len(), 4, "what was tried before stays in the log");
}

#[tokio::test]
async fn a_delivered_event_goes_again_on_demand() {
    let mut stage = Stage::set(&["alice", "bob"]).await;
    stage.befriend("alice", "bob").await;
    let first = stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    let event_id = stage.events().await[0].event_id.clone();
    stage.retry(&event_id).await;
    assert_eq!(stage.receiver.next().await.id(), first.id());
    stage.app.until_all_is_settled().await;
    assert_eq!(stage.event(&event_id).await.1.len(), 2);
    assert_eq!(stage.events().await.len(), 1, "it is one event still");
}

#[tokio::test]
async fn all_dead_letters_of_a_range_go_again_in_their_order() {
    let flags = ["--callback-schedule", "1s"];
    let mut stage = Stage::with(&flags, &["alice", "bob", "carol", "dave"]).await;
    stage.receiver.answer(|_| status(500));
    for friend in ["bob", "carol", "dave"] {
        stage.befriend("alice", friend).await;
        stage.receiver.next().await;
        stage.app.until_tried(1).await;
        stage.next_try().await;
        stage.receiver.next().await;
        stage.app.until_all_is_settled().await;
        stage.clock.advance(Duration::MINUTE);
    }
    stage.receiver.answer(|_| status(200));
    let at = |time: OffsetDateTime| {
        Some(prost_types::Timestamp { seconds: time.unix_timestamp(), nanos: 0 })
    };
    let retry = |from_time, to_time| {
        let rule_id = stage.rule.rule_id.clone();
        let request = proto::RetryFailedEventsRequest { rule_id, from_time, to_time };
        let mut events = stage.tenant.events();
        async move { events.retry_failed_events(request).await.unwrap().into_inner().retried_count }
    };
    assert_eq!(retry(at(NOON), at(NOON)).await, 0, "the end of a range does not belong to it");
    let last = NOON + Duration::minutes(2);
    assert_eq!(retry(None, at(last)).await, 2);
    let mut again = stage.receiver.take(2).await;
    stage.app.until_all_is_settled().await;
    assert_eq!(retry(at(last), None).await, 1);
    again.push(stage.receiver.next().await);
    let friends: Vec<_> = again.iter().map(|c| c.json()["data"]["friend"].clone()).collect();
    assert_eq!(friends, ["bob", "carol", "dave"]);
}

#[tokio::test]
async fn later_events_of_an_owner_wait_for_the_failed_one_and_other_owners_do_not() {
    let users = ["alice", "bob", "carol", "dave", "erin"];
    let mut stage = Stage::set(&users).await;
    stage.receiver.answer(|callback| status(if callback.owner() == "alice" { 500 } else { 200 }));
    stage.befriend("alice", "bob").await;
    assert_eq!(stage.receiver.next().await.version(), 1);
    stage.app.until_tried(1).await;
    stage.befriend("alice", "carol").await;
    stage.befriend("alice", "dave").await;
    stage.befriend("erin", "bob").await;
    let other = stage.receiver.next().await;
    assert_eq!(other.owner(), "erin", "the others go on");

    stage.next_try().await;
    stage.clock.advance(-Duration::MILLISECOND);
    stage.tenant.remark("erin", "bob", "in between").await.unwrap();
    assert_eq!(stage.receiver.next().await.owner(), "erin", "it is not time yet");
    stage.clock.advance(Duration::MILLISECOND);
    assert_eq!(stage.receiver.next().await.version(), 1, "the first one first");
    stage.app.until_tried(2).await;
    stage.receiver.answer(|_| status(200));
    stage.next_try().await;
    let versions: Vec<i64> = stage.receiver.take(3).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, [1, 2, 3]);
}

#[tokio::test]
async fn a_dead_letter_holds_nobody_back() {
    let flags = ["--callback-schedule", "1s"];
    let mut stage = Stage::with(&flags, &["alice", "bob", "carol"]).await;
    stage.receiver.answer(|callback| status(if callback.version() == 1 { 500 } else { 200 }));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_tried(1).await;
    stage.befriend("alice", "carol").await;
    stage.next_try().await;
    let versions: Vec<i64> = stage.receiver.take(2).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, [1, 2]);
    stage.app.until_all_is_settled().await;
    let states: Vec<_> = stage.events().await.iter().map(|event| event.state()).collect();
    assert_eq!(states, [proto::EventState::Delivered, proto::EventState::Failed]);
}

#[tokio::test]
async fn what_waited_behind_an_event_that_is_retried_goes_with_it() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.receiver.answer(|_| status(500));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_tried(1).await;
    stage.befriend("alice", "carol").await;
    let held = "select count(*) from outbox where next_attempt_at > $1";
    until("the second event to be held back", || async {
        let held = sqlx::query_scalar(held).bind(NOON).fetch_one(stage.app.pool()).await;
        (held.ok() == Some(2_i64)).then_some(())
    })
    .await;

    stage.receiver.answer(|_| status(200));
    let first = stage.events().await.into_iter().find(|event| event.version == 1).unwrap();
    assert!(first.next_attempt_time.unwrap().seconds > NOON.unix_timestamp());
    stage.retry(&first.event_id).await;
    let versions: Vec<i64> = stage.receiver.take(2).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, [1, 2], "and no time has passed");
}

#[tokio::test]
async fn every_kind_of_failure_is_noted_as_what_it_was_and_tried_again() {
    let mut stage = Stage::with(&["--callback-timeout", "300ms"], &["alice", "bob"]).await;
    let moved = || Answer::With(301, &[("location", "http://127.0.0.1:9/")], "over there");
    let answers = [
        (Answer::Reset, 0, "connection"),
        (Answer::Hang, 0, "no answer within 300ms"),
        (moved(), 301, "redirects are not followed"),
        (status(404), 404, "status 404"),
        (Answer::Endless(500), 500, "status 500"),
        (Answer::With(500, &[], "nul \0 and \u{ff}"), 500, "status 500"),
    ];
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    let event_id = stage.events().await[0].event_id.clone();
    for (answer, expected, error) in answers {
        let said = answer.clone();
        stage.receiver.answer(move |_| said.clone());
        stage.retry(&event_id).await;
        stage.receiver.next().await;
        stage.app.until_tried(1).await;
        let (event, attempts) = stage.event(&event_id).await;
        assert_eq!(event.state(), proto::EventState::Pending);
        let attempt = attempts.last().unwrap();
        assert_eq!(attempt.status, expected);
        assert!(attempt.error.contains(error), "{:?}", attempt.error);
        if let Answer::Endless(_) = answer {
            assert_eq!(attempt.answer, "x".repeat(1024));
        }
        stage.receiver.answer(|_| status(200));
        stage.next_try().await;
        stage.receiver.next().await;
        stage.app.until_all_is_settled().await;
    }
    // Nobody listens at all.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", silent.local_addr().unwrap());
    drop(silent);
    let (app_key, rule_id) = ("acme#chat".to_owned(), stage.rule.rule_id.clone());
    let request = proto::UpdateCallbackRuleRequest {
        app_key,
        rule_id,
        url: Some(nowhere),
        ..Default::default()
    };
    stage.app.apps().update_callback_rule(request).await.unwrap();
    stage.retry(&event_id).await;
    stage.app.until_tried(1).await;
    let (_, attempts) = stage.event(&event_id).await;
    let error = &attempts.last().unwrap().error;
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_success_is_one_whatever_becomes_of_its_body() {
    let flags = ["--callback-timeout", "300ms"];
    let mut stage = Stage::with(&flags, &["alice", "bob", "carol", "dave"]).await;
    for (friend, answer, kept) in [
        ("bob", Answer::Endless(200), "x".repeat(1024)),
        ("carol", Answer::Stuck(202), "begun".to_owned()),
        ("dave", Answer::With(200, &[], "thanks"), "thanks".to_owned()),
    ] {
        stage.receiver.answer(move |_| answer.clone());
        stage.befriend("alice", friend).await;
        stage.receiver.next().await;
        stage.app.until_all_is_settled().await;
        let newest = stage.events().await.into_iter().max_by_key(|event| event.version).unwrap();
        let (event, attempts) = stage.event(&newest.event_id).await;
        assert_eq!(event.state(), proto::EventState::Delivered);
        assert_eq!((attempts.len(), attempts[0].answer.as_str()), (1, kept.as_str()));
    }
}

#[tokio::test]
async fn a_connection_is_used_again_unless_its_answer_was_too_long_to_be_read() {
    let mut stage = Stage::set(&["alice", "bob", "carol", "dave"]).await;
    let mut from = Vec::new();
    for (friend, answer) in [
        ("bob", Answer::With(200, &[], "short")),
        ("carol", Answer::Endless(200)),
        ("dave", status(200)),
    ] {
        stage.receiver.answer(move |_| answer.clone());
        stage.befriend("alice", friend).await;
        from.push(stage.receiver.next().await.from);
        stage.app.until_all_is_settled().await;
    }
    assert_eq!(from[0], from[1]);
    assert_ne!(from[1], from[2]);
}

#[tokio::test]
async fn a_receiver_that_cant_keep_up_is_left_alone_for_as_long_as_it_asks() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    let (other, _) = stage.app.rule(rule_to(&stage.receiver.url.replace("callbacks", "b"))).await;
    stage.app.switch(&other.rule_id, false).await;
    stage.receiver.answer(|_| Answer::With(429, &[("retry-after", "120")], ""));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_tried(1).await;
    stage.receiver.answer(|_| status(200));
    stage.app.switch(&other.rule_id, true).await;

    // Somebody else's event has to wait as well; that of another rule does not.
    stage.clock.advance(Duration::seconds(119));
    stage.befriend("carol", "bob").await;
    assert_eq!(stage.receiver.next().await.path, "/b");
    stage.clock.advance(Duration::SECOND);
    let went: Vec<_> = stage.receiver.take(2).await;
    assert!(went.iter().all(|callback| callback.path == "/callbacks"));
    assert!(stage.receiver.rest().is_empty());
}

#[tokio::test]
async fn a_wave_of_refusals_counts_as_one_and_the_next_one_doubles_the_pause() {
    let names: Vec<String> = (0..8).map(|n| format!("user{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stage = Stage::with(&["--callback-schedule", "1s,1s,1s,1s"], &names).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    stage.receiver.answer(move |_| Answer::After(Arc::clone(&held), 503));
    for owner in &names[1..] {
        stage.befriend(owner, "user0").await;
    }
    // All seven are under way before the first one is answered.
    stage.receiver.take(7).await;
    gate.add_permits(7);
    stage.app.until_tried(7).await;
    stage.receiver.answer(|_| status(503));
    // The pause is 1 s, the schedule 0.9-1.1 s: after 1.1 s all are due and the pause is over.
    stage.clock.advance(Duration::milliseconds(1100));
    stage.receiver.take(1).await;
    stage.app.until_tried(8).await;
    stage.clock.advance(Duration::milliseconds(1900));
    stage.befriend("user0", "user1").await;
    stage.tenant.remark("user0", "user1", "held").await.unwrap();
    let before = stage.receiver.rest();
    stage.receiver.answer(|_| status(200));
    stage.clock.advance(Duration::milliseconds(100));
    let after = stage.receiver.take(8).await;
    assert!(before.len() <= 6, "only those of the same wave: {}", before.len());
    assert!(after.iter().any(|callback| callback.owner() == "user0"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_has_its_rule_switched_off_until_somebody_decides() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.receiver.answer(|_| status(410));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    let rule_id = stage.rule.rule_id.clone();
    until("the rule to be off", || async {
        (!stage.app.rule_now(&rule_id).await.enabled).then_some(())
    })
    .await;
    assert_eq!(stage.app.rule_now(&rule_id).await.disabled_reason, "gone");
    stage.clock.advance(Duration::HOUR);
    stage.befriend("alice", "carol").await;
    assert_eq!(stage.events().await.len(), 1, "a rule that is off gets no new events");

    stage.receiver.answer(|_| status(200));
    stage.app.switch(&rule_id, true).await;
    let rule = stage.app.rule_now(&rule_id).await;
    assert_eq!((rule.enabled, rule.disabled_reason.as_str()), (true, ""));
    assert_eq!(stage.receiver.next().await.version(), 1, "what waited goes on");
    assert!(stage.receiver.rest().is_empty());
}

#[tokio::test]
async fn a_late_410_does_not_switch_off_a_rule_that_was_changed_meanwhile() {
    let mut stage = Stage::set(&["alice", "bob"]).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    stage.receiver.answer(move |_| Answer::After(Arc::clone(&held), 410));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    let mut new = Receiver::start().await;
    stage.clock.advance(Duration::SECOND);
    let (app_key, rule_id) = ("acme#chat".to_owned(), stage.rule.rule_id.clone());
    let url = Some(new.url.clone());
    let request = proto::UpdateCallbackRuleRequest { app_key, rule_id, url, ..Default::default() };
    stage.app.apps().update_callback_rule(request).await.unwrap();
    gate.add_permits(1);
    stage.app.until_tried(1).await;
    assert!(stage.app.rule_now(&stage.rule.rule_id).await.enabled);
    stage.next_try().await;
    assert_eq!(new.next().await.version(), 1);
}

#[tokio::test]
async fn a_rule_that_is_switched_off_sends_nothing_more_than_what_is_under_way() {
    let mut stage = Stage::set(&["alice", "bob", "carol", "dave"]).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    stage.receiver.answer(move |_| Answer::After(Arc::clone(&held), 200));
    // Three events that are read together.
    let usernames = vec!["bob".to_owned(), "carol".to_owned(), "dave".to_owned()];
    let owner = "alice".to_owned();
    let request = proto::ImportFriendsRequest { owner, usernames, notify: true };
    stage.tenant.friends().import_friends(request).await.unwrap();
    assert_eq!(stage.receiver.next().await.version(), 1);

    stage.clock.advance(Duration::SECOND);
    stage.app.switch(&stage.rule.rule_id, false).await;
    // An event of another rule shows that the relay has looked at the rules since.
    let mut other = Receiver::start().await;
    stage.app.rule(rule_to(&other.url)).await;
    stage.befriend("bob", "carol").await;
    other.next().await;
    gate.add_permits(9);
    until("the try under way to be settled", || async {
        (stage.app.waiting().await == 2).then_some(())
    })
    .await;
    stage.befriend("bob", "dave").await;
    other.next().await;
    assert!(stage.receiver.rest().is_empty());

    stage.app.switch(&stage.rule.rule_id, true).await;
    let versions: Vec<i64> = stage.receiver.take(2).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, [2, 3]);
}

#[tokio::test]
async fn a_deleted_rules_events_are_gone_at_once_and_its_rows_at_the_next_round() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    stage.receiver.answer(|_| status(500));
    stage.befriend("alice", "carol").await;
    stage.receiver.next().await;
    stage.app.until_tried(1).await;
    let events = stage.events().await;
    assert_eq!(events.len(), 2);

    let (app_key, rule_id) = ("acme#chat".to_owned(), stage.rule.rule_id.clone());
    let request = proto::DeleteCallbackRuleRequest { app_key, rule_id: rule_id.clone() };
    stage.app.apps().delete_callback_rule(request).await.unwrap();
    assert!(stage.events().await.is_empty());
    let request = proto::ListEventsRequest { rule_id, ..Default::default() };
    let listed = stage.tenant.events().list_events(request).await.unwrap().into_inner();
    assert!(listed.events.is_empty());
    for event in events {
        let code = |status: tonic::Status| status.code();
        let event_id = event.event_id;
        let get = proto::GetEventRequest { event_id: event_id.clone() };
        let got = stage.tenant.events().get_event(get).await.map_err(code);
        assert_eq!(got.unwrap_err(), tonic::Code::NotFound);
        let again = proto::RetryEventRequest { event_id };
        let retried = stage.tenant.events().retry_event(again).await.map_err(code);
        assert_eq!(retried.unwrap_err(), tonic::Code::NotFound);
    }
    upkeep::round(&stage.app.core).await;
    assert_eq!(stage.app.waiting().await, 0);
}

#[tokio::test]
async fn delivered_and_failed_events_are_dropped_by_the_day_after_their_time() {
    let mut stage = Stage::with(&["--event-retention", "2d"], &["alice", "bob", "carol"]).await;
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    stage.clock.advance(Duration::DAY);
    stage.befriend("alice", "carol").await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;

    let versions = |events: Vec<proto::Event>| events.iter().map(|e| e.version).collect::<Vec<_>>();
    stage.clock.advance(Duration::DAY);
    upkeep::round(&stage.app.core).await;
    assert_eq!(versions(stage.events().await), [2, 1], "two days are not over");
    stage.clock.advance(Duration::DAY);
    upkeep::round(&stage.app.core).await;
    assert_eq!(versions(stage.events().await), [2]);
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relname like 'event_history_2026%' and relkind = 'r'
         order by 1",
    )
    .fetch_all(stage.app.pool())
    .await
    .unwrap();
    assert_eq!(tables.first().unwrap(), "event_history_20261122", "whole partitions go");
}

#[tokio::test]
async fn one_owners_flood_holds_up_nobody_else() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    stage.receiver.answer(move |callback| match callback.owner().as_str() {
        "alice" => Answer::After(Arc::clone(&held), 200),
        _ => status(200),
    });
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    sqlx::query(
        "insert into outbox (owner_key, rule_id, seq, part, app_id, message_id, type, owner_name,
                             friend_name, detail, next_attempt_at, created_at)
         select owner_key, rule_id, seq + n, part, app_id, message_id + n, type, owner_name,
                friend_name, detail, next_attempt_at, created_at
         from outbox, generate_series(1, 20000) n",
    )
    .execute(stage.app.pool())
    .await
    .unwrap();
    stage.befriend("carol", "bob").await;
    assert_eq!(stage.receiver.next().await.owner(), "carol");
    gate.add_permits(1000);
    let versions: Vec<i64> = stage.receiver.take(500).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, (2..=501).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_failed_event_holds_back_a_hundred_thousand_behind_it_without_a_stop() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.receiver.answer(|callback| status(if callback.owner() == "alice" { 500 } else { 200 }));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_tried(1).await;
    sqlx::query(
        "insert into outbox (owner_key, rule_id, seq, part, app_id, message_id, type, owner_name,
                             friend_name, detail, next_attempt_at, created_at)
         select owner_key, rule_id, seq + n, part, app_id, message_id + n, type, owner_name,
                friend_name, detail, created_at, created_at
         from outbox, generate_series(1, 100000) n",
    )
    .execute(stage.app.pool())
    .await
    .unwrap();
    stage.befriend("carol", "bob").await;
    assert_eq!(stage.receiver.next().await.owner(), "carol");
    until("all to be held back", || async {
        let due = sqlx::query_scalar("select count(*) from outbox where next_attempt_at <= $1");
        let due: i64 = due.bind(NOON).fetch_one(stage.app.pool()).await.unwrap();
        (due == 0).then_some(())
    })
    .await;
    stage.tenant.remark("carol", "bob", "on time").await.unwrap();
    assert_eq!(stage.receiver.next().await.owner(), "carol");
    until("carol's to be settled", || async {
        (stage.app.waiting().await == 100_001).then_some(())
    })
    .await;
}

#[tokio::test]
async fn silent_receivers_hold_up_no_other_rule_though_they_take_all_their_room() {
    let flags = ["--callback-per-rule", "2", "--callback-in-all", "3"];
    let mut stage = Stage::with(&flags, &["alice", "bob", "carol", "dave", "erin"]).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    stage.receiver.answer(move |_| Answer::After(Arc::clone(&held), 200));
    for owner in ["alice", "carol", "dave", "erin"] {
        stage.befriend(owner, "bob").await;
    }
    stage.receiver.take(2).await;
    let mut other = Receiver::start().await;
    stage.app.rule(rule_to(&other.url)).await;
    stage.tenant.remark("alice", "bob", "told").await.unwrap();
    assert_eq!(other.next().await.json()["data"]["remark"], "told");
    assert!(stage.receiver.rest().is_empty());
    gate.add_permits(9);
    stage.receiver.take(3).await;
}

#[tokio::test]
async fn an_event_for_another_app_does_not_wait_for_a_slow_one() {
    let mut stage = Stage::with(&["--callback-per-rule", "1"], &["alice", "bob", "carol"]).await;
    stage.receiver.answer(|_| Answer::Hang);
    stage.befriend("alice", "bob").await;
    stage.befriend("carol", "bob").await;
    stage.receiver.next().await;

    let other = stage.app.tenant("other#chat").await;
    other.create(&["alice", "bob"]).await;
    let mut others = Receiver::start().await;
    let rule =
        proto::CreateCallbackRuleRequest { app_key: "other#chat".into(), ..rule_to(&others.url) };
    stage.app.rule(rule).await;
    other.befriend("alice", "bob").await.unwrap();
    assert_eq!(others.next().await.json()["data"]["app"], "other#chat");
    assert!(stage.receiver.rest().is_empty(), "its own next event waits for room");
}
