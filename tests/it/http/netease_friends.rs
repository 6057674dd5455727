//! What NetEase's friend calls mean.

use befriend::clock::Clock;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{
    netease::{NOON, NetEase, code, netease, netease_with},
    tenant::acme,
};

const ADD: &str = "/friend/add.action";
const UPDATE: &str = "/friend/update.action";
const DELETE: &str = "/friend/delete.action";
const GET: &str = "/friend/get.action";
const GET_BY_ACCID: &str = "/friend/getByAccid.action";

/// The form of two users, with more members.
fn pair<'a>(
    accid: &'a str,
    faccid: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    [&[("accid", accid), ("faccid", faccid)], more].concat()
}

impl NetEase {
    /// Adds by a type, and returns the code.
    async fn add(&self, accid: &str, faccid: &str, by: &str) -> i64 {
        self.code(ADD, &pair(accid, faccid, &[("type", by)])).await
    }

    /// An entry; null when there is none.
    async fn friend(&self, accid: &str, faccid: &str) -> Value {
        self.call(GET_BY_ACCID, &pair(accid, faccid, &[])).await["friend"].take()
    }

    /// Who changed after a time, in the order of the answer.
    async fn changed(&self, accid: &str, since: &[(&str, &str)]) -> Vec<String> {
        let answer = self.taken(GET, &[&[("accid", accid)], since].concat()).await;
        let friends = answer["friends"].as_array().unwrap();
        assert_eq!(answer["size"], friends.len());
        friends.iter().map(|friend| friend["faccid"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn type_1_makes_friends_at_once_and_again_changes_nothing() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    tenant.block("bob", &["alice"]).await.unwrap();
    assert_eq!(client.add("alice", "bob", "1").await, 200, "whatever is blocked");
    let version = tenant.head("alice").await.unwrap().version;
    let again = pair("alice", "bob", &[("type", "1"), ("serverex", "late"), ("msg", "hello")]);
    client.taken(ADD, &again).await;
    assert_eq!(client.add("bob", "alice", "1").await, 200);
    assert_eq!(tenant.head("alice").await.unwrap().version, version);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
    assert_eq!(client.friend("alice", "bob").await["serverex"], Value::Null);
}

#[tokio::test]
async fn type_2_asks_and_type_3_agrees_with_the_answerers_extension() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    let ask = pair("alice", "bob", &[("type", "2"), ("msg", "我是 Alice")]);
    client.taken(ADD, &ask).await;
    client.taken(ADD, &ask).await;
    assert!(tenant.friends_of("alice").await.unwrap().is_empty(), "nobody agreed yet");
    let head = tenant.head("bob").await.unwrap();
    assert_eq!((head.incoming_friend_request_count, head.friend_count), (1, 0));

    let agree = pair("bob", "alice", &[("type", "3"), ("serverex", "met online")]);
    client.taken(ADD, &agree).await;
    let head = tenant.head("bob").await.unwrap();
    assert_eq!((head.incoming_friend_request_count, head.friend_count), (0, 1));
    assert_eq!(client.friend("bob", "alice").await["serverex"], "met online");
    assert_eq!(client.friend("alice", "bob").await["serverex"], Value::Null);

    // To agree again changes nothing.
    let other = pair("bob", "alice", &[("type", "3"), ("serverex", "later")]);
    client.taken(ADD, &other).await;
    assert_eq!(client.friend("bob", "alice").await["serverex"], "met online");
    assert_eq!(tenant.head("bob").await.unwrap(), head);
}

#[tokio::test]
async fn to_agree_with_an_extension_is_one_change() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    let before = tenant.head("bob").await.unwrap().version;
    client.taken(ADD, &pair("bob", "alice", &[("type", "3"), ("serverex", "x")])).await;
    let plain = {
        let (_app, tenant) = acme(&["alice", "bob"]).await;
        tenant.ask("alice", "bob", "").await.unwrap();
        let before = tenant.head("bob").await.unwrap().version;
        tenant.accept("alice", "bob").await.unwrap();
        tenant.head("bob").await.unwrap().version - before
    };
    assert_eq!(tenant.head("bob").await.unwrap().version - before, plain);
}

#[tokio::test]
async fn type_3_makes_friends_also_where_nobody_asked() {
    let (_app, tenant, client) = netease(&["alice", "bob", "carol"]).await;
    client.taken(ADD, &pair("bob", "alice", &[("type", "3"), ("serverex", "vip")])).await;
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    assert_eq!(client.friend("bob", "alice").await["serverex"], "vip");
    assert_eq!(client.add("bob", "alice", "3").await, 200, "friends already");

    // A request that was turned down is no pending one.
    tenant.ask("carol", "alice", "").await.unwrap();
    assert_eq!(client.add("alice", "carol", "4").await, 200);
    assert_eq!(client.add("alice", "carol", "3").await, 200);
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "carol"]);

    // Friends who parted can agree once more.
    tenant.unfriend("alice", "bob").await.unwrap();
    assert_eq!(client.add("alice", "bob", "3").await, 200);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
}

