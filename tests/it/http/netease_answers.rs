//! The samples of NetEase's document, request by request: what comes back is what stands there, member
//! by member and in the same order.

use befriend::clock::Clock;
use time::OffsetDateTime;

use crate::support::{
    http::ask,
    netease::{NOON, NetEase, netease, netease_with, text_of},
};

const DONE: &str = r#"{"code":200}"#;

/// Posts a body as it stands in a sample, below `/nimserver` and below nothing, with the Content-Type
/// of the samples.
async fn posted(client: &NetEase, path: &str, body: &str) -> [String; 2] {
    let mut answers = Vec::new();
    for prefix in ["/nimserver", ""] {
        let kind = ("Content-Type", "application/x-www-form-urlencoded".to_owned());
        let headers = [vec![kind], client.headers()].concat();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = format!("{prefix}{path}");
        let answer = ask(&client.url, "POST", &path, &headers, body.as_bytes()).await;
        answers.push(text_of(&answer));
    }
    answers.try_into().unwrap()
}

#[tokio::test]
async fn what_only_changes_something_answers_a_code_alone() {
    let (_app, tenant, client) = netease(&["zhangsan", "lisi"]).await;
    for (path, body) in [
        ("/friend/add.action", "accid=zhangsan&faccid=lisi&type=1"),
        ("/friend/update.action", "accid=zhangsan&faccid=lisi&alias=lisi"),
    ] {
        assert_eq!(posted(&client, path, body).await, [DONE, DONE], "{path}");
    }
    assert_eq!(tenant.entry("zhangsan", "lisi").await.unwrap().remark, "lisi");

    let body = "accid=zhangsan&faccid=lisi";
    assert_eq!(posted(&client, "/friend/delete.action", body).await, [DONE, DONE]);
    assert!(tenant.friends_of("lisi").await.unwrap().is_empty());

    let body = "accid=zhangsan&targetAcc=lisi&relationType=1&value=1";
    assert_eq!(posted(&client, "/user/setSpecialRelation.action", body).await, [DONE, DONE]);
    assert_eq!(tenant.blocked_by("zhangsan").await.unwrap(), ["lisi"]);
}

#[tokio::test]
async fn every_type_of_add_answers_a_code_alone() {
    let (_app, _tenant, client) = netease(&["zhangsan", "lisi", "wangwu"]).await;
    // The message of the document's table, encoded as UTF-8.
    let steps = [
        "accid=zhangsan&faccid=lisi&type=2&msg=%E6%88%91%E6%98%AFxx",
        "accid=lisi&faccid=zhangsan&type=3",
        "accid=wangwu&faccid=lisi&type=2",
        "accid=lisi&faccid=wangwu&type=4&msg=no",
    ];
    for body in steps {
        let headers = client.headers();
        let answer = client.post("/friend/add.action", &headers, body.as_bytes()).await;
        assert_eq!(answer, DONE, "{body}");
    }
}

#[tokio::test]
async fn a_list_and_an_entry_are_as_the_document_shows_them() {
    let at = |millis: i128| OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap();
    let clock = Clock::stopped_at(at(1_440_037_706_987));
    let (_app, tenant, client) = netease_with(&[], clock.clone()).await;
    tenant.create(&["zhangsan", "t2", "t3", "lisi"]).await;
    tenant.befriend("zhangsan", "t2").await.unwrap();
    clock.advance(at(1_440_037_718_190) - clock.now());
    tenant.befriend("zhangsan", "t3").await.unwrap();
    tenant.remark("zhangsan", "t3", "t3").await.unwrap();

    let list = r#"{"code":200,"size":2,"friends":[{"createtime":1440037706987,"bidirection":true,"faccid":"t2"},{"createtime":1440037718190,"bidirection":true,"faccid":"t3","alias":"t3"}]}"#;
    let path = "/friend/get.action";
    for since in ["updatetime=1440037706986", "createtime=1440037706986"] {
        let body = format!("accid=zhangsan&{since}");
        assert_eq!(posted(&client, path, &body).await, [list, list], "{body}");
    }
    // As it stands in the document, where the answer is of another time.
    let none = r#"{"code":200,"size":0,"friends":[]}"#;
    let body = "accid=zhangsan&createtime=1443599631111";
    assert_eq!(posted(&client, path, body).await, [none, none]);

    let entry = r#"{"code":200,"friend":{"createtime":1440037706987,"ex":null,"bidirection":true,"faccid":"t2","serverex":null,"updatetime":1440037706987}}"#;
    let path = "/friend/getByAccid.action";
    assert_eq!(posted(&client, path, "accid=zhangsan&faccid=t2").await, [entry, entry]);
    let strangers = r#"{"code":404}"#;
    let body = "accid=zhangsan&faccid=lisi";
    assert_eq!(posted(&client, path, body).await, [strangers, strangers]);
}

