//! Machines that disagree about the time: all instances go by the database's clock.

use befriend::clock::Clock;
use time::Duration;

use crate::support::{
    Tenant, TestApp, postgres,
    receiver::{Receiver, rule_to},
};

#[tokio::test]
async fn an_instance_on_a_machine_with_a_wrong_clock_agrees_with_the_others() {
    for ahead in [Duration::minutes(10), Duration::minutes(-10)] {
        let url = postgres::fresh_database().await;
        let wrong = Clock::system_ahead_by(ahead);
        let wrong = TestApp::on(&url, &["--callback-poll", "20ms"], wrong).await;
        let right = TestApp::on(&url, &["--deliver", "false"], Clock::system()).await;
        let tenant = right.tenant("acme#chat").await;
        tenant.create(&["alice", "bob"]).await;
        let mut receiver = Receiver::start().await;
        right.rule(rule_to(&receiver.url)).await;

        // One writes when the event is due, the other decides that it is.
        tenant.befriend("alice", "bob").await.unwrap();
        let callback = receiver.next().await;
        let signed_at: i64 = callback.header("webhook-timestamp").parse().unwrap();
        let now = Clock::system().now().unix_timestamp();
        assert!(now.abs_diff(signed_at) < 300, "receivers accept five minutes");

        let there = Tenant { channel: wrong.channel.clone(), ..tenant.clone() };
        let minutes = Some(std::time::Duration::from_mins(2));
        for (issued_by, used_on) in [(&right, &there), (&wrong, &tenant)] {
            let login = issued_by.login(&tenant.app.client_id, &tenant.client_secret, minutes);
            let token = login.await.unwrap().access_token;
            used_on.with_token(&token).profile("alice").await.expect("the token is valid");
        }
    }
}
