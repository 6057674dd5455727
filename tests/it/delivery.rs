//! Delivering events: the schedule of attempts, their order, sending again, and retention.
//!
//! The server's clock stands still, and the tests move it.

mod receivers;

use std::sync::Arc;

use befriend::{clock::Clock, delivery::Schedule, proto, server::upkeep};
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
        // The tenant's token must outlive all attempts.
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

    /// Moves the clock to the next attempt of an event that has failed before, and no further.
    async fn to_next_attempt(&self) {
        let next = "select min(next_attempt_at) from outbox where attempts > earlier_attempts";
        let next: OffsetDateTime =
            sqlx::query_scalar(next).fetch_one(self.app.pool()).await.expect("something waits");
        self.clock.advance(next - self.clock.now());
    }

    async fn events(&self) -> Vec<proto::Event> {
        let request = proto::ListEventsRequest { page_size: 100, ..Default::default() };
        self.tenant.events().list_events(request).await.expect("events").into_inner().events
    }

    async fn event(&self, event_id: &str) -> (proto::Event, Vec<proto::DeliveryAttempt>) {
        let request =
            proto::GetEventRequest { event_id: event_id.to_owned(), ..Default::default() };
        let answer = self.tenant.events().get_event(request).await.expect("it is there");
        let answer = answer.into_inner();
        (answer.event.expect("an event"), answer.attempts)
    }

    async fn retry(&self, event_id: &str) -> proto::Event {
        let request =
            proto::RetryEventRequest { event_id: event_id.to_owned(), ..Default::default() };
        let answer = self.tenant.events().retry_event(request).await.expect("it goes again");
        answer.into_inner().event.expect("an event")
    }
}

#[tokio::test]
async fn an_event_fails_after_the_eleven_attempts_of_the_schedule() {
    let mut stage = Stage::set(&["alice", "bob"]).await;
    stage.receiver.answer(|_| Answer::With(500, &[], "no"));
    stage.befriend("alice", "bob").await;
    let waits = Schedule::default().0;
    for (tried, wait) in (1..).zip(&waits) {
        stage.receiver.next().await;
        stage.app.until_attempted(tried).await;
        let before = stage.clock.now();
        stage.to_next_attempt().await;
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
        assert_eq!((attempt.http_status, attempt.response_body.as_str()), (500, "no"));
        assert_eq!(attempt.error, "status 500");
    }
    assert!(stage.receiver.rest().is_empty());
}

#[tokio::test]
async fn a_failed_event_is_sent_again_on_demand_with_its_whole_schedule_and_its_old_id() {
    let mut stage = Stage::with(&["--callback-schedule", "1s"], &["alice", "bob"]).await;
    stage.receiver.answer(|_| status(500));
    stage.befriend("alice", "bob").await;
    let first = stage.receiver.next().await;
    stage.app.until_attempted(1).await;
    stage.to_next_attempt().await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;

    let event_id = stage.events().await[0].event_id.clone();
    let again = stage.retry(&event_id).await;
    assert_eq!((again.state(), again.attempt_count), (proto::EventState::Pending, 2));
    assert_eq!(stage.receiver.next().await.id(), first.id());
    stage.app.until_attempted(1).await;
    stage.receiver.answer(|_| status(200));
    stage.to_next_attempt().await;
    assert_eq!(stage.receiver.next().await.id(), first.id());
    stage.app.until_all_is_settled().await;
    let (event, attempts) = stage.event(&event_id).await;
    assert_eq!(event.state(), proto::EventState::Delivered);
    assert_eq!((event.attempt_count, attempts.len()), (4, 4), "earlier attempts count");
}

#[tokio::test]
async fn a_delivered_event_is_sent_again_on_demand() {
    let mut stage = Stage::set(&["alice", "bob"]).await;
    stage.befriend("alice", "bob").await;
    let first = stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    let event_id = stage.events().await[0].event_id.clone();
    stage.retry(&event_id).await;
    assert_eq!(stage.receiver.next().await.id(), first.id());
    stage.app.until_all_is_settled().await;
    assert_eq!(stage.event(&event_id).await.1.len(), 2);
    assert_eq!(stage.events().await.len(), 1, "it is still one event");
}