#[tokio::test]
async fn an_entry_with_everything_has_all_members_in_their_order() {
    let (app, _tenant, client) = netease(&["zhangsan", "lisi"]).await;
    let pair = [("accid", "zhangsan"), ("faccid", "lisi")];
    let add = [&pair[..], &[("type", "1"), ("serverex", "vip")]].concat();
    client.taken("/friend/add.action", &add).await;
    app.core.clock.advance(time::Duration::milliseconds(1));
    let update = [&pair[..], &[("alias", "同事"), ("ex", "a=b")]].concat();
    client.taken("/friend/update.action", &update).await;

    let created = NOON.unix_timestamp() * 1000;
    let updated = created + 1;
    let list = format!(
        r#"{{"code":200,"size":1,"friends":[{{"createtime":{created},"bidirection":true,"faccid":"lisi","alias":"同事","ex":"a=b","serverex":"vip","updatetime":{updated}}}]}}"#
    );
    let body = "accid=zhangsan&updatetime=0";
    assert_eq!(posted(&client, "/friend/get.action", body).await, [list.as_str(), list.as_str()]);
    let entry = format!(
        r#"{{"code":200,"friend":{{"createtime":{created},"ex":"a=b","bidirection":true,"faccid":"lisi","serverex":"vip","updatetime":{updated},"alias":"同事"}}}}"#
    );
    let answers = posted(&client, "/friend/getByAccid.action", "accid=zhangsan&faccid=lisi").await;
    assert_eq!(answers, [entry.as_str(), entry.as_str()]);
}

#[tokio::test]
async fn a_new_user_and_the_two_lists_are_as_the_vendor_answers_them() {
    let (_app, tenant, client) = netease(&["lisi", "t2"]).await;
    let path = "/user/create.action";
    let body = b"accid=zhangsan&name=Zhang+San&token=9f2c";
    let answer = client.post(path, &client.headers(), body).await;
    let info = r#"{"code":200,"info":{"token":"9f2c","accid":"zhangsan","name":"Zhang San"}}"#;
    assert_eq!(answer, info);
    assert_eq!(tenant.profile("zhangsan").await.unwrap().nickname, "Zhang San");
    let again = r#"{"code":414,"desc":"already register"}"#;
    assert_eq!(posted(&client, path, "accid=zhangsan").await, [again, again]);

    let path = "/user/listBlackAndMuteList.action";
    let none = r#"{"code":200,"mutelist":[],"blacklist":[]}"#;
    assert_eq!(posted(&client, path, "accid=zhangsan").await, [none, none]);
    tenant.block("zhangsan", &["lisi"]).await.unwrap();
    tenant.block("zhangsan", &["t2"]).await.unwrap();
    let two = r#"{"code":200,"mutelist":[],"blacklist":["t2","lisi"]}"#;
    assert_eq!(posted(&client, path, "accid=zhangsan").await, [two, two]);
}

#[tokio::test]
async fn whoever_asks_whether_somebody_is_there_needs_no_credentials() {
    let (_app, _tenant, client) = netease(&[]).await;
    for path in ["/nimserver/health/liveness.action", "/health/liveness.action"] {
        let answer = ask(&client.url, "GET", path, &[], b"").await;
        assert_eq!(text_of(&answer), DONE);
    }
}
