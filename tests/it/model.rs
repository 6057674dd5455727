//! Random operations on the service and on a model of it in memory: every answer, and all lists,
//! remarks, counts and versions at the end, must be the same.

mod reference;

use befriend::{
    clock::Clock,
    proto::{self, FriendRequestState as State},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestRunner},
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;

use crate::support::{
    Tenant, TestApp,
    app::{OPERATOR_TOKEN, tenant_on},
    by_json,
    follow::Follower,
    invariants,
};
use reference::Model;

/// So few that their lists are full all the time.
const USERS: usize = 6;

/// Where the seeds of failures are kept; a run begins with them.
const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/model.seeds");

#[test]
fn the_service_answers_as_its_model_does() {
    compare(40, |app| app.channel.clone());
}

#[test]
fn the_service_answers_as_its_model_does_by_json() {
    compare(10, |app| by_json::channel(&app.url));
}

/// Compares the two in random cases; the calls take this channel.
fn compare(cases: u32, channel: impl Fn(&TestApp) -> Channel) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let app = runtime.block_on(TestApp::with(&["--db-connections", "4"], Clock::system()));
    let config = Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))),
        ..Config::default()
    };
    let cases = std::cell::Cell::new(0);
    let done = TestRunner::new(config).run(&vec(op(), 1..80), |ops| {
        cases.set(cases.get() + 1);
        let app_key = format!("case#n{}", cases.get());
        runtime.block_on(async { check(&app, channel(&app), &app_key, &ops).await });
        Ok(())
    });
    if let Err(failure) = done {
        panic!("{failure}");
    }
}

#[tokio::test]
async fn a_remark_kept_for_a_former_friend_is_not_for_whoever_takes_their_name() {
    let app = TestApp::start().await;
    // Too rare a sequence to wait for: befriend, remark, remove, delete, create, befriend.
    let ops = [
        Op::Add(0, 1),
        Op::Remark(0, 1, 1),
        Op::Remark(1, 0, 2),
        Op::Remove { owner: 0, friend: 1, clear_remark: false },
        Op::Delete(1),
        Op::Create(1),
        Op::Add(0, 1),
    ];
    check(&app, app.channel.clone(), "acme#chat", &ops).await;
}

/// A call, with users by their number.
#[derive(Clone, Debug)]
enum Op {
    Create(usize),
    Delete(usize),
    Limits { friends: i32, blocks: i32 },
    Add(usize, usize),
    Remove { owner: usize, friend: usize, clear_remark: bool },
    RemoveAll(usize),
    Remark(usize, usize, u8),
    Import(usize, Vec<String>),
    Block(usize, Vec<usize>),
    Unblock(usize, usize),
    Extend(usize, usize, u8),
    Ask(usize, usize, u8),
    Accept(usize, usize),
    Reject(usize, usize),
    Cancel(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let user = || 0..USERS;
    prop_oneof![
        3 => user().prop_map(Op::Create),
        2 => user().prop_map(Op::Delete),
        1 => (0..5, 0..5).prop_map(|(friends, blocks)| Op::Limits { friends, blocks }),
        10 => (user(), user()).prop_map(|(owner, friend)| Op::Add(owner, friend)),
        4 => (user(), user(), any::<bool>()).prop_map(|(owner, friend, clear_remark)| {
            Op::Remove { owner, friend, clear_remark }
        }),
        1 => user().prop_map(Op::RemoveAll),
        6 => (user(), user(), 0..3_u8).prop_map(|(owner, friend, remark)| {
            Op::Remark(owner, friend, remark)
        }),
        4 => (user(), vec(imported(), 1..6)).prop_map(|(owner, names)| Op::Import(owner, names)),
        4 => (user(), vec(user(), 1..4)).prop_map(|(owner, others)| Op::Block(owner, others)),
        2 => (user(), user()).prop_map(|(owner, other)| Op::Unblock(owner, other)),
        3 => (user(), user(), 0..3_u8).prop_map(|(owner, friend, text)| {
            Op::Extend(owner, friend, text)
        }),
        8 => (user(), user(), 0..2_u8).prop_map(|(one, other, text)| Op::Ask(one, other, text)),
        4 => (user(), user()).prop_map(|(one, other)| Op::Accept(one, other)),
        2 => (user(), user()).prop_map(|(one, other)| Op::Reject(one, other)),
        2 => (user(), user()).prop_map(|(one, other)| Op::Cancel(one, other)),
    ]
}

/// A name for an import: of a user, in upper case too, of nobody, or impossible.
fn imported() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (0..USERS).prop_map(name),
        2 => (0..USERS).prop_map(|user| name(user).to_uppercase()),
        1 => Just("nobody".to_owned()),
        1 => Just("not a name".to_owned()),
    ]
}

