//! Users who are deleted: out of every list at once for whoever asks, whatever happens half-way.

use befriend::server::upkeep;
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, expect_error, invariants, metadata, tenant::acme};

/// Deletes users as far as DeleteUser's first transaction does: what a crash then would leave.
pub async fn delete_half(app: &TestApp, usernames: &[&str]) {
    let done = sqlx::query(
        "update users
         set deleted_at = modified_at, leaving = true, nickname = '', version = version + 1
         where username = any($1) and deleted_at is null",
    )
    .bind(usernames)
    .execute(app.pool())
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), usernames.len() as u64);
}

/// Every call that names a user who must exist, once in each place.
async fn calls_on(tenant: &Tenant, gone: &str, other: &str) -> Vec<(&'static str, Status)> {
    let mut answers: Vec<(&'static str, Result<(), Status>)> = Vec::new();
    for (owner, friend) in [(gone, other), (other, gone)] {
        answers.push(("add", tenant.befriend(owner, friend).await.map(drop)));
        answers.push(("remove", tenant.unfriend(owner, friend).await.map(drop)));
        answers.push(("get", tenant.entry(owner, friend).await.map(drop)));
        answers.push(("remark", tenant.remark(owner, friend, "x").await.map(drop)));
        answers.push(("block", tenant.block(owner, &[friend]).await.map(drop)));
        answers.push(("unblock", tenant.unblock(owner, friend).await.map(drop)));
    }
    answers.push(("remove all", tenant.unfriend_all(gone).await.map(drop)));
    answers.push(("list friends", tenant.friends_of(gone).await.map(drop)));
    answers.push(("import", tenant.import(gone, &[other]).await.map(drop)));
    answers.push(("list blocked", tenant.blocked_by(gone).await.map(drop)));
    answers.push(("relations", tenant.relations_of(gone, &[other]).await.map(drop)));
    answers.push(("profile", tenant.profile(gone).await.map(drop)));
    answers.push(("delete", tenant.delete(gone).await.map(drop)));
    answers
        .into_iter()
        .map(|(call, answer)| (call, answer.expect_err(&format!("{call} found {gone}"))))
        .collect()
}

#[tokio::test]
async fn a_deleted_user_is_in_no_list_and_no_counter() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("carol", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.block("alice", &["bob", "dave"]).await.unwrap();
    tenant.block("bob", &["dave", "carol"]).await.unwrap();
    let (alice, dave) = (tenant.head("alice").await.unwrap(), tenant.head("dave").await.unwrap());
    let profile = tenant.profile("bob").await.unwrap();

    assert_eq!(tenant.delete("BOB").await.unwrap(), profile, "as they were");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["carol"]);
    assert_eq!(tenant.friends_of("carol").await.unwrap(), ["alice"]);
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["dave"]);
    let after = tenant.head("alice").await.unwrap();
    assert_eq!((after.friend_count, after.block_count), (1, 1));
    assert_eq!(after.version, alice.version + 2, "one friend and one blocked user less");
    assert_eq!(tenant.head("dave").await.unwrap(), dave, "whom bob blocked changes nothing");
    assert_eq!(tenant.relations_of("dave", &["bob"]).await.unwrap(), [(false, false, false)]);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_deleted_user_is_found_by_no_call() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();
    tenant.delete("bob").await.unwrap();
    for (call, status) in calls_on(&tenant, "bob", "alice").await {
        let details = expect_error(Err::<(), _>(status), Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "bob", "{call}");
    }
    let import = tenant.import("alice", &["bob"]).await.unwrap();
    assert_eq!(import.not_found, ["bob"]);
}

