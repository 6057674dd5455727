//! Limits of Easemob's API: what is just within is taken, what is just beyond is refused.

use serde_json::{Value, json};

use crate::support::{
    Tenant, TestApp,
    easemob::{Easemob, expect_refusal},
    tenant::{acme, block_limit, friend_limit},
};

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("f{n:03}")).collect()
}

/// A server with this tenant's client.
async fn client(usernames: &[&str]) -> (TestApp, Tenant, Easemob) {
    let (app, tenant) = acme(usernames).await;
    let client = Easemob::of(&app, &tenant);
    (app, tenant, client)
}

#[tokio::test]
async fn a_remark_has_at_most_100_characters_of_any_kind() {
    let (_app, tenant, client) = client(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let path = "/user/alice/contacts/users/bob";
    let family = "👨‍👩‍👧".repeat(20); // Five characters each, as Unicode counts.
    for (what, remark) in [
        ("letters", "a".repeat(100)),
        ("Chinese", "好".repeat(100)),
        ("emoji", "👍".repeat(100)),
        ("joined emoji", family.clone()),
        ("combined", "e\u{301}".repeat(50)),
        ("controls", "\u{1}\t\n\r\u{7f}\u{2028}".to_owned()),
        ("marks of JSON and HTML", r#""\/<script>'&"#.to_owned()),
        ("one", "a".to_owned()),
        ("nothing", String::new()),
    ] {
        client.call("PUT", path, json!({ "remark": remark })).await.ok();
        assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, remark, "{what}");
        let page = client.get("/user/alice/contacts?needReturnRemark=true").await.ok();
        let told = &page["data"]["contacts"][0]["remark"];
        let expected = if remark.is_empty() { Value::Null } else { remark.into() };
        assert_eq!(*told, expected, "{what}");
    }
    for over in ["a".repeat(101), "好".repeat(101), "👍".repeat(101), family + "a"] {
        let answer = client.call("PUT", path, json!({ "remark": over })).await;
        let why = "remark: must be at most 100 characters long";
        expect_refusal(&answer, 400, "illegal_argument", why);
    }
    let answer = client.call("PUT", path, json!({ "remark": "a\0b" })).await;
    expect_refusal(&answer, 400, "illegal_argument", "remark: must not contain NUL (U+0000)");
    for (body, why) in [
        (json!({}), "remark must be provided"),
        (json!({ "Remark": "x" }), "remark must be provided"),
        (json!({ "remark": 7 }), "remark must be a string"),
        (json!({ "remark": ["x"] }), "remark must be a string"),
        (json!([]), "the body must be a JSON object"),
        (json!("x"), "the body must be a JSON object"),
    ] {
        let answer = client.call("PUT", path, body).await;
        expect_refusal(&answer, 400, "illegal_argument", why);
    }
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "", "nothing was changed");
}