fn name(user: usize) -> String {
    format!("user{user}")
}

fn remark_of(number: u8) -> String {
    if number == 0 { String::new() } else { format!("remark {number}") }
}

/// What a call came to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Count(i32),
    Names(Vec<String>),
    Imported {
        succeeded: Vec<String>,
        not_found: Vec<String>,
        full: Vec<String>,
        failed: Vec<String>,
    },
    Refused {
        code: Code,
        reason: String,
        who: Option<String>,
    },
}

/// Runs the operations on a new app and on a new model, and compares.
async fn check(app: &TestApp, channel: Channel, app_key: &str, ops: &[Op]) {
    let mut model = Model::with_limits(3, 3);
    let limits = proto::AppLimits {
        friend_limit: Some(3),
        block_limit: Some(3),
        requests_per_second: Some(1_000_000),
    };
    let tenant = tenant_on(channel, OPERATOR_TOKEN, app_key, limits).await;
    // Most operations should find somebody.
    let beginning: Vec<Op> = (0..USERS - 1).map(Op::Create).collect();
    // Each follows one user, and looks from time to time.
    let mut followers: Vec<Follower> =
        (0..USERS).map(|user| Follower::new(&tenant, &name(user))).collect();
    for (step, op) in beginning.iter().chain(ops).enumerate() {
        let answer = call(app, &tenant, op).await;
        assert_eq!(answer, model.apply(op), "step {step}: {op:?}");
        let stepped = followers[step * 5 % USERS].step_friends(2).await;
        assert!(stepped.is_ok() || model.look(step * 5 % USERS).is_none());
    }
    for (user, mut follower) in followers.into_iter().enumerate() {
        let seen = look(&tenant, user).await;
        assert_eq!(seen, model.look(user), "{}", name(user));
        if seen.is_some() {
            follower.catch_up(2).await.unwrap();
            follower.expect_exact().await;
        }
    }
    invariants::hold(app.pool()).await;
}

async fn call(app: &TestApp, tenant: &Tenant, op: &Op) -> Answer {
    called(app, tenant, op).await.unwrap_or_else(|status| {
        let info = status.get_details_error_info().expect("every error carries an ErrorInfo");
        let who = ["username", "friend"].iter().find_map(|key| info.metadata.get(*key).cloned());
        Answer::Refused { code: status.code(), reason: info.reason, who }
    })
}

async fn called(app: &TestApp, tenant: &Tenant, op: &Op) -> Result<Answer, Status> {
    match op.clone() {
        Op::Create(user) => tenant.create_one(&name(user), "").await.map(drop)?,
        Op::Delete(user) => tenant.delete(&name(user)).await.map(drop)?,
        Op::Limits { friends, blocks } => {
            let limits = proto::AppLimits {
                friend_limit: Some(friends),
                block_limit: Some(blocks),
                requests_per_second: None,
            };
            app.set_limits(tenant, limits).await;
        }
        Op::Add(owner, friend) => tenant.befriend(&name(owner), &name(friend)).await.map(drop)?,
        Op::Remove { owner, friend, clear_remark: false } => {
            tenant.unfriend(&name(owner), &name(friend)).await?;
        }
        Op::Remove { owner, friend, clear_remark: true } => {
            tenant.unfriend_and_forget(&name(owner), &name(friend)).await?;
        }
        Op::RemoveAll(owner) => {
            return tenant.unfriend_all(&name(owner)).await.map(Answer::Count);
        }
        Op::Remark(owner, friend, remark) => {
            let entry = tenant.remark(&name(owner), &name(friend), &remark_of(remark)).await?;
            return Ok(Answer::Names(vec![entry.username, entry.remark]));
        }
        Op::Import(owner, usernames) => {
            let usernames: Vec<&str> = usernames.iter().map(String::as_str).collect();
            let proto::ImportFriendsResponse { succeeded, not_found, limit_exceeded, failed } =
                tenant.import(&name(owner), &usernames).await?;
            return Ok(Answer::Imported { succeeded, not_found, full: limit_exceeded, failed });
        }
        Op::Block(owner, others) => {
            let others: Vec<String> = others.into_iter().map(name).collect();
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            return tenant.block(&name(owner), &others).await.map(Answer::Names);
        }
        Op::Extend(owner, friend, text) => {
            let request = proto::UpdateFriendRequest {
                owner: name(owner),
                friend: name(friend),
                extension: Some(remark_of(text)),
                update_mask: Some(prost_types::FieldMask { paths: vec!["extension".to_owned()] }),
                ..proto::UpdateFriendRequest::default()
            };
            let answer = tenant.friends().update_friend(request).await?.into_inner();
            return Ok(Answer::Names(vec![answer.friend.unwrap().extension]));
        }
        Op::Ask(one, other, text) => {
            tenant.ask(&name(one), &name(other), &remark_of(text)).await.map(drop)?;
        }
        Op::Accept(one, other) => tenant.accept(&name(one), &name(other)).await.map(drop)?,
        Op::Reject(one, other) => tenant.reject(&name(one), &name(other), "").await.map(drop)?,
        Op::Cancel(one, other) => tenant.cancel(&name(one), &name(other), "").await.map(drop)?,
        Op::Unblock(owner, other) => tenant.unblock(&name(owner), &name(other)).await.map(drop)?,
    }
    Ok(Answer::Done)
}