#[tokio::test]
async fn a_user_with_long_lists_leaves_them_all() {
    let (app, tenant) = acme(&["star"]).await;
    let crowd = tenant.crowd("u", 250).await;
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    for ten in crowd.chunks(10) {
        assert_eq!(tenant.import("star", ten).await.unwrap().succeeded.len(), 10);
    }
    tenant.block("star", &crowd[..130]).await.unwrap();
    for blocker in &crowd[100..230] {
        tenant.block(blocker, &["star"]).await.unwrap();
    }

    tenant.delete("star").await.unwrap();
    let standing: i64 = sqlx::query_scalar(
        "select (select count(*) from friends where not deleted)
              + (select count(*) from blocks where not deleted)
              + (select count(*) from blocked_by)
              + (select count(*) from users where leaving)
              + (select coalesce(sum(friend_count + block_count), 0) from users)",
    )
    .fetch_one(app.pool())
    .await
    .unwrap();
    assert_eq!(standing, 0);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_name_used_again_is_another_user_with_empty_lists() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("bob", "alice", "my boss").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.block("bob", &["carol"]).await.unwrap();
    let (old, head) = (tenant.profile("bob").await.unwrap(), tenant.head("bob").await.unwrap());
    tenant.delete("bob").await.unwrap();

    let new = tenant.create_one("bob", "").await.unwrap();
    assert_ne!(new.uuid, old.uuid);
    let new_head = tenant.head("bob").await.unwrap();
    assert_eq!((new_head.friend_count, new_head.block_count), (0, 0));
    assert!(new_head.version > head.version, "followers of the old list notice");
    assert!(tenant.friends_of("bob").await.unwrap().is_empty());
    assert!(tenant.blocked_by("bob").await.unwrap().is_empty());

    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "");
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().remark, "");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_remark_on_a_former_friend_who_was_deleted_is_not_for_the_next_of_that_name() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.delete("bob").await.unwrap();

    tenant.create(&["bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "");
}

#[tokio::test]
async fn a_user_deleted_half_way_is_found_by_no_call_either() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["bob"]).await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();
    delete_half(&app, &["bob"]).await;
    for (call, status) in calls_on(&tenant, "bob", "alice").await {
        let details = expect_error(Err::<(), _>(status), Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(metadata(&details, "username"), "bob", "{call}");
    }
}

#[tokio::test]
async fn a_user_deleted_half_way_stands_in_no_relation_and_cant_be_imported() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    for other in ["bob", "carol"] {
        tenant.befriend("alice", other).await.unwrap();
        tenant.block("alice", &[other]).await.unwrap();
        tenant.block(other, &["alice"]).await.unwrap();
    }
    delete_half(&app, &["bob"]).await;
    let (none, all) = ((false, false, false), (true, true, true));
    assert_eq!(tenant.relations_of("alice", &["bob"]).await.unwrap(), [none]);
    assert_eq!(tenant.relations_of("alice", &["carol"]).await.unwrap(), [all]);
    assert_eq!(tenant.relations_of("alice", &["carol", "bob"]).await.unwrap(), [all, none]);
    let import = tenant.import("alice", &["bob", "carol"]).await.unwrap();
    assert_eq!((import.not_found, import.succeeded), (vec!["bob".into()], vec!["carol".into()]));
}

#[tokio::test]
async fn a_deletion_left_half_done_is_finished_by_the_upkeep() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.block("carol", &["bob"]).await.unwrap();
    tenant.block("bob", &["alice"]).await.unwrap();
    delete_half(&app, &["bob"]).await;

    upkeep::round(&app.core).await;
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["carol"]);
    assert!(tenant.blocked_by("carol").await.unwrap().is_empty());
    assert_eq!(tenant.relations_of("alice", &["bob"]).await.unwrap(), [(false, false, false)]);
    let leaving: i64 = sqlx::query_scalar("select count(*) from users where leaving")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(leaving, 0);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn two_deleted_users_leave_each_others_lists() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    for (owner, friend) in [("alice", "bob"), ("alice", "carol"), ("bob", "carol")] {
        tenant.befriend(owner, friend).await.unwrap();
        tenant.block(owner, &[friend]).await.unwrap();
        tenant.block(friend, &[owner]).await.unwrap();
    }
    delete_half(&app, &["alice", "bob"]).await;

    upkeep::round(&app.core).await;
    assert!(tenant.friends_of("carol").await.unwrap().is_empty());
    assert!(tenant.blocked_by("carol").await.unwrap().is_empty());
    invariants::hold(app.pool()).await;
    tenant.create(&["alice", "bob"]).await;
    for name in ["alice", "bob"] {
        let head = tenant.head(name).await.unwrap();
        assert_eq!((head.friend_count, head.block_count), (0, 0));
    }
}

#[tokio::test]
async fn a_name_can_be_used_again_while_its_former_holder_is_still_leaving() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.befriend("alice", "carol").await.unwrap();
    tenant.remark("alice", "bob", "from work").await.unwrap();
    delete_half(&app, &["bob", "carol"]).await;

    tenant.create(&["bob", "carol"]).await;
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert!(tenant.friends_of("bob").await.unwrap().is_empty());
    tenant.befriend("alice", "bob").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn many_names_can_be_used_again_at_once_while_their_former_holders_are_leaving() {
    let (app, tenant) = acme(&["alice"]).await;
    let crowd = tenant.crowd("u", 12).await;
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    for name in &crowd {
        tenant.befriend("alice", name).await.unwrap();
    }
    delete_half(&app, &crowd).await;

    tenant.create(&crowd).await;
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    invariants::hold(app.pool()).await;
}