#[tokio::test]
async fn a_remark_is_escaped_and_read_in_any_of_jsons_ways() {
    let (_app, tenant, client) = client(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let path = "/user/alice/contacts/users/bob";
    for (body, remark) in [
        (r#"{"remark": "\u8001\u540c\u5b66"}"#, "老同学"),
        (r#"{"remark": "\ud83d\udc4d"}"#, "👍"),
        (r#"{"remark": "a", "remark": "b"}"#, "b"), // As nearly all readers have it.
        (r#"{"remark": null}"#, ""),
        ("\u{feff}{\"remark\": \"marked\"}\r\n", "marked"),
    ] {
        client.send("PUT", path, &[], body.as_bytes()).await.ok();
        assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, remark, "{body}");
    }
}

#[tokio::test]
async fn an_import_names_1_to_10() {
    let (_app, tenant, client) = client(&["alice"]).await;
    tenant.crowd("f", 11).await;
    let path = "/users/alice/contacts/import";
    let answer = client.call("POST", path, json!({ "usernames": names(0..11) })).await;
    expect_refusal(&answer, 400, "illegal_argument", "request user over flow limit:10.");
    let answer = client.call("POST", path, json!({ "usernames": [] })).await;
    expect_refusal(&answer, 400, "illegal_argument", "usernames must not be empty");
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    let answer = client.call("POST", path, json!({ "usernames": names(0..10) })).await.ok();
    assert_eq!(answer["data"]["success"], json!(names(0..10)));
    let mixed = ["F010", "f010", "f000", "no body", "", "Nobody", "ALICE"];
    let answer = client.call("POST", path, json!({ "usernames": mixed })).await.ok();
    let expected = json!({
        "UnKnowFailed": ["no body", "", "alice"],
        "success": ["f010", "f000"],
        "NotExistFailed": ["nobody"],
        "maxLimitFailed": [],
    });
    assert_eq!(answer["data"], expected);
}

#[tokio::test]
async fn a_block_list_holds_500_and_so_does_one_request() {
    let (_app, tenant, client) = client(&["alice"]).await;
    tenant.crowd("f", 501).await;
    let path = "/users/alice/blocks/users";
    let answer = client.call("POST", path, json!({ "usernames": names(0..501) })).await;
    expect_refusal(&answer, 400, "illegal_argument", "request user over flow limit:500.");
    let answer = client.call("POST", path, json!({ "usernames": [] })).await;
    expect_refusal(&answer, 400, "illegal_argument", "usernames must not be empty");
    let answer = client.call("POST", path, json!({ "usernames": names(0..500) })).await.ok();
    assert_eq!(answer["data"], json!(names(0..500)));
    let answer = client.call("POST", path, json!({ "usernames": ["f500"] })).await;
    expect_refusal(&answer, 403, "exceed_limit", "user block number exceed limit");
    // Again is no more.
    client.call("POST", path, json!({ "usernames": ["f000", "F499"] })).await.ok();
    let list = client.get(path).await.ok();
    assert_eq!((&list["count"], list["data"].as_array().unwrap().len()), (&json!(500), 500));
}

#[tokio::test]
async fn a_check_names_1_to_100() {
    let (_app, tenant, client) = client(&["alice"]).await;
    tenant.crowd("f", 100).await;
    tenant.befriend("alice", "f007").await.unwrap();
    tenant.block("alice", &["f009"]).await.unwrap();
    for (path, at, is, is_not) in [
        ("/contacts/check", 7, "friend", "not_friend"),
        ("/blocks/check", 9, "blacklist", "not_blacklist"),
    ] {
        for list in [vec![], names(0..101)] {
            let answer =
                client.call("POST", path, json!({ "username": "alice", "check_list": list }));
            let why = "check_list size must be between 1 and 100";
            expect_refusal(&answer.await, 400, "illegal_argument", why);
        }
        let body = json!({ "username": "alice", "check_list": names(0..100) });
        let answer = client.call("POST", path, body).await.ok();
        let entities = answer["entities"].as_array().unwrap();
        assert_eq!(entities.len(), 100);
        for (n, entity) in entities.iter().enumerate() {
            let relation = if n == at { is } else { is_not };
            assert_eq!(*entity, json!({ "username": format!("f{n:03}"), "relation": relation }));
        }
        let one = json!({ "username": "ALICE", "check_list": ["Nobody"] });
        let answer = client.call("POST", path, one).await.ok();
        let expected = json!([{ "username": "nobody", "relation": is_not }]);
        assert_eq!(answer["entities"], expected);
        let nobody = json!({ "username": "nobody", "check_list": ["alice"] });
        let answer = client.call("POST", path, nobody).await;
        expect_refusal(&answer, 404, "service_resource_not_found", "Service resource not found");
    }
}

#[tokio::test]
async fn a_username_has_1_to_64_bytes_and_its_case_does_not_count() {
    let (_app, tenant, client) = client(&["alice"]).await;
    let longest = "A".repeat(64);
    let created = client.call("POST", "/users", json!({ "username": longest })).await.ok();
    let lower = longest.to_lowercase();
    assert_eq!(created["entities"][0]["username"], lower.as_str());
    for path in [format!("/users/{longest}"), format!("/users/{lower}")] {
        assert_eq!(client.get(&path).await.ok()["entities"][0]["username"], lower.as_str());
    }
    client.call("POST", &format!("/users/ALICE/contacts/users/{longest}"), json!(null)).await.ok();
    assert_eq!(tenant.friends_of("alice").await.unwrap(), [lower.as_str()]);
    let all = client.get("/users/Alice/contacts/users").await.ok();
    assert_eq!(all["data"], json!([lower]));

    for bad in [&"a".repeat(65), "", "a b", "a/b", "ä", "王", "a\0", "a\r\nb", "a#b", "a:b"] {
        let answer = client.call("POST", "/users", json!({ "username": bad })).await;
        let why = "username: must be 1-64 bytes of a-z 0-9 _ . - @";
        expect_refusal(&answer, 400, "illegal_argument", why);
    }
    for good in ["a@b.c", "0", "_", "-", ".", "..", "check", "users"] {
        client.call("POST", "/users", json!({ "username": good })).await.ok();
        let path = format!("/users/{good}/contacts/users");
        assert_eq!(client.get(&path).await.ok()["count"], 0, "{good}");
    }
    let answer = client.get(&format!("/users/{}/contacts/users", "a".repeat(65))).await;
    let why = "owner: must be 1-64 bytes of a-z 0-9 _ . - @";
    expect_refusal(&answer, 400, "illegal_argument", why);
}

#[tokio::test]
async fn at_most_60_users_are_registered_at_once_all_or_none() {
    let (_app, tenant, client) = client(&[]).await;
    let users = |names: Vec<String>| {
        let users = names.into_iter().map(|name| json!({ "username": name, "password": "1" }));
        Value::Array(users.collect())
    };
    let answer = client.call("POST", "/users", users(names(0..61))).await;
    let why = "Request body array size[61] had almost reached or been greater than the upper \
               range value[60]";
    expect_refusal(&answer, 400, "illegal_argument", why);
    let answer = client.call("POST", "/users", json!([])).await;
    expect_refusal(&answer, 400, "illegal_argument", "the array must not be empty");
    let created = client.call("POST", "/users", users(names(0..60))).await.ok();
    let entities = created["entities"].as_array().unwrap();
    let order = entities.iter().map(|user| user["username"].as_str().unwrap());
    assert!(order.eq(names(0..60)), "in the order given");

    let answer = client.call("POST", "/users", users(names(59..62))).await;
    let why = "Application null Entity user requires that property named username be unique, \
               value of f059 exists";
    expect_refusal(&answer, 400, "duplicate_unique_property_exists", why);
    let twice = vec!["g".to_owned(), "h".to_owned(), "G".to_owned()];
    let answer = client.call("POST", "/users", users(twice)).await;
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert_eq!((answer.status, error.as_str()), (400, "duplicate_unique_property_exists"));
    for name in ["f060", "f061", "g", "h"] {
        tenant.profile(name).await.unwrap_err();
    }
}

#[tokio::test]
async fn members_of_a_new_user_are_of_their_types_or_null() {
    let (_app, _tenant, client) = client(&[]).await;
    for (user, why) in [
        (json!({ "username": 1 }), "username must be a string"),
        (json!({ "username": "a", "nickname": 1 }), "nickname must be a string"),
        (json!({ "username": "a", "password": 1 }), "password must be a string"),
    ] {
        for body in [user.clone(), json!([user])] {
            let answer = client.call("POST", "/users", body).await;
            expect_refusal(&answer, 400, "illegal_argument", why);
        }
    }
    let user = json!({ "username": "a", "nickname": null, "password": null });
    client.call("POST", "/users", user).await.ok();
}

#[tokio::test]
async fn a_nickname_has_at_most_100_characters() {
    let (_app, tenant, client) = client(&["alice"]).await;
    client.call("PUT", "/users/alice", json!({ "nickname": "好".repeat(100) })).await.ok();
    let answer = client.call("PUT", "/users/alice", json!({ "nickname": "好".repeat(101) })).await;
    let why = "nickname: must be at most 100 characters long";
    expect_refusal(&answer, 400, "illegal_argument", why);
    let body = json!({ "username": "bob", "nickname": "a\0" });
    let answer = client.call("POST", "/users", body).await;
    let why = "nickname: must not contain NUL (U+0000)";
    expect_refusal(&answer, 400, "illegal_argument", why);
    assert_eq!(tenant.profile("alice").await.unwrap().nickname, "好".repeat(100));
    let cleared = client.call("PUT", "/users/alice", json!({ "nickname": "" })).await.ok();
    assert!(cleared["entities"][0].get("nickname").is_none(), "{cleared}");
}

#[tokio::test]
async fn a_friend_list_is_filled_to_its_limit_and_no_further() {
    let (app, tenant, client) = client(&["alice", "bob"]).await;
    app.set_limits(&tenant, friend_limit(3)).await;
    tenant.crowd("f", 4).await;
    let add = async |owner: &str, friend: &str| {
        let path = format!("/users/{owner}/contacts/users/{friend}");
        client.call("POST", &path, json!(null)).await
    };
    for friend in names(0..3) {
        add("alice", &friend).await.ok();
    }
    add("alice", "f000").await.ok(); // Again is no more.
    for (owner, friend) in [("alice", "f003"), ("f003", "alice")] {
        let why = "user contact number exceed limit";
        expect_refusal(&add(owner, friend).await, 403, "exceed_limit", why);
    }
    assert!(tenant.friends_of("f003").await.unwrap().is_empty());
    let answer = client.call("DELETE", "/users/f000/contacts/users/alice", json!(null)).await;
    answer.ok();
    let import = json!({ "usernames": ["f003", "bob"] });
    let answer = client.call("POST", "/users/alice/contacts/import", import).await.ok();
    assert_eq!(answer["data"]["success"], json!(["f003"]), "{answer}");
    assert_eq!(answer["data"]["maxLimitFailed"], json!(["bob"]), "{answer}");
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["f001", "f002", "f003"]);
}

#[tokio::test]
async fn a_block_list_is_filled_to_its_limit_and_none_of_more() {
    let (app, tenant, client) = client(&["alice"]).await;
    app.set_limits(&tenant, block_limit(3)).await;
    tenant.crowd("f", 4).await;
    let path = "/users/alice/blocks/users";
    client.call("POST", path, json!({ "usernames": ["f000", "f001"] })).await.ok();
    let answer = client.call("POST", path, json!({ "usernames": ["f002", "f003"] })).await;
    expect_refusal(&answer, 403, "exceed_limit", "user block number exceed limit");
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["f001", "f000"]);
    client.call("POST", path, json!({ "usernames": ["f002"] })).await.ok();
}

#[tokio::test]
async fn nobody_is_their_own_friend_or_blocked_by_themselves() {
    let (_app, _tenant, client) = client(&["alice"]).await;
    for (method, path, body, field) in [
        ("POST", "/users/alice/contacts/users/ALICE", json!(null), "friend"),
        ("DELETE", "/users/alice/contacts/users/alice", json!(null), "friend"),
        ("POST", "/users/alice/blocks/users", json!({ "usernames": ["alice"] }), "usernames[0]"),
    ] {
        let answer = client.call(method, path, body).await;
        let why = format!("{field}: alice can't have a relation to themselves");
        expect_refusal(&answer, 400, "illegal_argument", &why);
    }
}

#[tokio::test]
async fn the_life_of_a_token_is_within_its_bounds_and_a_whole_number() {
    let (_app, tenant, client) = client(&["alice"]).await;
    let ask = async |ttl: Value| {
        let mut login = json!({
            "grant_type": "client_credentials",
            "client_id": tenant.app.client_id,
            "client_secret": tenant.client_secret,
        });
        if ttl != "absent" {
            login["ttl"] = ttl;
        }
        client.call("POST", "/token", login).await
    };
    let default = ask(json!("absent")).await.ok()["expires_in"].as_u64().unwrap();
    let longest = ask(json!(0)).await.ok()["expires_in"].as_u64().unwrap();
    // Some clients keep it in 32 bits, some renew a token 1500 seconds before its end.
    assert!(default > 1500 && default <= longest && longest <= i32::MAX as u64);
    for (ttl, life) in [
        (json!(null), default),
        (json!("0"), longest),
        (json!("86400"), 86_400),
        (json!(7200), 7200),
        (json!(1), 60),
        (json!(i64::MAX), longest),
        (json!(u64::MAX), longest),
    ] {
        let issued = ask(ttl.clone()).await.ok();
        assert_eq!(issued["expires_in"], life, "{ttl}");
        let token = issued["access_token"].as_str().unwrap();
        tenant.with_token(token).profile("alice").await.unwrap();
    }
    for bad in [json!(-1), json!(1.5), json!("x"), json!(""), json!(true), json!([1]), json!({})] {
        let why = "ttl must be a whole number of seconds, 0 or more";
        expect_refusal(&ask(bad).await, 400, "illegal_argument", why);
    }
}
