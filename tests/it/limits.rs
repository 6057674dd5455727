//! How often an app may call. A test can't stop the limiter's clock, so each test checks only what holds
//! on any machine, however slow: a whole burst is allowed, and of many more calls some are refused.

use std::time::Duration;

use befriend::{clock::Clock, proto};
use futures_util::future::join_all;
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, expect_error, metadata};

fn rate(requests_per_second: i32) -> proto::AppLimits {
    proto::AppLimits {
        requests_per_second: Some(requests_per_second),
        ..proto::AppLimits::default()
    }
}

/// The results of `count` calls of one operation at once.
async fn calls(tenant: &Tenant, count: usize) -> Vec<Result<(), Status>> {
    let call = async |_| match tenant.relations_of("alice", &["bob"]).await {
        Err(refused) if refused.code() == Code::NotFound => Ok(()), // There is no alice.
        Err(refused) => Err(refused),
        Ok(_) => unreachable!("there is no alice"),
    };
    join_all((0..count).map(call)).await
}

/// How many calls were refused. Checks the reason of each.
fn refused(answers: Vec<Result<(), Status>>, limit: &str) -> usize {
    let refusals: Vec<Status> = answers.into_iter().filter_map(Result::err).collect();
    for refusal in &refusals {
        let details =
            expect_error(Err::<(), _>(refusal.clone()), Code::ResourceExhausted, "RATE_LIMITED");
        assert_eq!(metadata(&details, "operation"), "RelationService/CheckRelations");
        assert_eq!(metadata(&details, "limit_per_second"), limit);
        let wait = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(Duration::ZERO < wait && wait <= Duration::from_secs(1), "{wait:?}");
    }
    refusals.len()
}

#[tokio::test]
async fn calls_above_the_rate_are_refused_with_a_retry_delay() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", rate(2)).await;
    assert_eq!(refused(calls(&tenant, 2).await, "2"), 0, "the calls of a second may come at once");
    assert!(refused(calls(&tenant, 30).await, "2") > 0);
}

#[tokio::test]
async fn another_operation_and_another_app_are_not_affected() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", rate(1)).await;
    let other = app.tenant_with("other#app", rate(1)).await;
    assert!(refused(calls(&tenant, 30).await, "1") > 0);
    assert_eq!(refused(calls(&other, 1).await, "1"), 0);
    expect_error(tenant.profile("alice").await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_burst_holds_the_calls_of_as_many_seconds_as_the_operator_sets() {
    let app = TestApp::with(&["--rate-burst", "10"], Clock::system()).await;
    let tenant = app.tenant_with("acme#chat", rate(3)).await;
    assert_eq!(refused(calls(&tenant, 30).await, "3"), 0);
    assert!(refused(calls(&tenant, 60).await, "3") > 0);
}

#[tokio::test]
async fn each_of_several_instances_allows_its_share() {
    let app = TestApp::with(&["--instances", "10"], Clock::system()).await;
    let tenant = app.tenant_with("acme#chat", rate(20)).await;
    // This instance's share is two of the twenty; the error names the app's whole limit.
    assert_eq!(refused(calls(&tenant, 2).await, "20"), 0);
    assert!(refused(calls(&tenant, 30).await, "20") > 0);
}

#[tokio::test]
async fn a_changed_rate_applies_at_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme#chat", rate(1)).await;
    assert!(refused(calls(&tenant, 30).await, "1") > 0);
    app.set_limits(&tenant, rate(1000)).await;
    assert_eq!(refused(calls(&tenant, 200).await, "1000"), 0);
    app.set_limits(&tenant, rate(1)).await;
    assert!(refused(calls(&tenant, 30).await, "1") > 0);
}

#[tokio::test]
async fn a_refused_call_changes_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    let owners = tenant.crowd("u", 30).await;
    tenant.create(&["alice"]).await;
    app.set_limits(&tenant, rate(1)).await;
    let added = join_all(owners.iter().map(|owner| tenant.befriend(owner, "alice"))).await;
    let friends: Vec<&String> = owners
        .iter()
        .zip(&added)
        .filter(|(_, added)| added.is_ok())
        .map(|(owner, _)| owner)
        .collect();
    assert!(friends.len() < owners.len());
    assert_eq!(&tenant.friends_of("alice").await.unwrap().iter().collect::<Vec<_>>(), &friends);
}
