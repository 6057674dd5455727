//! Apps: the tenants, which only the operator creates and changes.

use befriend::{clock::Clock, proto, server::upkeep};
use time::{Duration, OffsetDateTime};
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, expect_error, metadata, tenant::acme};

async fn create(
    app: &TestApp,
    app_key: &str,
    limits: Option<proto::AppLimits>,
) -> Result<proto::CreateAppResponse, Status> {
    let request = proto::CreateAppRequest { app_key: app_key.to_owned(), limits };
    Ok(app.apps().create_app(request).await?.into_inner())
}

async fn get(app: &TestApp, app_key: &str) -> Result<proto::App, Status> {
    let request = proto::GetAppRequest { app_key: app_key.to_owned() };
    Ok(app.apps().get_app(request).await?.into_inner().app.unwrap())
}

async fn update(
    app: &TestApp,
    app_key: &str,
    limits: Option<proto::AppLimits>,
) -> Result<proto::App, Status> {
    let request =
        proto::UpdateAppRequest { app_key: app_key.to_owned(), limits, update_mask: None };
    Ok(app.apps().update_app(request).await?.into_inner().app.unwrap())
}

async fn rotate(
    app: &TestApp,
    app_key: &str,
    revoke_tokens: bool,
) -> Result<proto::RotateClientSecretResponse, Status> {
    let request = proto::RotateClientSecretRequest { app_key: app_key.to_owned(), revoke_tokens };
    Ok(app.apps().rotate_client_secret(request).await?.into_inner())
}

async fn delete(app: &TestApp, app_key: &str) -> Result<(), Status> {
    let request = proto::DeleteAppRequest { app_key: app_key.to_owned() };
    app.apps().delete_app(request).await.map(drop)
}

fn limits(friends: i32, blocks: i32, rate: i32) -> proto::AppLimits {
    change(Some(friends), Some(blocks), Some(rate))
}

fn change(friends: Option<i32>, blocks: Option<i32>, rate: Option<i32>) -> proto::AppLimits {
    proto::AppLimits { friend_limit: friends, block_limit: blocks, requests_per_second: rate }
}

