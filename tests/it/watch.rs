//! Watching a list: WatchFriends and WatchBlocks.

mod ends;

use befriend::{clock::Clock, proto, server::upkeep};
use time::{Duration, macros::datetime};
use tonic::Code;

use crate::support::{
    Tenant, TestApp, expect_error,
    follow::{BlockCopy, Watcher},
    invariants,
    race::{names, only, race},
    tenant::acme,
};

/// The same tenant, whose calls go to another instance.
fn at(app: &TestApp, tenant: &Tenant) -> Tenant {
    Tenant { channel: app.channel.clone(), ..tenant.clone() }
}

#[tokio::test]
async fn a_watcher_gets_the_list_and_then_its_changes() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let mut watcher = Watcher::start(&tenant, "alice").await.unwrap();
    assert_eq!((watcher.names(), watcher.copy.version), (vec!["bob".to_owned()], 1));
    tenant.befriend("carol", "alice").await.unwrap();
    let message = watcher.next().await.unwrap().unwrap();
    assert_eq!((message.changes.len(), message.next_version, message.up_to_date), (1, 2, true));
    tenant.unfriend("alice", "bob").await.unwrap();
    watcher.until(3).await;
    assert_eq!(watcher.names(), ["carol"]);
    tenant.remark("alice", "carol", "from work").await.unwrap();
    watcher.until(4).await;
    assert_eq!(watcher.copy.friends["carol"], tenant.entry("alice", "carol").await.unwrap());
}

#[tokio::test]
async fn a_watcher_who_has_missed_nothing_gets_a_first_message_at_once() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let seen = Watcher::start(&tenant, "alice").await.unwrap().copy;
    let mut again = Watcher::from(&tenant, "alice", seen).await.unwrap();
    let message = again.next().await.unwrap().unwrap();
    assert_eq!((message.changes.len(), message.next_version, message.up_to_date), (0, 1, true));
}

#[tokio::test]
async fn a_watcher_goes_on_from_the_version_it_has() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let seen = Watcher::start(&tenant, "alice").await.unwrap().copy;
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();
    let mut again = Watcher::from(&tenant, "alice", seen).await.unwrap();
    let message = again.next().await.unwrap().unwrap();
    assert_eq!((message.changes.len(), message.full_resync), (2, false));
    assert_eq!(again.names(), ["carol"]);
}

#[tokio::test]
async fn a_long_list_comes_in_several_messages() {
    let (_app, tenant) = acme(&["alice"]).await;
    let others = tenant.crowd("u", 250).await;
    for chunk in others.chunks(10) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        tenant.import("alice", &chunk).await.unwrap();
    }
    let mut watcher = Watcher::from(&tenant, "alice", Default::default()).await.unwrap();
    for (changes, version, up_to_date) in [(100, 100, false), (100, 200, false), (50, 250, true)] {
        let message = watcher.next().await.unwrap().unwrap();
        let got = (message.changes.len(), message.next_version, message.up_to_date);
        assert_eq!(got, (changes, version, up_to_date));
    }
    assert_eq!(watcher.names(), others);
}

#[tokio::test]
async fn a_watcher_who_missed_purged_removals_gets_the_whole_list_again() {
    let clock = Clock::stopped_at(datetime!(2026-01-01 0:00 UTC));
    let app = TestApp::with(&["--tombstone-retention", "1h"], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();
    let seen = Watcher::start(&tenant, "alice").await.unwrap().copy;
    let mut there = Watcher::start(&tenant, "alice").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    there.until(3).await;
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    let mut again = Watcher::from(&tenant, "alice", seen).await.unwrap();
    assert!(again.next().await.unwrap().unwrap().full_resync);
    assert_eq!(again.names(), ["carol"]);
    tenant.remark("alice", "carol", "hm").await.unwrap();
    assert!(!there.next().await.unwrap().unwrap().full_resync, "an open watch has missed nothing");
}

#[tokio::test]
async fn block_lists_are_watched_like_friend_lists() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.block("alice", &["bob"]).await.unwrap();
    let request = proto::WatchBlocksRequest { owner: "alice".to_owned(), since_version: 0 };
    let mut stream = tenant.blocks().watch_blocks(request).await.unwrap().into_inner();
    let mut copy = BlockCopy::default();
    let first = stream.message().await.unwrap().unwrap();
    assert!(first.up_to_date);
    copy.apply(first.full_resync, first.changes);
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.block("alice", &["carol"]).await.unwrap();
    tenant.unblock("alice", "bob").await.unwrap();
    while copy.version < 4 {
        let message = stream.message().await.unwrap().unwrap();
        assert!(!message.changes.is_empty(), "changes of other lists are not sent");
        copy.apply(message.full_resync, message.changes);
        copy.version = message.next_version;
    }
    assert_eq!(copy.blocked.into_iter().collect::<Vec<_>>(), ["carol"]);
    let ahead = proto::WatchBlocksRequest { owner: "alice".to_owned(), since_version: 5 };
    let refused = tenant.blocks().watch_blocks(ahead).await.map(drop);
    expect_error(refused, Code::InvalidArgument, "VERSION_AHEAD");
}

