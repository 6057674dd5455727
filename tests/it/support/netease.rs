//! A client of NetEase's server API, as their SDKs are.

use std::sync::atomic::{AtomicU32, Ordering};

use befriend::{clock::Clock, proto};
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use time::{OffsetDateTime, macros::datetime};

use super::{
    Tenant, TestApp,
    http::{Answer, ask},
};

/// A key that seals AppSecrets.
pub const CREDENTIALS_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The time at which the clocks of these tests stand, unless they are moved.
pub const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// What an SDK is given: an address and credentials.
pub struct NetEase {
    /// The server, as "http://127.0.0.1:port".
    pub url: String,
    /// What stands before the calls' paths: "/nimserver" or nothing.
    pub prefix: &'static str,
    /// The app's AppKey.
    pub app_key: String,
    /// Its AppSecret.
    pub app_secret: String,
    /// Tells the CurTime.
    pub clock: Clock,
    nonces: AtomicU32,
}

/// A server with this clock that can keep AppSecrets, one tenant and its client.
pub async fn netease_with(flags: &[&str], clock: Clock) -> (TestApp, Tenant, NetEase) {
    let flags = [&["--credentials-key", CREDENTIALS_KEY], flags].concat();
    let app = TestApp::with(&flags, clock).await;
    let tenant = app.tenant("acme#chat").await;
    let client = app.netease_of(&tenant, "go9dnk49bkd9jd9vmel1kglw0803mgq3").await;
    (app, tenant, client)
}

/// A server whose clock stands at noon, one tenant with these users, and its client.
pub async fn netease(usernames: &[&str]) -> (TestApp, Tenant, NetEase) {
    let (app, tenant, client) = netease_with(&[], Clock::stopped_at(NOON)).await;
    tenant.create(usernames).await;
    (app, tenant, client)
}

impl TestApp {
    /// Gives a tenant an AppKey and an AppSecret, and returns a client with them.
    pub async fn netease_of(&self, tenant: &Tenant, app_key: &str) -> NetEase {
        let app_secret = format!("secret-of-{app_key}");
        let request = proto::SetCredentialsRequest {
            app_key: tenant.app.app_key.clone(),
            netease_app_key: app_key.to_owned(),
            netease_app_secret: app_secret.clone(),
            ..proto::SetCredentialsRequest::default()
        };
        self.apps().set_credentials(request).await.expect("credentials");
        NetEase::new(self, app_key, &app_secret)
    }
}

impl NetEase {
    /// A client with these credentials.
    pub fn new(app: &TestApp, app_key: &str, app_secret: &str) -> Self {
        Self::at(&app.url, app_key, app_secret, app.core.clock.clone())
    }

    /// A client with these credentials and this clock, of the server at "http://host:port".
    pub fn at(url: &str, app_key: &str, app_secret: &str, clock: Clock) -> Self {
        let (app_key, app_secret) = (app_key.to_owned(), app_secret.to_owned());
        let prefix = "/nimserver";
        let nonces = AtomicU32::new(0);
        Self { url: url.to_owned(), prefix, app_key, app_secret, clock, nonces }
    }

    /// The headers of a call that is made now.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let nonce = format!("nonce-{}", self.nonces.fetch_add(1, Ordering::Relaxed));
        self.headers_with(&nonce, &self.clock.now().unix_timestamp().to_string())
    }

    /// The headers of a call with this Nonce and this CurTime.
    pub fn headers_with(&self, nonce: &str, cur_time: &str) -> Vec<(&'static str, String)> {
        let sum = Sha1::digest(format!("{}{nonce}{cur_time}", self.app_secret));
        vec![
            ("AppKey", self.app_key.clone()),
            ("Nonce", nonce.to_owned()),
            ("CurTime", cur_time.to_owned()),
            ("CheckSum", hex::encode(sum)),
        ]
    }

    /// Posts a body with these headers, and returns the answer's text; `path` is without prefix.
    pub async fn post(&self, path: &str, headers: &[(&str, String)], body: &[u8]) -> String {
        let mut all = vec![("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        let path = format!("{}{path}", self.prefix);
        text_of(&ask(&self.url, "POST", &path, &all, body).await)
    }

    /// Posts a form and returns the answer's members.
    pub async fn call(&self, path: &str, form: &[(&str, &str)]) -> Value {
        members(&self.post(path, &self.headers(), form_of(form).as_bytes()).await)
    }

    /// Posts a form and returns the answer's code.
    pub async fn code(&self, path: &str, form: &[(&str, &str)]) -> i64 {
        code(&self.call(path, form).await)
    }

    /// Posts a form that is taken.
    #[track_caller]
    pub fn taken(&self, path: &str, form: &[(&str, &str)]) -> impl Future<Output = Value> {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.call(path, form).await;
            assert_eq!(code(&answer), 200, "{at}: {answer}");
            answer
        }
    }
}

/// An answer's code.
pub fn code(answer: &Value) -> i64 {
    answer["code"].as_i64().expect("the code is a whole number")
}

/// A form as Java's and Go's libraries encode it.
pub fn form_of(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// An answer's members.
pub fn members(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text:?}"))
}

/// An answer's text, after a look at what holds for every answer, whatever was asked: SDKs drop the
/// body of any other status, and one of them ends its process over a code that is no number, or a desc
/// that is no text.
#[track_caller]
pub fn text_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    let text = String::from_utf8(answer.body.clone()).expect("the body is UTF-8");
    let members = members(&text);
    let code = members["code"].as_i64().unwrap_or_else(|| panic!("no code in {text}"));
    if let Some(desc) = members.get("desc") {
        assert!(desc.as_str().is_some_and(|desc| !desc.is_empty()), "{text}");
        assert_ne!(code, 200, "{text}");
    }
    text
}