#[tokio::test]
async fn type_4_turns_a_request_down_and_again_is_fine() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    tenant.ask("alice", "bob", "").await.unwrap();
    assert_eq!(client.add("alice", "bob", "4").await, 404, "it is not alice's to turn down");
    let no = pair("bob", "alice", &[("type", "4"), ("msg", "not now")]);
    client.taken(ADD, &no).await;
    client.taken(ADD, &no).await;
    assert_eq!(tenant.head("alice").await.unwrap().outgoing_friend_request_count, 0);
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert_eq!(client.add("alice", "bob", "2").await, 200, "to ask again");
    assert_eq!(client.add("bob", "alice", "2").await, 200, "who asks back agrees");
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["alice"]);
}

#[tokio::test]
async fn a_type_must_be_one_of_four() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    for by in ["0", "5", "-1", "", "one", "1.0", "99999999999999999999"] {
        assert_eq!(client.add("alice", "bob", by).await, 414, "{by}");
    }
    assert_eq!(client.code(ADD, &pair("alice", "bob", &[])).await, 414, "no type");
    assert!(tenant.friends_of("alice").await.unwrap().is_empty());
    assert_eq!(client.add("alice", "bob", " 1 ").await, 200);
}

#[tokio::test]
async fn nobody_is_a_friend_of_oneself() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    for by in ["1", "2", "3"] {
        assert_eq!(client.add("alice", "ALICE", by).await, 414, "{by}");
    }
    assert_eq!(client.code(DELETE, &pair("alice", "alice", &[])).await, 414);
}

#[tokio::test]
async fn an_update_leaves_what_is_absent_and_clears_what_is_empty() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let all = [("alias", "Bobby"), ("ex", "e"), ("serverex", "s")];
    client.taken(UPDATE, &pair("alice", "bob", &all)).await;
    let version = tenant.head("alice").await.unwrap().version;
    client.taken(UPDATE, &pair("alice", "bob", &[])).await;
    client.taken(UPDATE, &pair("alice", "bob", &all)).await;
    assert_eq!(tenant.head("alice").await.unwrap().version, version, "nothing changed");

    let texts = async |client: &NetEase| {
        let entry = client.friend("alice", "bob").await;
        ["alias", "ex", "serverex"].map(|name| entry.get(name).cloned())
    };
    let (set, null) = (|text: &str| Some(json!(text)), Some(Value::Null));
    assert_eq!(texts(&client).await, [set("Bobby"), set("e"), set("s")]);
    client.taken(UPDATE, &pair("alice", "bob", &[("ex", "")])).await;
    assert_eq!(texts(&client).await, [set("Bobby"), null.clone(), set("s")]);
    client.taken(UPDATE, &pair("alice", "bob", &[("serverex", ""), ("ex", "2")])).await;
    assert_eq!(texts(&client).await, [set("Bobby"), set("2"), null.clone()]);
    client.taken(UPDATE, &pair("alice", "bob", &[("alias", "")])).await;
    assert_eq!(texts(&client).await, [None, set("2"), null.clone()]);

    let other = client.friend("bob", "alice").await;
    assert_eq!((&other["ex"], other.get("alias")), (&Value::Null, None), "one's own entry only");
}

#[tokio::test]
async fn texts_are_taken_up_to_their_length_in_characters() {
    let (_app, _tenant, client) = netease(&["alice", "bob"]).await;
    for (path, name, max, more) in [
        (ADD, "msg", 256, &[("type", "2")][..]),
        (ADD, "serverex", 256, &[("type", "1")]),
        (UPDATE, "alias", 128, &[]),
        (UPDATE, "ex", 256, &[]),
        (UPDATE, "serverex", 256, &[]),
    ] {
        for character in ["x", "好", "👍"] {
            let long = character.repeat(max + 1);
            let form = [pair("alice", "bob", more), vec![(name, long.as_str())]].concat();
            let answer = client.call(path, &form).await;
            assert_eq!(code(&answer), 414, "{name} {character}");
            assert!(answer["desc"].as_str().unwrap().contains(name), "{answer}");
            let longest = character.repeat(max);
            let form = [pair("alice", "bob", more), vec![(name, longest.as_str())]].concat();
            client.taken(path, &form).await;
            if path == ADD {
                client.taken(DELETE, &pair("alice", "bob", &[])).await;
                client.code(ADD, &pair("bob", "alice", &[("type", "4")])).await;
            }
        }
        if path == ADD && name == "serverex" {
            assert_eq!(client.add("alice", "bob", "1").await, 200);
        }
    }
    let entry = client.friend("alice", "bob").await;
    for (name, max) in [("alias", 128), ("ex", 256), ("serverex", 256)] {
        assert_eq!(entry[name], "👍".repeat(max));
    }
}