fn expect_void(answer: Result<impl std::fmt::Debug, Status>) {
    expect_error(answer, Code::Unauthenticated, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_new_app_has_the_default_limits_and_credentials_shown_once() {
    let app = TestApp::start().await;
    let created = create(&app, "acme#chat", None).await.unwrap();
    let shown = created.app.unwrap();
    assert_eq!(shown.app_key, "acme#chat");
    assert_eq!(shown.limits, Some(limits(3000, 500, 100)));
    assert_eq!(shown.create_time, shown.update_time);
    assert!(created.client_secret.starts_with("bfs_"));
    assert_eq!(get(&app, "acme#chat").await.unwrap(), shown, "without the secret");
    app.login(&shown.client_id, &created.client_secret, None).await.unwrap();
}

#[tokio::test]
async fn a_key_belongs_to_one_app_and_case_matters() {
    let app = TestApp::start().await;
    create(&app, "acme#chat", None).await.unwrap();
    let refused = create(&app, "acme#chat", Some(change(Some(1), None, None))).await;
    let details = expect_error(refused, Code::AlreadyExists, "APP_ALREADY_EXISTS");
    assert_eq!(metadata(&details, "app_key"), "acme#chat");
    assert_eq!(details.resource_info().unwrap().resource_name, "acme#chat");
    create(&app, "Acme#chat", None).await.unwrap();
}

#[tokio::test]
async fn an_app_key_is_two_parts_of_a_closed_alphabet() {
    let app = TestApp::start().await;
    let (longest, longer) = (format!("{0}#{0}", "a".repeat(64)), format!("a#{}", "b".repeat(65)));
    create(&app, &longest, None).await.unwrap();
    for bad in ["", "acme", "#", "acme#", "#chat", "a#b#c", "a b#c", "ä#c", "a#c\0", &longer] {
        let refusals = [
            create(&app, bad, None).await.map(drop),
            get(&app, bad).await.map(drop),
            update(&app, bad, None).await.map(drop),
            rotate(&app, bad, false).await.map(drop),
            delete(&app, bad).await,
        ];
        for refused in refusals {
            let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
            assert_eq!(metadata(&details, "field"), "app_key", "{bad:?}");
        }
    }
}

#[tokio::test]
async fn an_app_that_does_not_exist_is_not_found_by_any_call() {
    let app = TestApp::start().await;
    for refused in [
        get(&app, "acme#chat").await.map(drop),
        update(&app, "acme#chat", None).await.map(drop),
        rotate(&app, "acme#chat", true).await.map(drop),
        delete(&app, "acme#chat").await,
    ] {
        let details = expect_error(refused, Code::NotFound, "APP_NOT_FOUND");
        assert_eq!(metadata(&details, "app_key"), "acme#chat");
        assert_eq!(details.resource_info().unwrap().resource_name, "acme#chat");
    }
}

#[tokio::test]
async fn an_update_changes_the_limits_it_names() {
    let clock = Clock::stopped_at(OffsetDateTime::UNIX_EPOCH + Duration::days(20_000));
    let app = TestApp::with(&[], clock.clone()).await;
    let start = Some(change(Some(7), None, Some(9)));
    let created = create(&app, "acme#chat", start).await.unwrap().app.unwrap();
    assert_eq!(created.limits, Some(limits(7, 500, 9)));
    clock.advance(Duration::seconds(1));

    let updated = update(&app, "acme#chat", Some(change(None, Some(8), None))).await.unwrap();
    assert_eq!(updated.limits, Some(limits(7, 8, 9)));
    assert_eq!(updated.create_time, created.create_time);
    assert_eq!(updated.update_time.unwrap().seconds, created.update_time.unwrap().seconds + 1);
    assert_eq!(get(&app, "acme#chat").await.unwrap(), updated);
    for nothing in [None, Some(proto::AppLimits::default())] {
        let same = update(&app, "acme#chat", nothing).await.unwrap();
        assert_eq!(same.limits, updated.limits);
    }
}

#[tokio::test]
async fn a_limit_out_of_its_range_is_refused_and_nothing_changes() {
    let app = TestApp::start().await;
    create(&app, "acme#chat", None).await.unwrap();
    let before = get(&app, "acme#chat").await.unwrap();
    for (wrong, field) in [
        (change(Some(-1), None, None), "limits.friend_limit"),
        (change(Some(10_001), None, None), "limits.friend_limit"),
        (change(None, Some(-1), None), "limits.block_limit"),
        (change(Some(5), Some(10_001), None), "limits.block_limit"),
        (change(Some(5), None, Some(0)), "limits.requests_per_second"),
        (change(None, None, Some(1_000_001)), "limits.requests_per_second"),
    ] {
        for refused in [
            create(&app, "acme#another", Some(wrong)).await.map(drop),
            update(&app, "acme#chat", Some(wrong)).await.map(drop),
        ] {
            let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
            assert_eq!(metadata(&details, "field"), field);
        }
    }
    assert_eq!(get(&app, "acme#chat").await.unwrap(), before);
    expect_error(get(&app, "acme#another").await, Code::NotFound, "APP_NOT_FOUND");

    for edge in
        [change(Some(0), Some(0), Some(1)), change(Some(10_000), Some(10_000), Some(1_000_000))]
    {
        update(&app, "acme#chat", Some(edge)).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_secret_voids_the_old_one_at_once_and_tokens_stay_valid() {
    let (app, tenant) = acme(&["alice"]).await;
    let rotated = rotate(&app, "acme#chat", false).await.unwrap();
    assert_eq!(rotated.app.unwrap().client_id, tenant.app.client_id);
    assert_ne!(rotated.client_secret, tenant.client_secret);

    let refused = app.login(&tenant.app.client_id, &tenant.client_secret, None).await;
    expect_error(refused, Code::Unauthenticated, "INVALID_CREDENTIALS");
    app.login(&tenant.app.client_id, &rotated.client_secret, None).await.unwrap();
    tenant.profile("alice").await.unwrap();
}

#[tokio::test]
async fn a_new_secret_can_void_the_apps_tokens_and_no_others() {
    let (app, tenant) = acme(&["alice"]).await;
    let other = app.tenant("other#app").await;
    other.create(&["alice"]).await;
    let rotated = rotate(&app, "acme#chat", true).await.unwrap();

    expect_void(tenant.profile("alice").await);
    other.profile("alice").await.unwrap();
    let issued = app.login(&tenant.app.client_id, &rotated.client_secret, None).await.unwrap();
    tenant.with_token(&issued.access_token).profile("alice").await.unwrap();
}

/// How many rows this app has, and how many all apps have.
async fn rows(app: &TestApp, of: &Tenant) -> (i64, i64) {
    sqlx::query_as(
        "select (select count(*) from apps where app_id = $1::uuid)
              + (select count(*) from users where app_id = $1::uuid)
              + (select count(*) from tokens where app_id = $1::uuid),
                (select count(*) from apps) + (select count(*) from users)
              + (select count(*) from tokens) + (select count(*) from friends)
              + (select count(*) from blocks) + (select count(*) from blocked_by)",
    )
    .bind(&of.app.uuid)
    .fetch_one(app.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn a_deleted_app_is_refused_at_once_and_its_rows_are_removed_later() {
    let (app, tenant) = acme(&[]).await;
    let other = app.tenant("other#app").await;
    let others_rows = rows(&app, &other).await.0;
    let crowd = tenant.crowd("u", 205).await; // More than go in one transaction.
    for each in [&tenant, &other] {
        each.create(&["alice", "bob"]).await;
        each.befriend("alice", "bob").await.unwrap();
        each.block("alice", &["bob"]).await.unwrap();
    }
    tenant.befriend(&crowd[0], &crowd[204]).await.unwrap();
    tenant.delete("bob").await.unwrap();

    delete(&app, "acme#chat").await.unwrap();
    expect_void(tenant.profile("alice").await);
    let refused = app.login(&tenant.app.client_id, &tenant.client_secret, None).await;
    expect_error(refused, Code::Unauthenticated, "INVALID_CREDENTIALS");
    expect_error(get(&app, "acme#chat").await, Code::NotFound, "APP_NOT_FOUND");
    expect_error(delete(&app, "acme#chat").await, Code::NotFound, "APP_NOT_FOUND");

    upkeep::round(&app.core).await;
    // The rows of the other app are left: the app, its token, two users, their two entries, a block on both sides.
    assert_eq!(rows(&app, &tenant).await.0, 0);
    assert_eq!(rows(&app, &other).await, (others_rows + 2, others_rows + 2 + 2 + 2));
    assert_eq!(other.friends_of("alice").await.unwrap(), ["bob"]);
    assert_eq!(other.blocked_by("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn the_key_of_a_deleted_app_is_free_at_once_for_a_new_app() {
    let (app, tenant) = acme(&["alice"]).await;
    delete(&app, "acme#chat").await.unwrap();

    let next = app.tenant("acme#chat").await;
    assert_ne!(next.app.uuid, tenant.app.uuid);
    assert_ne!(next.app.client_id, tenant.app.client_id);
    expect_error(next.profile("alice").await, Code::NotFound, "USER_NOT_FOUND");
    expect_void(tenant.profile("alice").await);
    next.create(&["alice"]).await;
    upkeep::round(&app.core).await;
    next.profile("alice").await.unwrap();
}
