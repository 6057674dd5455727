//! Credentials that an app's owner chooses: which app they log in to, and what happens to them when the
//! keys that seal them change.

mod secrecy;

use std::process::Output;

use befriend::{
    clock::Clock,
    proto::{self, SetCredentialsRequest},
};
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{
    TestApp, binary, expect_error,
    http::ask,
    netease::{CREDENTIALS_KEY, NOON, NetEase, members, netease},
};

const GET: &str = "/friend/get.action";
const ALICE: &[(&str, &str)] = &[("accid", "alice")];

/// A secret that an app's owner chose.
const SECRET: &str = "a-secret-of-ours";

/// Another key that seals AppSecrets.
const NEW_KEY: &str = "HyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4=";

/// Gives an app credentials: Easemob's pair and NetEase's, empty to leave them.
async fn set(
    app: &TestApp,
    app_key: &str,
    client: (&str, &str),
    netease: (&str, &str),
) -> Result<proto::App, Status> {
    let request = SetCredentialsRequest {
        app_key: app_key.to_owned(),
        client_id: client.0.to_owned(),
        client_secret: client.1.to_owned(),
        netease_app_key: netease.0.to_owned(),
        netease_app_secret: netease.1.to_owned(),
        remove_netease_credentials: false,
    };
    Ok(app.apps().set_credentials(request).await?.into_inner().app.expect("an app"))
}

async fn remove(app: &TestApp, app_key: &str) {
    let request = SetCredentialsRequest {
        app_key: app_key.to_owned(),
        remove_netease_credentials: true,
        ..SetCredentialsRequest::default()
    };
    let without = app.apps().set_credentials(request).await.unwrap().into_inner().app.unwrap();
    assert_eq!(without.netease_app_key, "");
}

async fn delete(app: &TestApp, app_key: &str) {
    let request = proto::DeleteAppRequest { app_key: app_key.to_owned() };
    app.apps().delete_app(request).await.unwrap();
}

/// The field that a refused change names.
#[track_caller]
fn refused_field(answer: Result<proto::App, Status>) -> String {
    let details = expect_error(answer, Code::InvalidArgument, "INVALID_ARGUMENT");
    let violations = details.bad_request().unwrap().field_violations.clone();
    violations[0].field.clone()
}

#[tokio::test]
async fn changed_credentials_are_void_at_once() {
    let (app, tenant, first) = netease(&["alice"]).await;
    assert_eq!(first.code(GET, ALICE).await, 200);
    let second = app.netease_of(&tenant, "a-new-app-key").await;
    assert_eq!(first.code(GET, ALICE).await, 414, "another AppKey");
    assert_eq!(second.code(GET, ALICE).await, 200);

    let pair = ("a-new-app-key", "a new secret? no: no blanks");
    assert_eq!(refused_field(set(&app, "acme#chat", ("", ""), pair).await), "netease_app_secret");
    assert_eq!(second.code(GET, ALICE).await, 200, "nothing changed");
    set(&app, "acme#chat", ("", ""), ("a-new-app-key", "n3w-secret-of-the-app")).await.unwrap();
    assert_eq!(second.code(GET, ALICE).await, 414, "another AppSecret");
    let third = NetEase::new(&app, "a-new-app-key", "n3w-secret-of-the-app");
    assert_eq!(third.code(GET, ALICE).await, 200);

    remove(&app, "acme#chat").await;
    assert_eq!(third.code(GET, ALICE).await, 414);
    remove(&app, "acme#chat").await;
    tenant.profile("alice").await.unwrap(); // Its token lives on.
}

#[tokio::test]
async fn credentials_of_a_deleted_app_open_nothing_and_are_free_again() {
    let (app, tenant, client) = netease(&["alice"]).await;
    let pair = ("YXA6-brought-along", "YXA6-secret-brought-along");
    set(&app, "acme#chat", pair, ("", "")).await.unwrap();
    assert_eq!(client.code(GET, ALICE).await, 200);
    delete(&app, "acme#chat").await;
    assert_eq!(client.code(GET, ALICE).await, 414);
    tenant.profile("alice").await.unwrap_err();

    // The rows of the deleted one may still be there.
    let next = app.tenant("acme#chat").await;
    next.create(&["bob"]).await;
    set(&app, "acme#chat", pair, (&client.app_key, &client.app_secret)).await.unwrap();
    assert_eq!(client.code(GET, ALICE).await, 404, "it has users of its own");
    assert_eq!(client.code(GET, &[("accid", "bob")]).await, 200);
    app.login(pair.0, pair.1, None).await.unwrap();
}

