//! Where credentials and keys do not show: in the database, in the log, in messages.

use befriend::{
    clock::Clock,
    domain::{CredentialsChange, Keyring, Secret},
};

use super::{ALICE, GET, NEW_KEY, set};
use crate::support::{
    app::{OPERATOR_TOKEN, settings},
    binary::{self, Service},
    http::ask,
    netease::{CREDENTIALS_KEY, NetEase, code, form_of, members, netease, netease_with, text_of},
};

#[tokio::test]
async fn an_appsecret_can_not_be_read_in_the_database() {
    let (app, _tenant, client) = netease(&["alice"]).await;
    app.tenant("other#app").await;
    let pair = ("another-app-key", client.app_secret.as_str());
    set(&app, "other#app", ("client-of-other", "the-clients-secret"), pair).await.unwrap();
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "select a::text || encode(a.netease_secret, 'escape'), a.netease_secret
         from apps a
         order by a.app_key",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(rows.len(), 2);
    for (row, sealed) in &rows {
        assert!(row.contains("app-key") || row.contains(&client.app_key), "{row}");
        for secret in [client.app_secret.as_str(), "the-clients-secret", CREDENTIALS_KEY] {
            assert!(!row.contains(secret), "{row}");
        }
        let length = sealed.len();
        assert!(length > client.app_secret.len(), "{length} bytes are too few for a seal");
    }
    assert_ne!(rows[0].1, rows[1].1, "one secret, sealed twice");

    // Somebody who writes to the table can't give one app's secret to another.
    sqlx::query("update apps set netease_secret = $1 where app_key = 'other#app'")
        .bind(&rows[0].1)
        .execute(app.pool())
        .await
        .unwrap();
    let other = NetEase::new(&app, pair.0, pair.1);
    assert_eq!(other.code(GET, ALICE).await, 500);
    assert_eq!(client.code(GET, ALICE).await, 200);
}

#[test]
fn a_key_that_is_none_is_refused_at_the_start_and_not_shown() {
    let short = "c2hvcnRlciB0aGFuIDMyIGJ5dGVzLCBidXQgbG9uZw==";
    for keys in ["no-key-at-all-but-long-enough-for-a-secret", short, &format!("{NEW_KEY},")] {
        let output = binary::run(&["serve", "--credentials-key", keys]);
        assert!(!output.status.success(), "{keys} was taken");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--credentials-key") && !said.contains(keys), "{said}");
    }
}

#[test]
fn no_secret_shows_in_debug_output() {
    let pair = ("an-id", "a-chosen-client-secret");
    let change = CredentialsChange::parse(pair, ("a-key", "a-chosen-app-secret"), false).unwrap();
    let keyring = Keyring::parse(&Secret::presented(CREDENTIALS_KEY)).unwrap();
    let settings = settings(&["--credentials-key", CREDENTIALS_KEY]);
    let shown = format!("{change:?} {keyring:?} {settings:?}");
    for secret in ["a-chosen-client-secret", "a-chosen-app-secret", CREDENTIALS_KEY] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn the_log_names_calls_and_codes_and_no_secret_and_no_content() {
    let (app, tenant, _) = netease_with(&[], Clock::system()).await;
    tenant.create(&["zz-one", "zz-two"]).await;
    let known = app.netease_of(&tenant, "the-app-key").await;
    let flags = ["--database-url", &app.database_url, "--operator-token", OPERATOR_TOKEN];
    let start = async |keys: &str| {
        Service::start(&[&flags[..], &["--credentials-key", keys]].concat()).await
    };
    let post = async |service: &Service, path: &str, form: &[(&str, &str)]| {
        let headers = known.headers();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = format!("/nimserver{path}");
        let answer = ask(&service.url, "POST", &path, &headers, form_of(form).as_bytes()).await;
        members(&text_of(&answer))
    };
    let pair = [("accid", "zz-one"), ("faccid", "zz-two")];
    let with = |more: &[(&'static str, &'static str)]| [&pair[..], more].concat();

    let mut service = start(CREDENTIALS_KEY).await;
    let add = with(&[("type", "1"), ("msg", "a message"), ("serverex", "an extension")]);
    assert_eq!(code(&post(&service, "/friend/add.action", &add).await), 200);
    let update = with(&[("alias", "an alias")]);
    assert_eq!(code(&post(&service, "/friend/update.action", &update).await), 200);
    let create = [("accid", "zz-three"), ("name", "a nickname"), ("token", "a-token")];
    assert_eq!(code(&post(&service, "/user/create.action", &create).await), 200);
    let unknown = [("accid", "zz-nobody")];
    assert_eq!(code(&post(&service, GET, &unknown).await), 404);
    assert_eq!(code(&post(&service, GET, &[("accid", "zz four")]).await), 414);
    assert!(service.stop().await, "{}", service.logged);
    let mut logged = service.logged.clone();
    let lines = logged.lines().map(members);
    let lines = lines.filter(|line| line["message"] == "request");
    let seen: Vec<[String; 3]> = lines
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or("").to_owned();
            [text("operation"), line["netease_code"].to_string(), text("app")]
        })
        .collect();
    let expected = [
        ["FriendService/AddFriend", "200", "acme#chat"],
        ["FriendService/UpdateFriend", "200", "acme#chat"],
        ["UserService/CreateUser", "200", "acme#chat"],
        ["FriendService/SyncFriends", "404", "acme#chat"],
        ["FriendService/SyncFriends", "414", "acme#chat"],
    ];
    assert_eq!(seen, expected);

    // A key that is missing is an error of the operator's, and told in the log only.
    let mut service = start(NEW_KEY).await;
    let answer = post(&service, GET, &[("accid", "zz-one")]).await;
    assert_eq!(code(&answer), 500);
    assert!(!answer["desc"].as_str().unwrap().contains("key"), "{answer}");
    let line = service.logs("internal error").await;
    assert_eq!(line["level"], "ERROR", "{line}");
    let detail = line["detail"].as_str().unwrap();
    assert!(detail.contains("--credentials-key") && detail.contains("acme#chat"), "{detail}");
    assert!(service.stop().await, "{}", service.logged);
    logged += &service.logged;

    let secrets = [known.app_secret.as_str(), CREDENTIALS_KEY, NEW_KEY, "CheckSum", "a-token"];
    let contents = ["zz-", "zz ", "a message", "an extension", "an alias", "a nickname"];
    for telling in secrets.into_iter().chain(contents) {
        assert!(!logged.contains(telling), "{telling} stands in {logged}");
    }
}
