//! Receivers that fail, are slow, can't keep up, or misbehave: what becomes of their events, and that the
//! events of other rules and owners do not wait.

use std::sync::Arc;

use befriend::proto;
use time::Duration;
use tokio::sync::Semaphore;

use super::{NOON, Stage};
use crate::support::receiver::{Answer, Receiver, rule_to, status, until};

#[tokio::test]
async fn every_kind_of_failure_is_logged_as_what_it_was_and_the_event_sent_again() {
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
        stage.app.until_attempted(1).await;
        let (event, attempts) = stage.event(&event_id).await;
        assert_eq!(event.state(), proto::EventState::Pending);
        let attempt = attempts.last().unwrap();
        assert_eq!(attempt.http_status, expected);
        assert!(attempt.error.contains(error), "{:?}", attempt.error);
        if let Answer::Endless(_) = answer {
            assert_eq!(attempt.response_body, "x".repeat(1024));
        }
        stage.receiver.answer(|_| status(200));
        stage.to_next_attempt().await;
        stage.receiver.next().await;
        stage.app.until_all_is_settled().await;
    }
    // No server listens at this address.
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
    stage.app.callback_rules().update_callback_rule(request).await.unwrap();
    stage.retry(&event_id).await;
    stage.app.until_attempted(1).await;
    let (_, attempts) = stage.event(&event_id).await;
    let error = &attempts.last().unwrap().error;
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_2xx_status_is_a_success_whatever_becomes_of_the_body() {
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
        assert_eq!((attempts.len(), attempts[0].response_body.as_str()), (1, kept.as_str()));
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
async fn a_receiver_that_cant_keep_up_gets_nothing_for_as_long_as_it_asks() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    let (other, _) = stage.app.rule(rule_to(&stage.receiver.url.replace("callbacks", "b"))).await;
    stage.app.switch(&other.rule_id, false).await;
    stage.receiver.answer(|_| Answer::With(429, &[("retry-after", "120")], ""));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_attempted(1).await;
    stage.receiver.answer(|_| status(200));
    stage.app.switch(&other.rule_id, true).await;

    // An event of another owner has to wait as well; an event for another rule does not.
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
    stage.app.until_attempted(7).await;
    stage.receiver.answer(|_| status(503));
    // The pause is 1 s, the schedule 0.9-1.1 s: after 1.1 s all are due and the pause is over.
    stage.clock.advance(Duration::milliseconds(1100));
    stage.receiver.take(1).await;
    stage.app.until_attempted(8).await;
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
async fn a_410_disables_the_rule_until_the_operator_enables_it() {
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
    assert_eq!(stage.receiver.next().await.version(), 1, "the pending event is sent");
    assert!(stage.receiver.rest().is_empty());
}

#[tokio::test]
async fn a_late_410_does_not_disable_a_rule_that_was_changed_meanwhile() {
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
    stage.app.callback_rules().update_callback_rule(request).await.unwrap();
    gate.add_permits(1);
    stage.app.until_attempted(1).await;
    assert!(stage.app.rule_now(&stage.rule.rule_id).await.enabled);
    stage.to_next_attempt().await;
    assert_eq!(new.next().await.version(), 1);
}

#[tokio::test]
async fn many_events_of_one_owner_do_not_delay_the_events_of_others() {
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
        "insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                             friend_name, detail, next_attempt_at, created_at)
         select owner_key, rule_id, seq + n, partition, app_id, message_id + n, type, owner_name,
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
async fn an_event_that_waits_holds_back_a_hundred_thousand_without_delaying_other_owners() {
    let mut stage = Stage::set(&["alice", "bob", "carol"]).await;
    stage.receiver.answer(|callback| status(if callback.owner() == "alice" { 500 } else { 200 }));
    stage.befriend("alice", "bob").await;
    stage.receiver.next().await;
    stage.app.until_attempted(1).await;
    sqlx::query(
        "insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                             friend_name, detail, next_attempt_at, created_at)
         select owner_key, rule_id, seq + n, partition, app_id, message_id + n, type, owner_name,
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
async fn silent_receivers_delay_no_other_rule_although_they_use_all_their_streams() {
    let flags = ["--callback-per-rule", "2", "--callback-total", "3"];
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
async fn an_event_of_another_app_does_not_wait_for_a_slow_receiver() {
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
    assert!(stage.receiver.rest().is_empty(), "the slow rule sends one event at a time");
}
