//! One story, told on all three surfaces, and by JSON: what is in the tables afterwards is the same.

use befriend::{clock::Clock, proto};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::{
    Tenant, TestApp, by_json,
    http::ask,
    netease::{CREDENTIALS_KEY, NOON, NetEase},
    receiver::rule_to,
};

/// A step of the story.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create(&'static str, &'static str),
    Add(&'static str, &'static str),
    Remark(&'static str, &'static str, &'static str),
    Remove(&'static str, &'static str),
    Block(&'static str, &'static str),
    Unblock(&'static str, &'static str),
}

/// Users, friends, remarks, blocks; some steps twice, which changes nothing the second time.
const STORY: &[Step] = &[
    Step::Create("alice", "Alice"),
    Step::Create("Bob", "鲍勃"),
    Step::Create("carol", ""),
    Step::Create("dave", "D"),
    Step::Create("erin", ""),
    Step::Add("alice", "bob"),
    Step::Add("alice", "bob"),
    Step::Add("bob", "ALICE"),
    Step::Remark("alice", "bob", "同事"),
    Step::Remark("alice", "bob", "同事"),
    Step::Remark("bob", "alice", "Al"),
    // What an import would bring.
    Step::Add("alice", "carol"),
    Step::Add("alice", "dave"),
    Step::Add("alice", "erin"),
    Step::Remark("alice", "carol", "C"),
    Step::Remark("alice", "dave", "D"),
    Step::Remark("alice", "dave", ""),
    // With a remark, without one, and where nothing is.
    Step::Remove("alice", "carol"),
    Step::Remove("erin", "alice"),
    Step::Remove("erin", "alice"),
    Step::Remove("carol", "dave"),
    Step::Add("carol", "alice"),
    Step::Block("alice", "dave"),
    Step::Block("alice", "dave"),
    Step::Block("alice", "erin"),
    Step::Block("bob", "alice"),
    Step::Unblock("alice", "dave"),
    Step::Unblock("alice", "dave"),
    Step::Unblock("bob", "carol"),
    Step::Block("alice", "dave"),
    Step::Remove("bob", "alice"),
    Step::Add("alice", "bob"),
];

async fn by_grpc(tenant: &Tenant, step: Step) {
    let done = match step {
        Step::Create(user, nickname) => tenant.create_one(user, nickname).await.map(drop),
        Step::Add(owner, friend) => tenant.befriend(owner, friend).await.map(drop),
        Step::Remark(owner, friend, text) => tenant.remark(owner, friend, text).await.map(drop),
        Step::Remove(owner, friend) => tenant.unfriend(owner, friend).await.map(drop),
        Step::Block(owner, other) => tenant.block(owner, &[other]).await.map(drop),
        Step::Unblock(owner, other) => tenant.unblock(owner, other).await.map(drop),
    };
    done.unwrap_or_else(|refused| panic!("{step:?}: {refused}"));
}

async fn by_easemob(app: &TestApp, tenant: &Tenant, step: Step) {
    let contact = |owner, friend| format!("/users/{owner}/contacts/users/{friend}");
    let (method, path, body) = match step {
        Step::Create(username, nickname) => {
            let user = json!({ "username": username, "password": "1", "nickname": nickname });
            ("POST", "/users".to_owned(), user.to_string())
        }
        Step::Add(owner, friend) => ("POST", contact(owner, friend), String::new()),
        Step::Remark(owner, friend, remark) => {
            let path = format!("/user/{owner}/contacts/users/{friend}");
            ("PUT", path, json!({ "remark": remark }).to_string())
        }
        Step::Remove(owner, friend) => ("DELETE", contact(owner, friend), String::new()),
        Step::Block(owner, other) => {
            let path = format!("/users/{owner}/blocks/users");
            ("POST", path, json!({ "usernames": [other] }).to_string())
        }
        Step::Unblock(owner, other) => {
            ("DELETE", format!("/users/{owner}/blocks/users/{other}"), String::new())
        }
    };
    let path = format!("/{}{path}", tenant.app.app_key.replace('#', "/"));
    let bearer = format!("Bearer {}", tenant.token);
    let headers = [("authorization", bearer.as_str())];
    let answer = ask(&app.url, method, &path, &headers, body.as_bytes()).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{step:?}: {text}");
}

