//! How a watch ends, and that it leaves nothing behind.

use befriend::{clock::Clock, proto};
use tonic::{Code, Request, Status};

use super::at;
use crate::support::{
    Tenant, TestApp, expect_error,
    follow::{FriendCopy, Watcher, on_narrow_connection},
    postgres,
    tenant::acme,
};

/// Waits until there are no watchers.
async fn until_no_watchers(app: &TestApp) {
    while app.core.watches.count() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Makes changes that a watcher of alice sees, until there are no watchers.
async fn write_until_no_watchers(app: &TestApp, tenant: &Tenant) {
    let long = "x".repeat(256);
    for extension in ["", &long].iter().cycle() {
        let request = proto::UpdateFriendRequest {
            owner: "alice".to_owned(),
            friend: "bob".to_owned(),
            extension: Some((*extension).to_owned()),
            update_mask: Some(prost_types::FieldMask { paths: vec!["extension".to_owned()] }),
            ..proto::UpdateFriendRequest::default()
        };
        tenant.friends().update_friend(request).await.unwrap();
        if app.core.watches.count() == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn at_a_shutdown_a_watch_ends_with_status_ok_and_continues_at_another_instance() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let other = TestApp::on(&app.database_url, &[], Clock::system()).await;
    let there = at(&other, &tenant);
    tenant.befriend("alice", "bob").await.unwrap();
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    app.stop.cancel();
    assert_eq!(watcher.next().await.unwrap(), None, "the status is OK");
    there.befriend("alice", "carol").await.unwrap();
    let mut again = Watcher::from(&there, "alice", watcher.copy).await.unwrap();
    again.until(2).await;
    assert_eq!(again.names(), ["bob", "carol"]);
}

#[tokio::test]
async fn open_watches_do_not_delay_a_shutdown() {
    let (mut app, tenant) = acme(&["alice"]).await;
    let watcher = Watcher::start(&tenant, "alice").await.unwrap();
    let serving = app.serving.take().unwrap();
    app.stop.cancel();
    let soon = std::time::Duration::from_secs(10);
    tokio::time::timeout(soon, serving).await.expect("before the shutdown time is over").unwrap();
    assert_eq!(app.core.watches.count(), 0);
    drop(watcher);
}

#[tokio::test]
async fn a_watch_ends_when_its_user_is_deleted() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    tenant.delete("alice").await.unwrap();
    let ended = loop {
        match watcher.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the end has no reason"),
            Err(status) => break status,
        }
    };
    expect_error(Err::<(), _>(ended), Code::NotFound, "USER_NOT_FOUND");
    until_no_watchers(&app).await;
}