#[tokio::test]
async fn all_failed_events_of_a_time_range_are_sent_again_in_their_order() {
    let flags = ["--callback-schedule", "1s"];
    let mut stage = Stage::with(&flags, &["alice", "bob", "carol", "dave"]).await;
    stage.receiver.answer(|_| status(500));
    for friend in ["bob", "carol", "dave"] {
        stage.befriend("alice", friend).await;
        stage.receiver.next().await;
        stage.app.until_attempted(1).await;
        stage.to_next_attempt().await;
        stage.receiver.next().await;
        stage.app.until_all_is_settled().await;
        stage.clock.advance(Duration::MINUTE);
    }
    stage.receiver.answer(|_| status(200));
    let at = |time: OffsetDateTime| {
        Some(prost_types::Timestamp { seconds: time.unix_timestamp(), nanos: 0 })
    };
    let retry = |start_time, end_time| {
        let rule_id = stage.rule.rule_id.clone();
        let request =
            proto::RetryFailedEventsRequest { rule_id, start_time, end_time, ..Default::default() };
        let mut events = stage.tenant.events();
        async move { events.retry_failed_events(request).await.unwrap().into_inner().retried_count }
    };
    assert_eq!(retry(at(NOON), at(NOON)).await, 0, "a range excludes its end");
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
async fn later_events_of_an_owner_wait_for_an_earlier_one_that_failed_and_other_owners_do_not() {
    let users = ["alice", "bob", "carol", "dave", "erin"];
    let mut stage = Stage::set(&users).await;
    stage.receiver.answer(|callback| status(if callback.owner() == "alice" { 500 } else { 200 }));
    stage.befriend("alice", "bob").await;
    assert_eq!(stage.receiver.next().await.version(), 1);
    stage.app.until_attempted(1).await;
    stage.befriend("alice", "carol").await;
    stage.befriend("alice", "dave").await;
    stage.befriend("erin", "bob").await;
    let other = stage.receiver.next().await;
    assert_eq!(other.owner(), "erin", "the others go on");

    stage.to_next_attempt().await;
    stage.clock.advance(-Duration::MILLISECOND);
    stage.tenant.remark("erin", "bob", "in between").await.unwrap();
    assert_eq!(stage.receiver.next().await.owner(), "erin", "it is not time yet");
    stage.clock.advance(Duration::MILLISECOND);
    assert_eq!(stage.receiver.next().await.version(), 1, "the first one first");
    stage.app.until_attempted(2).await;
    stage.receiver.answer(|_| status(200));
    stage.to_next_attempt().await;
    let versions: Vec<i64> = stage.receiver.take(3).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, [1, 2, 3]);
}

#[tokio::test]
async fn a_failed_event_holds_no_later_event_back() {
    let flags = ["--callback-schedule", "1s"];
    let mut stage = Stage::with(&flags, &["alice", "bob", "carol"]).await;
    stage.receiver.answer(|callback| status(if callback.version() == 1 { 500 } else { 200 }));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_attempted(1).await;
    stage.befriend("alice", "carol").await;
    stage.to_next_attempt().await;
    let versions: Vec<i64> = stage.receiver.take(2).await.iter().map(|c| c.version()).collect();
    assert_eq!(versions, [1, 2]);
    stage.app.until_all_is_settled().await;
    let states: Vec<_> = stage.events().await.iter().map(|event| event.state()).collect();
    assert_eq!(states, [proto::EventState::Delivered, proto::EventState::Failed]);
}

#[tokio::test]
async fn events_that_waited_behind_a_retried_event_are_sent_with_it() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.receiver.answer(|_| status(500));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_attempted(1).await;
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
async fn a_disabled_rule_sends_nothing_more_than_the_attempts_under_way() {
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
    // An event of another rule shows that the dispatcher has read the rules again.
    let mut other = Receiver::start().await;
    stage.app.rule(rule_to(&other.url)).await;
    stage.befriend("bob", "carol").await;
    other.next().await;
    gate.add_permits(9);
    until("the attempt under way to be settled", || async {
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
async fn a_deleted_rules_events_are_not_found_at_once_and_its_rows_removed_by_upkeep() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_all_is_settled().await;
    stage.receiver.answer(|_| status(500));
    stage.befriend("alice", "carol").await;
    stage.receiver.next().await;
    stage.app.until_attempted(1).await;
    let events = stage.events().await;
    assert_eq!(events.len(), 2);

    let (app_key, rule_id) = ("acme#chat".to_owned(), stage.rule.rule_id.clone());
    let request = proto::DeleteCallbackRuleRequest { app_key, rule_id: rule_id.clone() };
    stage.app.callback_rules().delete_callback_rule(request).await.unwrap();
    assert!(stage.events().await.is_empty());
    let request = proto::ListEventsRequest { rule_id, ..Default::default() };
    let listed = stage.tenant.events().list_events(request).await.unwrap().into_inner();
    assert!(listed.events.is_empty());
    for event in events {
        let code = |status: tonic::Status| status.code();
        let event_id = event.event_id;
        let get = proto::GetEventRequest { event_id: event_id.clone(), ..Default::default() };
        let got = stage.tenant.events().get_event(get).await.map_err(code);
        assert_eq!(got.unwrap_err(), tonic::Code::NotFound);
        let again = proto::RetryEventRequest { event_id, ..Default::default() };
        let retried = stage.tenant.events().retry_event(again).await.map_err(code);
        assert_eq!(retried.unwrap_err(), tonic::Code::NotFound);
    }
    upkeep::round(&stage.app.core).await;
    assert_eq!(stage.app.waiting().await, 0);
}

#[tokio::test]
async fn delivered_and_failed_events_are_dropped_by_whole_days_after_the_retention() {
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
async fn instances_that_make_the_same_partition_of_the_history_at_once_do_not_fail() {
    let stage = Stage::set(&[]).await;
    for _ in 0..5 {
        stage.clock.advance(Duration::days(10));
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let rounds = (0..4).map(|_| {
            let core = Arc::clone(&stage.app.core);
            tokio::spawn(async move {
                befriend::ops::maintenance::event_retention::apply(&core, deadline).await
            })
        });
        for round in rounds.collect::<Vec<_>>() {
            round.await.unwrap().expect("the house is kept");
        }
    }
}