async fn by_netease(client: &NetEase, step: Step) {
    let relate = |owner, other, value| {
        let form = [("accid", owner), ("targetAcc", other), ("relationType", "1")];
        ("/user/setSpecialRelation.action", [&form[..], &[("value", value)]].concat())
    };
    let (path, form) = match step {
        Step::Create(accid, name) => {
            ("/user/create.action", vec![("accid", accid), ("name", name)])
        }
        Step::Add(accid, faccid) => {
            ("/friend/add.action", vec![("accid", accid), ("faccid", faccid), ("type", "1")])
        }
        Step::Remark(accid, faccid, alias) => {
            let form = vec![("accid", accid), ("faccid", faccid), ("alias", alias)];
            ("/friend/update.action", form)
        }
        Step::Remove(accid, faccid) => {
            ("/friend/delete.action", vec![("accid", accid), ("faccid", faccid)])
        }
        Step::Block(accid, other) => relate(accid, other, "1"),
        Step::Unblock(accid, other) => relate(accid, other, "0"),
    };
    client.taken(path, &form).await;
}

/// An app's rows in a table, without what differs from app to app: ids, keys, uuids.
async fn rows(app: &TestApp, tenant: &Tenant, table: &str) -> Vec<String> {
    let select = format!(
        "select u.username || ' ' || (
                    to_jsonb(t) - array['app_id', 'owner_key', 'uuid', 'partition', 'rule_id',
                                        'message_id']
                )::text
         from {table} t
         join users u on u.owner_key = t.owner_key
         where u.app_id = $1::uuid
         order by 1"
    );
    let select = sqlx::query_scalar(AssertSqlSafe(select)).bind(&tenant.app.uuid);
    select.fetch_all(app.pool()).await.unwrap()
}

#[tokio::test]
async fn one_story_on_all_surfaces_leaves_the_same_tables() {
    let flags = ["--deliver", "false", "--credentials-key", CREDENTIALS_KEY];
    let app = TestApp::with(&flags, Clock::stopped_at(NOON)).await;
    let mut tenants = Vec::new();
    for app_key in ["by#grpc", "by#easemob", "by#netease", "by#json"] {
        tenants.push(app.tenant(app_key).await);
        let rule = proto::CreateCallbackRuleRequest {
            app_key: app_key.to_owned(),
            ..rule_to("http://example.com")
        };
        app.rule(rule).await;
    }
    let client = app.netease_of(&tenants[2], "an-app-key").await;
    let by_json = Tenant { channel: by_json::channel(&app.url), ..tenants[3].clone() };
    for &step in STORY {
        by_grpc(&tenants[0], step).await;
        by_grpc(&by_json, step).await;
        by_easemob(&app, &tenants[1], step).await;
        by_netease(&client, step).await;
        // The clock goes on, so that each change has a time of its own.
        app.core.clock.advance(time::Duration::milliseconds(1500));
    }
    for table in ["users", "friends", "blocks", "blocked_by", "friend_requests", "outbox"] {
        let told = rows(&app, &tenants[0], table).await;
        if table != "friend_requests" {
            assert!(told.len() >= 3, "{table} holds {told:?}");
        }
        assert_eq!(rows(&app, &tenants[1], table).await, told, "{table}, by Easemob's API");
        assert_eq!(rows(&app, &tenants[2], table).await, told, "{table}, by NetEase's API");
        assert_eq!(rows(&app, &tenants[3], table).await, told, "{table}, by JSON");
    }
    crate::support::invariants::hold(app.pool()).await;
}