#[tokio::test]
async fn a_deletion_by_another_instance_is_seen_even_before_the_first_poll() {
    let (app, tenant) = acme(&["alice"]).await;
    let flags = ["--watch-poll", "1s"];
    let other = TestApp::on(&app.database_url, &flags, Clock::system()).await;
    let mut watcher = Watcher::start(&at(&other, &tenant), "alice").await.unwrap();
    tenant.delete("alice").await.unwrap();
    let ended = watcher.next().await;
    expect_error(ended, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_watch_ends_when_the_app_is_deleted() {
    let app = TestApp::with(&["--watch-poll", "10ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    let app_key = tenant.app.app_key.clone();
    app.apps().delete_app(proto::DeleteAppRequest { app_key }).await.unwrap();
    befriend::server::upkeep::round(&app.core).await;
    let ended = watcher.next().await;
    expect_error(ended, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_slow_reader_gets_an_error_and_can_continue() {
    let app = TestApp::with(&["--watch-send-timeout", "1ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let slow = on_narrow_connection(&app, &tenant);
    let mut watcher = Watcher::from(&slow, "alice", FriendCopy::default()).await.unwrap();
    write_until_no_watchers(&app, &tenant).await;
    let ended: Status = loop {
        match watcher.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the end has no reason"),
            Err(status) => break status,
        }
    };
    expect_error(Err::<(), _>(ended), Code::Aborted, "WATCHER_TOO_SLOW");
    let head = tenant.head("alice").await.unwrap().version;
    assert!(watcher.copy.version > 0 && watcher.copy.version < head);
    let mut again = Watcher::from(&tenant, "alice", watcher.copy).await.unwrap();
    again.until(head).await;
    assert_eq!(again.copy.friends["bob"], tenant.entry("alice", "bob").await.unwrap());
}

#[tokio::test]
async fn a_watcher_who_goes_away_makes_room_for_another() {
    let app = TestApp::with(&["--max-watchers", "2"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let one = Watcher::start(&tenant, "alice").await.unwrap();
    let _other = Watcher::start(&tenant, "bob").await.unwrap();
    let refused = Watcher::start(&tenant, "bob").await.map(drop);
    expect_error(refused, Code::Unavailable, "UNAVAILABLE");
    assert_eq!(app.core.watches.count(), 2);
    drop(one);
    while app.core.watches.count() > 1 {
        tokio::task::yield_now().await;
    }
    Watcher::start(&tenant, "bob").await.unwrap();
}

#[tokio::test]
async fn a_watch_ends_with_status_ok_after_its_longest_duration() {
    let app = TestApp::with(&["--watch-max-duration", "50ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    assert_eq!(watcher.next().await.unwrap(), None);
    until_no_watchers(&app).await;
}

#[tokio::test]
async fn a_watch_outlives_the_time_limit_of_calls_and_does_not_count_as_a_call_in_flight() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let flags = ["--max-duration", "1s", "--max-in-flight", "1", "--watch-max-duration", "1500ms"];
    let brief = TestApp::on(&app.database_url, &flags, Clock::system()).await;
    let (there, started) = (at(&brief, &tenant), std::time::Instant::now());
    let mut watcher = Watcher::start(&there, "alice").await.unwrap();
    there.befriend("alice", "bob").await.unwrap();
    watcher.until(1).await;
    assert_eq!(watcher.next().await.unwrap(), None);
    assert!(
        started.elapsed() >= std::time::Duration::from_millis(1500),
        "only its own time ends it"
    );
}

#[tokio::test]
async fn a_callers_deadline_covers_only_the_start_of_a_watch() {
    // The caller's client library, not the server, ends a stream whose deadline passes.
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    let mut request =
        Request::new(proto::WatchFriendsRequest { owner: "alice".to_owned(), since_version: 0 });
    request.set_timeout(std::time::Duration::from_millis(500));
    let mut stream = tenant.friends().watch_friends(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(600) {
        tenant.remark("alice", "bob", "").await.unwrap_err();
    }
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_watch_counts_as_one_call_of_the_apps_rate() {
    let app = TestApp::start().await;
    let limits = proto::AppLimits { requests_per_second: Some(1), ..proto::AppLimits::default() };
    let tenant = app.tenant_with("acme#chat", limits).await;
    tenant.create(&["alice", "bob"]).await;
    let _watcher = Watcher::start(&tenant, "alice").await.unwrap();
    let refused = Watcher::start(&tenant, "bob").await.map(drop);
    expect_error(refused, Code::ResourceExhausted, "RATE_LIMITED");
}

#[tokio::test]
async fn a_watch_survives_the_loss_of_database_connections() {
    let app = TestApp::with(&["--watch-poll", "10ms"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    for step in 0..10 {
        postgres::end_sessions(&app.database_url).await;
        // The call itself may get a broken connection, and may be repeated.
        let change = async || match step % 2 {
            0 => tenant.befriend("alice", "bob").await,
            _ => tenant.unfriend("alice", "bob").await,
        };
        while let Err(status) = change().await {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        }
        watcher.until(tenant.head("alice").await.unwrap().version).await;
        assert_eq!(watcher.names().len(), 1 - step % 2);
    }
}

#[tokio::test]
async fn a_watch_needs_a_token_like_every_call() {
    let (_app, tenant) = acme(&["alice"]).await;
    let refused = Watcher::start(&tenant.with_token("bft_nonsense"), "alice").await.map(drop);
    expect_error(refused, Code::Unauthenticated, "UNAUTHENTICATED");
}