#[tokio::test]
async fn an_accid_has_up_to_32_characters_and_no_case() {
    let long = "A".repeat(32);
    let (_app, tenant, client) = netease(&["alice", &long]).await;
    assert_eq!(client.add("Alice", &long, "1").await, 200);
    assert_eq!(client.friend("ALICE", &long).await["faccid"], "a".repeat(32));
    // A longer name is somebody whom only the other surfaces can name.
    let longer = "a".repeat(33);
    tenant.create(&[&longer]).await;
    for bad in [longer.as_str(), "", "a b", "好", "a/b", "a%00"] {
        for (accid, faccid) in [(bad, "alice"), ("alice", bad)] {
            assert_eq!(client.add(accid, faccid, "1").await, 414, "{bad:?}");
        }
        assert_eq!(client.code(GET, &[("accid", bad)]).await, 414, "{bad:?}");
    }
    tenant.befriend("alice", &longer).await.unwrap();
    assert!(client.changed("alice", &[]).await.contains(&longer), "it is told all the same");
}

#[tokio::test]
async fn an_alias_outlives_a_friendship_unless_it_is_told_to_go() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    let meet = async |alias: &[(&str, &str)]| {
        assert_eq!(client.add("alice", "bob", "1").await, 200);
        client.taken(UPDATE, &pair("alice", "bob", alias)).await;
        client.friend("alice", "bob").await.get("alias").cloned()
    };
    assert_eq!(meet(&[("alias", "Bobby"), ("ex", "e")]).await, Some(json!("Bobby")));
    for keep in [None, Some("false"), Some("0"), Some(""), Some("FALSE")] {
        let flag = keep.map(|keep| ("isDeleteAlias", keep));
        client.taken(DELETE, &pair("alice", "bob", flag.as_slice())).await;
        assert_eq!(client.friend("alice", "bob").await, Value::Null);
        assert_eq!(meet(&[]).await, Some(json!("Bobby")), "{keep:?}");
        assert_eq!(client.friend("alice", "bob").await["ex"], Value::Null, "only the alias stays");
    }
    for forget in ["true", "1", "True"] {
        assert_eq!(meet(&[("alias", "Bobby")]).await, Some(json!("Bobby")));
        client.taken(DELETE, &pair("alice", "bob", &[("isDeleteAlias", forget)])).await;
        assert_eq!(meet(&[]).await, None, "{forget}");
    }
    // It can be told to go later, too.
    assert_eq!(meet(&[("alias", "Bobby")]).await, Some(json!("Bobby")));
    client.taken(DELETE, &pair("alice", "bob", &[])).await;
    client.taken(DELETE, &pair("alice", "bob", &[("isDeleteAlias", "true")])).await;
    assert_eq!(meet(&[]).await, None);
    // The other side's alias is the other's.
    tenant.remark("bob", "alice", "Al").await.unwrap();
    client.taken(DELETE, &pair("alice", "bob", &[("isDeleteAlias", "true")])).await;
    assert_eq!(client.add("alice", "bob", "1").await, 200);
    assert_eq!(client.friend("bob", "alice").await["alias"], "Al");
    assert_eq!(client.code(DELETE, &pair("alice", "bob", &[("isDeleteAlias", "x")])).await, 414);
}

