//! Following a list by version: SyncFriends and SyncBlocks.

mod property;

use befriend::{clock::Clock, proto, server::upkeep};
use time::{Duration, macros::datetime};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, expect_error, follow::Follower, invariants, metadata, tenant::acme,
};

/// A server with a stopped clock that keeps tombstones for an hour, with one tenant and these users.
async fn stopped(usernames: &[&str]) -> (TestApp, Clock, Tenant) {
    let clock = Clock::stopped_at(datetime!(2026-01-01 0:00 UTC));
    let app = TestApp::with(&["--tombstone-retention", "1h"], clock.clone()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(usernames).await;
    (app, clock, tenant)
}

fn request(owner: &str, since_version: i64, page_size: i32) -> proto::SyncFriendsRequest {
    proto::SyncFriendsRequest {
        owner: owner.to_owned(),
        since_version,
        page_size,
        ..proto::SyncFriendsRequest::default()
    }
}

async fn sync(
    tenant: &Tenant,
    request: proto::SyncFriendsRequest,
) -> Result<proto::SyncFriendsResponse, Status> {
    Ok(tenant.friends().sync_friends(request).await?.into_inner())
}

/// Changes as "+name" and "-name".
fn brief(page: &proto::SyncFriendsResponse) -> Vec<String> {
    let brief = |change: &proto::FriendChange| match change.change.as_ref().unwrap() {
        proto::friend_change::Change::Upserted(friend) => format!("+{}", friend.username),
        proto::friend_change::Change::Removed(name) => format!("-{name}"),
    };
    page.changes.iter().map(brief).collect()
}

#[tokio::test]
async fn a_follower_gets_the_changes_since_its_version() {
    let (_app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let empty = sync(&tenant, request("alice", 0, 0)).await.unwrap();
    assert_eq!((empty.changes.len(), empty.next_version, empty.has_more), (0, 0, false));
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("carol", "alice").await.unwrap();
    let page = sync(&tenant, request("alice", 0, 0)).await.unwrap();
    assert_eq!((brief(&page), page.next_version), (vec!["+bob".into(), "+carol".into()], 2));
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.unfriend("carol", "alice").await.unwrap();
    let page = sync(&tenant, request("alice", 2, 0)).await.unwrap();
    assert_eq!((brief(&page), page.next_version), (vec!["+bob".into(), "-carol".into()], 4));
    let Some(proto::friend_change::Change::Upserted(bob)) = page.changes[0].change.clone() else {
        panic!("{page:?}");
    };
    assert_eq!(bob, tenant.entry("alice", "bob").await.unwrap());
    let page = sync(&tenant, request("alice", 4, 0)).await.unwrap();
    assert!(page.changes.is_empty() && !page.full_resync && page.next_page_token.is_empty());
}

#[tokio::test]
async fn a_follower_does_not_read_versions_of_other_lists_again() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.block("alice", &["bob"]).await.unwrap();
    tenant.ask("alice", "bob", "").await.unwrap();
    let page = sync(&tenant, request("alice", 0, 0)).await.unwrap();
    assert_eq!((page.changes.len(), page.next_version), (0, 2));
}

#[tokio::test]
async fn pages_of_any_size_lead_to_the_same_list() {
    let (app, tenant) = acme(&["alice"]).await;
    let others = tenant.crowd("u", 120).await;
    for chunk in others.chunks(10) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        tenant.import("alice", &chunk).await.unwrap();
        tenant.block("alice", &chunk[..3]).await.unwrap();
        tenant.unfriend("alice", chunk[0]).await.unwrap();
        tenant.unblock("alice", chunk[2]).await.unwrap();
    }
    for page_size in [1, 7, 107, 108, 109, 500, 0] {
        let mut follower = Follower::new(&tenant, "alice");
        follower.catch_up(page_size).await.unwrap();
        follower.expect_exact().await;
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_sync_refuses_versions_that_no_list_has() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let ahead = sync(&tenant, request("alice", 2, 0)).await;
    let details = expect_error(ahead, Code::InvalidArgument, "VERSION_AHEAD");
    assert_eq!(metadata(&details, "version"), "1");
    for version in [-1, i64::MIN] {
        let negative = sync(&tenant, request("alice", version, 0)).await;
        let details = expect_error(negative, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "since_version");
    }
    for size in [-1, 501] {
        let refused = sync(&tenant, request("alice", 0, size)).await;
        expect_error(refused, Code::InvalidArgument, "PAGE_SIZE_OUT_OF_RANGE");
    }
    let refused = sync(&tenant, request("nobody", 0, 0)).await;
    expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    let blocks = proto::SyncBlocksRequest {
        owner: "alice".to_owned(),
        since_version: 2,
        ..proto::SyncBlocksRequest::default()
    };
    let ahead = tenant.blocks().sync_blocks(blocks).await;
    expect_error(ahead, Code::InvalidArgument, "VERSION_AHEAD");
}

#[tokio::test]
async fn a_page_token_continues_the_sync_that_issued_it_and_no_other() {
    let (_app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.block("alice", &[friend]).await.unwrap();
    }
    let first = sync(&tenant, request("alice", 0, 1)).await.unwrap();
    assert!(first.has_more);
    let with = |owner: &str, since: i64, after: Option<i64>| proto::SyncFriendsRequest {
        page_token: first.next_page_token.clone(),
        updated_after: after.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        ..request(owner, since, 1)
    };
    assert_eq!(brief(&sync(&tenant, with("alice", 0, None)).await.unwrap()), ["+carol"]);
    for other in [with("bob", 0, None), with("alice", 1, None), with("alice", 0, Some(1))] {
        let refused = sync(&tenant, other).await;
        expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    }
    let blocks = proto::SyncBlocksRequest {
        owner: "alice".to_owned(),
        page_token: first.next_page_token.clone(),
        ..proto::SyncBlocksRequest::default()
    };
    let refused = tenant.blocks().sync_blocks(blocks).await;
    expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
}

#[tokio::test]
async fn a_follower_who_missed_purged_removals_gets_the_whole_list_again() {
    let (app, clock, tenant) = stopped(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    let mut away = Follower::new(&tenant, "alice");
    away.catch_up(2).await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    let mut there = Follower::new(&tenant, "alice");
    there.catch_up(2).await.unwrap();
    clock.advance(Duration::HOUR - Duration::SECOND);
    upkeep::round(&app.core).await;
    let page = sync(&tenant, request("alice", 3, 0)).await.unwrap();
    assert_eq!((brief(&page), page.full_resync), (vec!["-bob".into()], false), "still known");

    clock.advance(Duration::SECOND);
    upkeep::round(&app.core).await;
    let page = sync(&tenant, request("alice", 3, 1)).await.unwrap();
    assert_eq!((brief(&page), page.full_resync), (vec!["+carol".into()], true));
    for follower in [&mut away, &mut there] {
        follower.catch_up(1).await.unwrap();
        follower.expect_exact().await;
    }
    assert_eq!(
        (away.resyncs, there.resyncs),
        (1, 0),
        "a follower who had seen the removal needs no resync"
    );
    let mut fresh = Follower::new(&tenant, "alice");
    fresh.catch_up(1).await.unwrap();
    assert_eq!(fresh.resyncs, 0, "a new follower has missed nothing");
    fresh.expect_exact().await;
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_follower_who_missed_purged_unblocks_gets_the_whole_block_list_again() {
    let (app, clock, tenant) = stopped(&["alice", "bob", "carol"]).await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    let mut away = Follower::new(&tenant, "alice");
    away.catch_up(1).await.unwrap();
    tenant.unblock("alice", "bob").await.unwrap();
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    away.catch_up(1).await.unwrap();
    away.expect_exact().await;
    assert_eq!(away.resyncs, 1);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_purge_between_two_pages_restarts_the_sync_if_it_took_what_was_to_come() {
    let (app, clock, tenant) = stopped(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    let mut follower = Follower::new(&tenant, "alice");
    assert!(!follower.step_friends(1).await.unwrap());
    tenant.unfriend("alice", "bob").await.unwrap();
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    follower.catch_up(1).await.unwrap();
    follower.expect_exact().await;
    assert_eq!(follower.resyncs, 1, "the copy held bob, whose removal is gone");
}

#[tokio::test]
async fn a_removal_that_keeps_a_remark_is_not_purged_until_the_remark_is_forgotten() {
    let (app, clock, tenant) = stopped(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    let page = sync(&tenant, request("alice", 2, 0)).await.unwrap();
    assert_eq!((brief(&page), page.full_resync), (vec!["-bob".into()], false));
    tenant.unfriend_and_forget("alice", "bob").await.unwrap();
    upkeep::round(&app.core).await;
    let page = sync(&tenant, request("alice", 2, 0)).await.unwrap();
    assert_eq!((brief(&page), page.full_resync), (vec![], true));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_kept_remark_is_forgotten_with_the_user_even_if_their_own_tombstone_is_purged() {
    let (app, clock, tenant) = stopped(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    tenant.delete("bob").await.unwrap();
    tenant.create(&["bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "", "this bob is another user");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn updated_after_leaves_out_what_is_older() {
    let (_app, clock, tenant) = stopped(&["alice", "bob", "carol", "dave", "erin"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
        clock.advance(Duration::MINUTE);
    }
    tenant.remark("alice", "bob", "again").await.unwrap();
    // After carol's time, to the microsecond.
    let after = datetime!(2026-01-01 0:01 UTC).unix_timestamp();
    let wanted = proto::SyncFriendsRequest {
        updated_after: Some(prost_types::Timestamp { seconds: after, nanos: 0 }),
        ..request("alice", 0, 1)
    };
    let first = sync(&tenant, wanted.clone()).await.unwrap();
    assert_eq!((brief(&first), first.has_more), (vec!["+dave".into()], true));
    let rest = proto::SyncFriendsRequest { page_token: first.next_page_token, ..wanted };
    let rest = sync(&tenant, rest).await.unwrap();
    assert_eq!((brief(&rest), rest.has_more, rest.next_version), (vec!["+bob".into()], false, 4));
}

#[tokio::test]
async fn a_full_resync_is_the_whole_list_on_all_its_pages_whatever_updated_after_says() {
    let (app, clock, tenant) = stopped(&["alice", "bob", "carol", "dave"]).await;
    for friend in ["bob", "carol", "dave"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    tenant.unfriend("alice", "bob").await.unwrap();
    clock.advance(Duration::HOUR);
    upkeep::round(&app.core).await;
    let after = datetime!(2026-01-02 0:00 UTC).unix_timestamp();
    let wanted = proto::SyncFriendsRequest {
        updated_after: Some(prost_types::Timestamp { seconds: after, nanos: 0 }),
        ..request("alice", 2, 1)
    };
    let first = sync(&tenant, wanted.clone()).await.unwrap();
    assert_eq!((brief(&first), first.full_resync), (vec!["+carol".into()], true));
    let rest = proto::SyncFriendsRequest { page_token: first.next_page_token, ..wanted };
    let rest = sync(&tenant, rest).await.unwrap();
    assert_eq!((brief(&rest), rest.has_more), (vec!["+dave".into()], false));
}

#[tokio::test]
async fn a_follower_of_a_name_that_is_used_again_ends_with_the_new_users_list() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["carol"]).await.unwrap();
    let mut follower = Follower::new(&tenant, "alice");
    follower.catch_up(0).await.unwrap();
    tenant.delete("alice").await.unwrap();
    let gone = follower.step_friends(0).await;
    expect_error(gone, Code::NotFound, "USER_NOT_FOUND");
    tenant.create(&["alice"]).await;
    tenant.befriend("alice", "carol").await.unwrap();
    follower.catch_up(1).await.unwrap();
    follower.expect_exact().await;
    invariants::hold(app.pool()).await;
}