#[tokio::test]
async fn a_change_by_another_instance_is_seen_too() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let other = TestApp::on(&app.database_url, &["--watch-poll", "10ms"], Clock::system()).await;
    let mut watcher = Watcher::start(&at(&other, &tenant), "alice").await.unwrap();
    for friend in ["bob", "carol"] {
        tenant.befriend("alice", friend).await.unwrap();
        let version = tenant.head("alice").await.unwrap().version;
        watcher.until(version).await;
    }
    assert_eq!(watcher.names(), ["bob", "carol"]);
}

#[tokio::test]
async fn a_watch_is_refused_like_a_sync() {
    let (app, tenant) = acme(&["alice"]).await;
    let refused = Watcher::start(&tenant, "nobody").await.map(drop);
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    for (version, reason) in [(1, "VERSION_AHEAD"), (-1, "INVALID_ARGUMENT")] {
        let request =
            proto::WatchFriendsRequest { owner: "alice".to_owned(), since_version: version };
        let refused = tenant.friends().watch_friends(request).await.map(drop);
        expect_error(refused, Code::InvalidArgument, reason);
    }
    assert_eq!(app.core.watches.count(), 0, "a refused watcher is not counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_watchers_at_two_instances_end_with_the_right_lists_while_all_write() {
    let flags = ["--watch-poll", "20ms", "--db-connections", "12"];
    let app = TestApp::with(&flags, Clock::system()).await;
    let other = TestApp::on(&app.database_url, &flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let there = at(&other, &tenant);
    let users = names("user", 10);
    tenant.create(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut watchers = Vec::new();
    for number in 0..50 {
        let home = if number % 2 == 0 { &tenant } else { &there };
        watchers.push((number % 10, Watcher::start(home, &users[number % 10]).await.unwrap()));
    }
    let answers = race(16, |number| {
        let (tenant, users) =
            (if number % 3 == 0 { &there } else { &tenant }.clone(), users.clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..25 {
                let (a, b) = (&users[(number + step) % 10], &users[(number * 3 + step * 7) % 10]);
                answers.push(match (number + step) % 5 {
                    _ if a == b => Ok(()),
                    0..=2 => tenant.befriend(a, b).await.map(drop),
                    3 => tenant.unfriend(a, b).await.map(drop),
                    _ => tenant.remark(a, b, &step.to_string()).await.map(drop),
                });
            }
            answers
        }
    });
    let answers: Vec<_> = answers.await.into_iter().flatten().collect();
    only(&answers, &[Code::FailedPrecondition]);
    // The last change of each writer is one that the watcher sees.
    for owner in &users {
        tenant.create_one(&format!("last.{owner}"), "").await.unwrap();
        tenant.befriend(owner, &format!("last.{owner}")).await.unwrap();
    }
    for (user, mut watcher) in watchers {
        let owner = &users[user];
        watcher.until(tenant.head(owner).await.unwrap().version).await;
        assert_eq!(watcher.names(), tenant.friends_of(owner).await.unwrap());
        for (name, copy) in &watcher.copy.friends {
            assert_eq!(*copy, tenant.entry(owner, name).await.unwrap());
        }
    }
    invariants::hold(app.pool()).await;
}
