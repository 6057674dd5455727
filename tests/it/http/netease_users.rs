//! What NetEase's user calls mean.

use crate::support::{
    netease::{NetEase, code, netease},
    tenant::block_limit,
};

const CREATE: &str = "/user/create.action";
const SET: &str = "/user/setSpecialRelation.action";
const LIST: &str = "/user/listBlackAndMuteList.action";

impl NetEase {
    /// Sets or clears a special relation, and returns the code.
    async fn relate(&self, accid: &str, target: &str, more: &[(&str, &str)]) -> i64 {
        let form = [&[("accid", accid), ("targetAcc", target)], more].concat();
        self.code(SET, &form).await
    }

    /// A block list.
    async fn blacklist(&self, accid: &str) -> Vec<String> {
        let answer = self.taken(LIST, &[("accid", accid)]).await;
        assert_eq!(answer["mutelist"], serde_json::json!([]));
        let names = answer["blacklist"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_new_user_is_told_a_token_which_is_the_given_one_or_a_fresh_one() {
    let (app, tenant, client) = netease(&[]).await;
    let given = [("accid", "Alice"), ("name", "Alice 好"), ("token", "a-token")];
    let info = client.taken(CREATE, &given).await["info"].take();
    let expected = serde_json::json!({ "token": "a-token", "accid": "alice", "name": "Alice 好" });
    assert_eq!(info, expected);

    let mut tokens = Vec::new();
    for (accid, token) in [("bob", None), ("carol", Some(""))] {
        let token = token.map(|token| ("token", token));
        let form = [&[("accid", accid)], token.as_slice()].concat();
        let info = client.taken(CREATE, &form).await["info"].take();
        assert_eq!((&info["accid"], &info["name"]), (&accid.into(), &"".into()));
        tokens.push(info["token"].as_str().unwrap().to_owned());
    }
    assert!(tokens[0].len() >= 32 && tokens[0] != tokens[1], "{tokens:?}");
    assert_eq!(tenant.profile("bob").await.unwrap().nickname, "");
    // Nobody logs in here: a token is not kept.
    let rows: Vec<String> =
        sqlx::query_scalar("select u::text from users u").fetch_all(app.pool()).await.unwrap();
    let rows = rows.join("\n");
    assert!(rows.contains("carol") && !rows.contains("a-token") && !rows.contains(&tokens[1]));
}

#[tokio::test]
async fn a_user_who_exists_is_not_created_again() {
    let (_app, tenant, client) = netease(&["alice"]).await;
    for accid in ["alice", "ALICE"] {
        let answer = client.call(CREATE, &[("accid", accid), ("name", "New")]).await;
        assert_eq!((code(&answer), &answer["desc"]), (414, &"already register".into()));
    }
    assert_eq!(tenant.profile("alice").await.unwrap().nickname, "", "as it was");
    tenant.delete("alice").await.unwrap();
    client.taken(CREATE, &[("accid", "alice")]).await;
}

#[tokio::test]
async fn what_is_too_long_for_a_user_is_refused_and_what_is_not_known_is_left_alone() {
    let (_app, tenant, client) = netease(&[]).await;
    let (name, token) = ("好".repeat(100), "t".repeat(128));
    let (long_name, long_token) = (format!("{name}x"), format!("{token}x"));
    let long_accid = "a".repeat(33);
    for bad in [
        &[("accid", "alice"), ("name", long_name.as_str())][..],
        &[("accid", "alice"), ("token", long_token.as_str())],
        &[("accid", "alice"), ("name", "a\0b")],
        &[("accid", long_accid.as_str())],
        &[("accid", "")],
        &[("accid", "al ice")],
        &[("name", "Alice")],
    ] {
        assert_eq!(client.code(CREATE, bad).await, 414, "{bad:?}");
    }
    tenant.profile("alice").await.unwrap_err();
    let whole = [
        ("accid", "alice"),
        ("name", name.as_str()),
        ("token", token.as_str()),
        ("icon", "https://example.com/a.png"),
        ("sign", "hello"),
        ("email", "a@example.com"),
        ("birth", "1990-01-01"),
        ("mobile", "+86-13800000000"),
        ("gender", "1"),
        ("ex", "{}"),
        ("props", "{}"),
    ];
    let info = client.taken(CREATE, &whole).await["info"].take();
    assert_eq!((&info["name"], &info["token"]), (&name.clone().into(), &token.into()));
    assert_eq!(tenant.profile("alice").await.unwrap().nickname, name);
}

#[tokio::test]
async fn a_special_relation_of_type_1_is_the_block_list() {
    let (_app, tenant, client) = netease(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let set = [("relationType", "1"), ("value", "1")];
    for target in ["Bob", "carol", "bob"] {
        assert_eq!(client.relate("alice", target, &set).await, 200);
    }
    assert_eq!(client.blacklist("alice").await, ["carol", "bob"], "the newest first");
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["carol", "bob"]);
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"], "a friend stays a friend");
    assert_eq!(client.blacklist("bob").await, [] as [&str; 0]);

    // A value that is absent clears as 0 does: the vendor's Go SDK sends no zeros.
    for clear in [&[("relationType", "1"), ("value", "0")][..], &[("relationType", "1")]] {
        assert_eq!(client.relate("alice", "bob", clear).await, 200, "{clear:?}");
        assert_eq!(client.blacklist("alice").await, ["carol"]);
        assert_eq!(client.relate("alice", "bob", clear).await, 200, "nobody blocked");
        assert_eq!(client.relate("alice", "bob", &set).await, 200);
    }
}

#[tokio::test]
async fn mute_lists_are_not_kept_and_it_says_so() {
    let (_app, _tenant, client) = netease(&["alice", "bob"]).await;
    for value in ["0", "1"] {
        let form =
            [("accid", "alice"), ("targetAcc", "bob"), ("relationType", "2"), ("value", value)];
        let answer = client.call(SET, &form).await;
        assert_eq!(code(&answer), 414);
        assert!(answer["desc"].as_str().unwrap().contains("mute"), "{answer}");
    }
    assert_eq!(client.blacklist("alice").await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_special_relation_must_be_one_that_there_is() {
    let (_app, _tenant, client) = netease(&["alice", "bob"]).await;
    for bad in [
        &[][..],
        &[("value", "1")],
        &[("relationType", "0"), ("value", "1")],
        &[("relationType", "3"), ("value", "1")],
        &[("relationType", "block"), ("value", "1")],
        &[("relationType", "1"), ("value", "2")],
        &[("relationType", "1"), ("value", "true")],
        &[("relationType", "1"), ("value", "")],
    ] {
        assert_eq!(client.relate("alice", "bob", bad).await, 414, "{bad:?}");
    }
    let set = [("relationType", "1"), ("value", "1")];
    assert_eq!(client.relate("alice", "alice", &set).await, 414, "oneself");
    assert_eq!(client.blacklist("alice").await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_long_block_list_is_told_whole() {
    let (app, tenant, client) = netease(&["alice"]).await;
    app.set_limits(&tenant, block_limit(700)).await;
    let mut names = tenant.crowd("b", 620).await;
    for half in names.chunks(310) {
        let half: Vec<&str> = half.iter().map(String::as_str).collect();
        tenant.block("alice", &half).await.unwrap();
    }
    assert_eq!(tenant.blocked_by("alice").await.unwrap().len(), 500, "the others tell the newest");
    let mut told = client.blacklist("alice").await;
    assert_eq!(told.len(), 620);
    told.sort();
    names.sort();
    assert_eq!(told, names);
}