#[tokio::test]
async fn what_another_app_has_is_refused_and_nothing_changes() {
    let (app, tenant, client) = netease(&["alice"]).await;
    let theirs = app.tenant("other#app").await;
    let taken = (client.app_key.as_str(), "another-chosen-secret");
    assert_eq!(refused_field(set(&app, "other#app", ("", ""), taken).await), "netease_app_key");
    let pair = (tenant.app.client_id.as_str(), "another-chosen-secret");
    assert_eq!(refused_field(set(&app, "other#app", pair, ("", "")).await), "client_id");
    // One half that can't be has the other stay as well.
    let fresh = ("a-fresh-client-id", SECRET);
    assert_eq!(refused_field(set(&app, "other#app", fresh, taken).await), "netease_app_key");
    app.login(fresh.0, fresh.1, None).await.unwrap_err();
    app.login(&theirs.app.client_id, &theirs.client_secret, None).await.unwrap();
    assert_eq!(client.code(GET, ALICE).await, 200);
    // The app's own may be set again.
    let own = (client.app_key.as_str(), client.app_secret.as_str());
    let same = (tenant.app.client_id.as_str(), tenant.client_secret.as_str());
    set(&app, "acme#chat", same, own).await.unwrap();
    assert_eq!(client.code(GET, ALICE).await, 200);
    expect_error(set(&app, "no#app", ("", ""), own).await, Code::NotFound, "APP_NOT_FOUND");
}

#[tokio::test]
async fn of_two_apps_that_take_one_app_key_at_once_one_gets_it() {
    let (app, _, _) = netease(&[]).await;
    for name in ["one#app", "two#app"] {
        app.tenant(name).await;
    }
    let app = std::sync::Arc::new(app);
    let answers = crate::support::race::race(2, |number| {
        let app = std::sync::Arc::clone(&app);
        let name = ["one#app", "two#app"][number];
        async move { set(&app, name, ("", ""), ("wanted-by-both", SECRET)).await }
    });
    let answers = answers.await;
    crate::support::race::only(&answers, &[Code::InvalidArgument]);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

#[tokio::test]
async fn chosen_credentials_log_in_by_grpc_and_by_http() {
    let (app, tenant, _) = netease(&["alice"]).await;
    let (id, secret) = ("YXA6HbLqcC1lEem4dSM9Zyj5rg", "YXA6-0123456789abcdef");
    let changed = set(&app, "acme#chat", (id, secret), ("", "")).await.unwrap();
    assert_eq!(changed.client_id, id);
    assert_ne!(changed.netease_app_key, "", "what is not named stays");
    let issued = app.login(id, secret, None).await.unwrap();
    tenant.with_token(&issued.access_token).profile("alice").await.unwrap();

    let login = async |id: &str, secret: &str| {
        let body = json!({
            "grant_type": "client_credentials", "client_id": id, "client_secret": secret,
        });
        let body = body.to_string();
        let answer = ask(&app.url, "POST", "/acme/chat/token", &[], body.as_bytes()).await;
        (answer.status, members(std::str::from_utf8(&answer.body).unwrap()))
    };
    let (status, answer) = login(id, secret).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["access_token"].as_str().unwrap();
    tenant.with_token(token).profile("alice").await.unwrap();

    // The old ones open nothing; what they opened stays open.
    let (old_id, old_secret) = (&tenant.app.client_id, &tenant.client_secret);
    assert_ne!(login(old_id, old_secret).await.0, 200);
    assert_ne!(login(id, old_secret).await.0, 200);
    let old = app.login(old_id, old_secret, None).await;
    expect_error(old, Code::Unauthenticated, "INVALID_CREDENTIALS");
    tenant.profile("alice").await.unwrap();
}

#[tokio::test]
async fn keys_change_without_a_client_noticing() {
    let (app, tenant, client) = netease(&["alice"]).await;
    let on = async |keys: &str| {
        let flags = ["--credentials-key", keys];
        TestApp::on(&app.database_url, &flags, Clock::stopped_at(NOON)).await
    };
    let asks = async |server: &TestApp, client: &NetEase| {
        let client = NetEase::new(server, &client.app_key, &client.app_secret);
        client.code(GET, ALICE).await
    };
    let (both, only_new) = (on(&format!("{NEW_KEY}, {CREDENTIALS_KEY}")).await, on(NEW_KEY).await);
    assert_eq!(asks(&both, &client).await, 200, "sealed with the old key");
    assert_eq!(asks(&only_new, &client).await, 500, "no key for it");

    // What is set from now on is sealed with the new one.
    set(&both, "acme#chat", ("", ""), ("key-2", "secret-2-of-the-app")).await.unwrap();
    let client = NetEase::new(&both, "key-2", "secret-2-of-the-app");
    assert_eq!(asks(&both, &client).await, 200);
    assert_eq!(asks(&only_new, &client).await, 200);
    assert_eq!(asks(&on(CREDENTIALS_KEY).await, &client).await, 500, "the old key alone");
    // A key that is lost loses nothing but its secrets: they are set again.
    set(&app, "acme#chat", ("", ""), ("key-2", "secret-3-of-the-app")).await.unwrap();
    let client = NetEase::new(&app, "key-2", "secret-3-of-the-app");
    assert_eq!(asks(&app, &client).await, 200);
    tenant.profile("alice").await.unwrap();
}

#[tokio::test]
async fn without_a_key_an_appsecret_is_refused_and_all_else_goes_on() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    let refused = set(&app, "acme#chat", ("id", SECRET), ("key", SECRET)).await;
    let said = refused.as_ref().unwrap_err().message().to_owned();
    assert!(said.contains("--credentials-key"), "{said}");
    assert_eq!(refused_field(refused), "netease_app_secret");
    app.login("id", SECRET, None).await.unwrap_err();
    set(&app, "acme#chat", ("id", SECRET), ("", "")).await.unwrap();
    app.login("id", SECRET, None).await.unwrap();
    remove(&app, "acme#chat").await;
    assert_eq!(NetEase::new(&app, "key", SECRET).code(GET, ALICE).await, 414);
    tenant.create(&["alice"]).await;
}

