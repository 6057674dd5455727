//! App tokens: how they are issued, how long they are valid, and how they are revoked.

use std::time::Duration;

use befriend::{clock::Clock, proto, server::upkeep};
use time::{Duration as Span, OffsetDateTime};
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, expect_error, metadata, tenant::acme};

const DAY: u64 = 86_400;

/// A stopped clock, and a server and a tenant that use it.
async fn stopped() -> (Clock, TestApp, Tenant) {
    let clock = Clock::stopped_at(OffsetDateTime::UNIX_EPOCH + Span::days(20_000));
    let app = TestApp::with(&[], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    (clock, app, tenant)
}

/// Whether a tenant's token is accepted.
async fn is_accepted(tenant: &Tenant) -> bool {
    match tenant.profile("alice").await {
        Ok(_) => true,
        Err(refused) => {
            expect_error(Err::<(), _>(refused), Code::Unauthenticated, "UNAUTHENTICATED");
            false
        }
    }
}

async fn tokens_kept(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from tokens").fetch_one(app.pool()).await.unwrap()
}

#[tokio::test]
async fn a_token_is_issued_for_the_credentials_of_its_app() {
    let (app, tenant) = acme(&["alice"]).await;
    let issued = app.login(&tenant.app.client_id, &tenant.client_secret, None).await.unwrap();
    assert_eq!(issued.app_uuid, tenant.app.uuid);
    assert_eq!(issued.expires_in.unwrap().seconds, 86_400);
    assert_ne!(issued.access_token, tenant.token, "each token is a new one");
    assert!(is_accepted(&tenant.with_token(&issued.access_token)).await);
    assert!(is_accepted(&tenant).await, "the earlier token stays valid");
}

#[tokio::test]
async fn a_token_is_valid_for_a_minute_to_sixty_days() {
    let (app, tenant) = acme(&[]).await;
    let login =
        async |ttl| app.login(&tenant.app.client_id, &tenant.client_secret, Some(ttl)).await;
    for seconds in [60, 3600, 60 * DAY] {
        let issued = login(Duration::from_secs(seconds)).await.unwrap();
        assert_eq!(issued.expires_in.unwrap().seconds, i64::try_from(seconds).unwrap());
    }
    let zero = login(Duration::ZERO).await.unwrap();
    assert_eq!(zero.expires_in.unwrap().seconds, 86_400, "zero stands for the default");
    for ttl in [
        Duration::from_millis(59_999),
        Duration::from_nanos(1),
        Duration::from_secs(60 * DAY + 1),
        Duration::from_secs(u64::from(u32::MAX) * 1000),
    ] {
        let details = expect_error(login(ttl).await, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "ttl");
    }
}

#[tokio::test]
async fn a_negative_or_malformed_ttl_is_refused() {
    let (app, tenant) = acme(&[]).await;
    for (seconds, nanos) in
        [(-60, 0), (0, -1), (i64::MIN, i32::MIN), (i64::MAX, i32::MAX), (60, 1_000_000_000)]
    {
        let request = befriend::proto::IssueTokenRequest {
            client_id: tenant.app.client_id.clone(),
            client_secret: tenant.client_secret.clone(),
            ttl: Some(prost_types::Duration { seconds, nanos }),
        };
        let refused = app.logins().issue_token(request).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "ttl");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_however_often_it_was_accepted_before() {
    let (clock, app, tenant) = stopped().await;
    let ttl = Some(Duration::from_secs(60));
    let issued = app.login(&tenant.app.client_id, &tenant.client_secret, ttl).await.unwrap();
    let short = tenant.with_token(&issued.access_token);
    clock.advance(Span::milliseconds(59_999));
    assert!(is_accepted(&short).await, "and is in the cache now");
    clock.advance(Span::milliseconds(1));
    assert!(!is_accepted(&short).await, "the cache does not outlive the token");
    assert!(is_accepted(&tenant).await, "another token stays valid");
}

#[tokio::test]
async fn expired_tokens_are_removed_and_valid_ones_kept() {
    let (clock, app, tenant) = stopped().await;
    for _ in 0..3 {
        let ttl = Some(Duration::from_secs(60));
        app.login(&tenant.app.client_id, &tenant.client_secret, ttl).await.unwrap();
    }
    upkeep::round(&app.core).await;
    assert_eq!(tokens_kept(&app).await, 4);
    clock.advance(Span::minutes(1));
    upkeep::round(&app.core).await;
    assert_eq!(tokens_kept(&app).await, 1);
    assert!(is_accepted(&tenant).await);
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let (app, tenant) = acme(&["alice"]).await;
    let issued = app.login(&tenant.app.client_id, &tenant.client_secret, None).await.unwrap();
    let second = tenant.with_token(&issued.access_token);
    assert!(is_accepted(&second).await, "and is in the cache now");

    tenant.revoke(&second.token).await.unwrap();
    assert!(!is_accepted(&second).await);
    assert!(is_accepted(&tenant).await, "the caller's token stays valid");
    tenant.revoke(&second.token).await.unwrap();

    tenant.revoke("").await.unwrap();
    assert!(!is_accepted(&tenant).await, "an empty access_token stands for the caller's");
    let refused = tenant.revoke("").await;
    expect_error(refused, Code::Unauthenticated, "UNAUTHENTICATED");
}

#[tokio::test]
async fn revoking_an_unknown_token_or_one_of_another_app_changes_nothing() {
    let (app, tenant) = acme(&["alice"]).await;
    let other = app.tenant("other#app").await;
    other.create(&["alice"]).await;
    for foreign in [other.token.as_str(), "rubbish", "bft_", &"x".repeat(10_000)] {
        tenant.revoke(foreign).await.unwrap();
    }
    assert!(is_accepted(&other).await);
}

#[tokio::test]
async fn a_wrong_client_id_and_a_wrong_secret_look_alike() {
    let (app, tenant) = acme(&[]).await;
    let other = app.tenant("other#app").await;
    let told = async |client_id: &str, secret: &str| {
        let status = app.login(client_id, secret, None).await.unwrap_err();
        expect_error(Err::<(), _>(status.clone()), Code::Unauthenticated, "INVALID_CREDENTIALS");
        (status.message().to_owned(), status.details().to_vec())
    };
    let wrong_secret = told(&tenant.app.client_id, &other.client_secret).await;
    assert_eq!(told(&tenant.app.client_id, "").await, wrong_secret);
    assert_eq!(told(&tenant.app.client_id, &tenant.token).await, wrong_secret);
    assert_eq!(told("nobody", &tenant.client_secret).await, wrong_secret);
    assert_eq!(told("", "").await, wrong_secret);
    assert_eq!(told(&tenant.app.app_key, &tenant.client_secret).await, wrong_secret);
}

#[tokio::test]
async fn too_many_failed_logins_throttle_that_client_id_and_no_other() {
    let app = TestApp::with(&["--failed-logins", "3"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let other = app.tenant("other#app").await;
    let (id, right) = (&tenant.app.client_id, &tenant.client_secret);
    for _ in 0..3 {
        let refused = app.login(id, "wrong", None).await;
        expect_error(refused, Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    // The right secret is refused too, so that a guesser does not learn that it is right.
    for secret in ["wrong", right] {
        let refused = app.login(id, secret, None).await;
        let details = expect_error(refused, Code::ResourceExhausted, "RATE_LIMITED");
        let wait = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(Duration::ZERO < wait && wait <= Duration::from_secs(60), "{wait:?}");
    }
    app.login(&other.app.client_id, &other.client_secret, None).await.unwrap();
    tenant.create(&["alice"]).await; // Tokens issued before are not affected.
}

#[tokio::test]
async fn of_many_guesses_at_once_no_more_are_looked_at_than_may_fail() {
    let app = TestApp::with(&[], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let guesses: Vec<_> = (0..120)
        .map(|number| {
            let (mut logins, client_id) = (app.logins(), tenant.app.client_id.clone());
            let client_secret = format!("a-guess-of-the-secret-{number}");
            let request = proto::IssueTokenRequest { client_id, client_secret, ttl: None };
            tokio::spawn(async move { logins.issue_token(request).await })
        })
        .collect();
    let mut looked_at = 0;
    for guess in guesses {
        let refused = guess.await.unwrap().unwrap_err();
        match refused.code() {
            Code::Unauthenticated => looked_at += 1,
            _ => drop(expect_error(Err::<(), _>(refused), Code::ResourceExhausted, "RATE_LIMITED")),
        }
    }
    assert_eq!(looked_at, 10);
}

#[tokio::test]
async fn right_logins_at_once_wait_for_each_other_and_all_succeed() {
    let app = TestApp::with(&["--failed-logins", "1"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let logins: Vec<_> = (0..20)
        .map(|_| {
            let (mut logins, client_id) = (app.logins(), tenant.app.client_id.clone());
            let client_secret = tenant.client_secret.clone();
            let request = proto::IssueTokenRequest { client_id, client_secret, ttl: None };
            tokio::spawn(async move { logins.issue_token(request).await })
        })
        .collect();
    for login in logins {
        login.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_right_login_does_not_count_as_failed() {
    let app = TestApp::with(&["--failed-logins", "1"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    for _ in 0..3 {
        app.login(&tenant.app.client_id, &tenant.client_secret, None).await.unwrap();
    }
}

#[tokio::test]
async fn no_secret_is_stored_in_plain_text() -> Result<(), sqlx::Error> {
    let (app, tenant) = acme(&[]).await;
    let rows: Vec<String> = sqlx::query_scalar(
        "select a::text || coalesce(encode(client_secret_hash, 'escape'), '') from apps a
         union all
         select t::text || encode(token_hash, 'escape') from tokens t",
    )
    .fetch_all(app.pool())
    .await?;
    assert_eq!(rows.len(), 2);
    for secret in [&tenant.token, &tenant.client_secret] {
        let bare = &secret[4..]; // Without the prefix that tells its kind.
        assert!(rows.iter().all(|row| !row.contains(bare)), "a secret is stored in plain text");
        let as_bytes: String = hex::encode(secret);
        assert!(rows.iter().all(|row| !row.contains(&as_bytes)));
    }
    Ok(())
}

#[tokio::test]
async fn a_token_has_256_random_bits_and_a_prefix_that_scanners_know() -> Result<(), Status> {
    let (app, tenant) = acme(&[]).await;
    let login = async || app.login(&tenant.app.client_id, &tenant.client_secret, None).await;
    let (one, two) = (login().await?.access_token, login().await?.access_token);
    assert_ne!(one, two);
    for token in [one, two] {
        assert_eq!((token.len(), token.starts_with("bft_")), (4 + 43, true));
    }
    Ok(())
}