#[tokio::test]
async fn a_list_holds_what_changed_after_a_time_and_nothing_else() {
    let clock = Clock::stopped_at(NOON);
    let (_app, tenant, client) = netease_with(&[], clock.clone()).await;
    tenant.create(&["alice", "bob", "carol", "dave"]).await;
    let noon = NOON.unix_timestamp() * 1000;
    for (friend, after) in [("carol", 0), ("bob", 1), ("dave", 10)] {
        clock.advance(NOON + Duration::milliseconds(after) - clock.now());
        assert_eq!(client.add("alice", friend, "1").await, 200);
    }
    let since = async |name: &str, millis: i64| {
        client.changed("alice", &[(name, &millis.to_string())]).await
    };
    for name in ["updatetime", "createtime"] {
        assert_eq!(since(name, noon - 1).await, ["carol", "bob", "dave"]);
        assert_eq!(since(name, noon).await, ["bob", "dave"], "after, and not at");
        assert_eq!(since(name, noon + 1).await, ["dave"]);
        assert_eq!(since(name, noon + 10).await, [] as [&str; 0]);
        for whole in [0, -1, NOON.unix_timestamp(), i64::MIN] {
            assert_eq!(since(name, whole).await, ["carol", "bob", "dave"], "{whole}");
        }
    }
    assert_eq!(client.changed("alice", &[]).await, ["carol", "bob", "dave"], "without a time");
    let later = (noon + 1).to_string();
    let both = [("createtime", "0"), ("updatetime", later.as_str())];
    assert_eq!(client.changed("alice", &both).await, ["dave"], "updatetime is meant");
    for bad in ["", "yesterday", "1.5", "9223372036854775808", "9223372036854775807"] {
        let form = [("accid", "alice"), ("updatetime", bad)];
        assert_eq!(client.code(GET, &form).await, 414, "{bad}");
    }

    // An alias is a change of one's own entry.
    clock.advance(Duration::milliseconds(10));
    client.taken(UPDATE, &pair("alice", "carol", &[("alias", "C")])).await;
    assert_eq!(since("updatetime", noon + 10).await, ["carol"]);
    assert_eq!(client.changed("carol", &[("updatetime", &later)]).await, [] as [&str; 0]);
}

#[tokio::test]
async fn nothing_is_missed_for_a_time_told_in_milliseconds() {
    let clock = Clock::stopped_at(NOON + Duration::microseconds(300));
    let (_app, tenant, client) = netease_with(&[], clock.clone()).await;
    tenant.create(&["alice", "bob", "carol"]).await;
    assert_eq!(client.add("alice", "bob", "1").await, 200);
    let told = client.friend("alice", "bob").await["updatetime"].as_i64().unwrap();
    clock.advance(Duration::microseconds(300));
    assert_eq!(client.add("alice", "carol", "1").await, 200);
    let told = told.to_string();
    let changed = client.changed("alice", &[("updatetime", told.as_str())]).await;
    assert!(changed.contains(&"carol".to_owned()), "{changed:?}");
}

#[tokio::test]
async fn who_was_removed_is_in_no_list_and_who_is_added_again_is_new() {
    let clock = Clock::stopped_at(NOON);
    let (_app, tenant, client) = netease_with(&[], clock.clone()).await;
    tenant.create(&["alice", "bob"]).await;
    assert_eq!(client.add("alice", "bob", "1").await, 200);
    clock.advance(Duration::seconds(1));
    client.taken(DELETE, &pair("bob", "alice", &[])).await;
    for owner in ["alice", "bob"] {
        assert_eq!(client.changed(owner, &[]).await, [] as [&str; 0]);
    }
    client.taken(DELETE, &pair("bob", "alice", &[])).await;
    clock.advance(Duration::seconds(1));
    assert_eq!(client.add("alice", "bob", "1").await, 200);
    let entry = client.friend("alice", "bob").await;
    let now = clock.now().unix_timestamp() * 1000;
    assert_eq!(entry["createtime"], now);
    let since = (now - 1).to_string();
    assert_eq!(client.changed("alice", &[("updatetime", &since)]).await, ["bob"]);
}

#[tokio::test]
async fn a_list_of_thousands_is_told_whole() {
    let (_app, tenant, client) = netease(&["alice"]).await;
    let names = tenant.crowd("f", 620).await;
    for chunk in names.chunks(10) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        tenant.import("alice", &chunk).await.unwrap();
    }
    let mut changed = client.changed("alice", &[]).await;
    changed.sort();
    assert_eq!(changed, names);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_beside_a_request_answers_it_or_comes_before_it() {
    const PAIRS: usize = 40;
    let (app, tenant, client) = netease_with(&["--deliver", "false"], Clock::system()).await;
    app.keep_events(&tenant).await;
    let names: Vec<(String, String)> =
        (0..PAIRS).map(|n| (format!("requester{n}"), format!("recipient{n}"))).collect();
    let all: Vec<&str> = names.iter().flat_map(|(one, other)| [&**one, &**other]).collect();
    tenant.create(&all).await;
    let mut sent = Vec::new();
    for (requester, recipient) in &names {
        let accept = client.add(recipient, requester, "3");
        let (code, request) = tokio::join!(accept, tenant.ask(requester, recipient, ""));
        assert_eq!(code, 200);
        if request.is_ok() {
            sent.push(format!("friend.request_accepted {recipient}>{requester}"));
        }
    }
    // A request that came first was accepted, and that was recorded; one that came second was refused,
    // since the two were friends.
    let mut accepted = app.told().await;
    accepted.retain(|event| event.starts_with("friend.request_accepted"));
    assert_eq!(accepted, sent);
}