#[tokio::test]
async fn a_secret_of_less_than_16_characters_is_refused_wherever_it_is_chosen() {
    let (app, _tenant, client) = netease(&["alice"]).await;
    let short = &SECRET[1..];
    for (pair, netease, field) in [
        (("an-id", short), ("", ""), "client_secret"),
        (("", ""), ("a-key", short), "netease_app_secret"),
    ] {
        let refused = set(&app, "acme#chat", pair, netease).await;
        let said = refused.as_ref().unwrap_err().message().to_owned();
        assert!(said.contains("16-128 visible ASCII characters"), "{said}");
        assert_eq!(refused_field(refused), field);
    }
    let typing = ["app", "set-credentials", "acme#chat"];
    for (id, secret) in [
        ("BEFRIEND_CLIENT_ID", "BEFRIEND_CLIENT_SECRET"),
        ("BEFRIEND_NETEASE_APP_KEY", "BEFRIEND_NETEASE_APP_SECRET"),
    ] {
        let refused = typed(&app, &typing, &[(id, "an-id"), (secret, short)]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("16-128"), "{said}");
        assert!(!said.contains(short), "{said}");
    }
    assert_eq!(client.code(GET, ALICE).await, 200, "nothing changed");
    set(&app, "acme#chat", ("an-id", SECRET), ("a-key", SECRET)).await.unwrap();
}

/// Types a command on a database with a key.
fn typed(app: &TestApp, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let always = ["--database-url", &app.database_url, "--credentials-key", CREDENTIALS_KEY];
    let mut command = binary::command(&[arguments, &always].concat());
    command.envs(variables.iter().copied()).output().expect("the binary runs")
}

#[tokio::test]
async fn credentials_are_set_at_the_console_and_secrets_come_as_variables() {
    let (app, _tenant, _) = netease(&["alice"]).await;
    let set = ["app", "set-credentials", "acme#chat"];
    let variables = [
        ("BEFRIEND_CLIENT_ID", "an-id"),
        ("BEFRIEND_CLIENT_SECRET", "a-chosen-client-secret"),
        ("BEFRIEND_NETEASE_APP_KEY", "an-app-key"),
        ("BEFRIEND_NETEASE_APP_SECRET", "a-chosen-app-secret"),
    ];
    let done = typed(&app, &set, &variables);
    let printed = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(done.status.success(), "{printed}");
    assert!(printed.contains("an-id") && printed.contains("an-app-key"), "{printed}");
    assert!(!printed.contains("-secret"), "{printed}");
    // Another process has set them: this one never looked at them before.
    let client = NetEase::new(&app, "an-app-key", "a-chosen-app-secret");
    assert_eq!(client.code(GET, ALICE).await, 200);
    app.login("an-id", "a-chosen-client-secret", None).await.unwrap();

    let keyless = binary::run(&[
        "app",
        "set-credentials",
        "acme#chat",
        "--database-url",
        &app.database_url,
        "--netease-app-key",
        "key",
        "--netease-app-secret",
        SECRET,
    ]);
    let said = String::from_utf8(keyless.stderr).unwrap();
    assert!(!keyless.status.success() && said.contains("--credentials-key"), "{said}");
    for wrong in [
        &["--client-id", "without-a-secret"][..],
        &["--netease-app-key", "without-a-secret"],
        &["--remove-netease", "--netease-app-key", "key", "--netease-app-secret", "secret"],
        &[],
    ] {
        let refused = typed(&app, &[&set[..], wrong].concat(), &[]);
        assert!(!refused.status.success(), "{wrong:?} was taken");
        assert!(!refused.stderr.is_empty());
    }
    let done = typed(&app, &[&set[..], &["--remove-netease"]].concat(), &[]);
    assert!(done.status.success(), "{done:?}");
    let request = proto::GetAppRequest { app_key: "acme#chat".to_owned() };
    let left = app.apps().get_app(request).await.unwrap().into_inner().app.unwrap();
    assert_eq!((left.client_id.as_str(), left.netease_app_key.as_str()), ("an-id", ""));
}