/// All that can be read of a user.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    head: proto::ListSummary,
    /// With remarks.
    friends: Vec<(String, String)>,
    /// Newest first.
    blocked: Vec<String>,
    /// Of everybody: is a friend, is blocked, blocks.
    relations: Vec<(bool, bool, bool)>,
    /// The requests that the user sent, by recipient.
    sent: Vec<(String, State)>,
}

async fn look(tenant: &Tenant, user: usize) -> Option<Seen> {
    let owner = name(user);
    let head = match tenant.head(&owner).await {
        Ok(head) => head,
        Err(status) => {
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            return None;
        }
    };
    let friends = walk_friends(tenant, &owner).await.unwrap();
    let names: Vec<&String> = friends.iter().map(|(name, _)| name).collect();
    assert_eq!(tenant.friends_of(&owner).await.unwrap().iter().collect::<Vec<_>>(), names);
    let blocked = walk_blocked(tenant, &owner).await.unwrap();
    assert_eq!(tenant.blocked_by(&owner).await.unwrap(), blocked);
    let sent = tenant.requests_of(&owner, proto::FriendRequestDirection::Outgoing, &[]).await;
    let sent = sent.unwrap().into_iter();
    let mut sent: Vec<_> = sent.map(|r| (r.recipient.clone(), r.state())).collect();
    sent.sort();
    let request =
        proto::CheckRelationsRequest { username: owner, others: (0..USERS).map(name).collect() };
    let relations = tenant.relations().check_relations(request).await.unwrap().into_inner();
    let relations = relations.relations.into_iter();
    Some(Seen {
        head,
        friends,
        blocked,
        relations: relations.map(|r| (r.is_friend, r.blocks, r.blocked_by)).collect(),
        sent,
    })
}

/// The friend list in pages of two.
async fn walk_friends(tenant: &Tenant, owner: &str) -> Result<Vec<(String, String)>, Status> {
    let mut friends = Vec::new();
    let mut request = proto::ListFriendsRequest {
        owner: owner.to_owned(),
        page_size: 2,
        page_token: String::new(),
        include_remark: true,
    };
    loop {
        let page = tenant.friends().list_friends(request.clone()).await?.into_inner();
        friends.extend(page.entries.into_iter().map(|f| (f.username, f.remark.unwrap())));
        if page.next_page_token.is_empty() {
            return Ok(friends);
        }
        request.page_token = page.next_page_token;
    }
}

/// The block list in pages of two.
async fn walk_blocked(tenant: &Tenant, owner: &str) -> Result<Vec<String>, Status> {
    let mut blocked = Vec::new();
    let mut request = proto::ListBlockedUsersRequest {
        owner: owner.to_owned(),
        page_size: 2,
        page_token: String::new(),
    };
    loop {
        let page = tenant.blocks().list_blocked_users(request.clone()).await?.into_inner();
        blocked.extend(page.usernames);
        if page.next_page_token.is_empty() {
            return Ok(blocked);
        }
        request.page_token = page.next_page_token;
    }
}
