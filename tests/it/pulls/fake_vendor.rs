//! A fake of Easemob's API, with answers that a test can script: a vendor that is slow, strict or broken,
//! as a second befriend would not be.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// How many entries a page holds.
const PAGE: usize = 2;

/// The data of the fake vendor.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// The users that it lists.
    pub users: Vec<String>,
    /// For each user that it knows, the friends with their remarks.
    pub contacts: BTreeMap<String, Vec<(String, Option<String>)>>,
    /// For each user, the blocked users, the newest first.
    pub blocks: BTreeMap<String, Vec<String>>,
}

impl Data {
    /// Users with empty lists.
    pub fn of(users: &[&str]) -> Self {
        let users: Vec<String> = users.iter().map(|name| (*name).to_owned()).collect();
        let contacts = users.iter().map(|name| (name.clone(), Vec::new())).collect();
        Self { users, contacts, blocks: BTreeMap::new() }
    }

    /// Adds a friend to one user's list, not to the other's.
    pub fn friend(mut self, owner: &str, friend: &str, remark: &str) -> Self {
        let remark = Some(remark.to_owned()).filter(|remark| !remark.is_empty());
        self.contacts.entry(owner.to_owned()).or_default().push((friend.to_owned(), remark));
        self
    }

    /// Adds both users to each other's lists, without remarks.
    pub fn friends(self, one: &str, other: &str) -> Self {
        self.friend(one, other, "").friend(other, one, "")
    }
}

/// A call that the fake vendor received.
#[derive(Clone, Debug)]
pub struct Asked {
    /// "GET /org/app/users/alice/blocks/users", without the query.
    pub call: String,
    /// Query and body.
    pub rest: String,
    /// The headers.
    pub headers: HeaderMap,
    /// How many calls with this name came before.
    pub before: usize,
    /// The time of arrival.
    pub at: Instant,
}

/// What a script does instead of the normal answer.
pub enum Instead {
    /// Another answer.
    Answer(u16, &'static str, String),
    /// No answer.
    Silence,
}

type Script = Box<dyn Fn(&Asked) -> Option<Instead> + Send + Sync>;

/// The running fake. It ends with the test.
pub struct FakeVendor {
    /// The address of its API.
    pub url: String,
    inner: Arc<Inner>,
    stop: CancellationToken,
}

struct Inner {
    data: Data,
    script: Script,
    asked: Mutex<Vec<Asked>>,
    news: Notify,
}

impl FakeVendor {
    /// Starts a fake that answers from its data, unless the script returns something else.
    pub async fn start(
        data: Data,
        script: impl Fn(&Asked) -> Option<Instead> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Box::new(script);
        let inner = Arc::new(Inner { data, script, asked: Mutex::default(), news: Notify::new() });
        let stop = CancellationToken::new();
        let (served, stopping) = (Arc::clone(&inner), stop.clone());
        let router = Router::new().fallback(move |request: Request| {
            let inner = Arc::clone(&served);
            async move { inner.serve(request).await }
        });
        tokio::spawn(async move {
            let serving = axum::serve(listener, router);
            tokio::select! {
                served = serving => served.unwrap(),
                () = stopping.cancelled() => {}
            }
        });
        Self { url, inner, stop }
    }

    /// All calls so far whose names begin with this text.
    pub fn asked(&self, call: &str) -> Vec<Asked> {
        let asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| asked.call.starts_with(call)).cloned().collect()
    }

    /// Waits for such a call.
    pub async fn until_asked(&self, call: &str) {
        loop {
            let news = self.inner.news.notified();
            if !self.asked(call).is_empty() {
                return;
            }
            news.await;
        }
    }
}

impl Drop for FakeVendor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Inner {
    async fn serve(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let path = percent_encoding::percent_decode_str(parts.uri.path());
        let path = path.decode_utf8().unwrap().into_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let asked = {
            let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let call = format!("{} {path}", parts.method);
            let before = all.iter().filter(|asked| asked.call == call).count();
            let rest = format!("{query}{body}");
            all.push(Asked { call, rest, headers: parts.headers, before, at: Instant::now() });
            all.last().cloned().unwrap()
        };
        self.news.notify_waiters();
        match (self.script)(&asked) {
            Some(Instead::Answer(status, retry_after, text)) => answer(status, retry_after, text),
            Some(Instead::Silence) => std::future::pending().await,
            None => match self.find(&parts.method, &path, &query) {
                Some(found) => answer(200, "", found.to_string()),
                None => answer(404, "", not_found()),
            },
        }
    }

    fn find(&self, method: &Method, path: &str, query: &str) -> Option<Value> {
        let words: Vec<&str> = path.strip_prefix("/org/app/")?.split('/').collect();
        let cursor = form_urlencoded::parse(query.as_bytes());
        let cursor = cursor.into_owned().find(|(name, _)| name == "cursor").map(|(_, value)| value);
        match (method.as_str(), &words[..]) {
            ("POST", ["token"]) => Some(json!({ "access_token": "a-token", "expires_in": 3600 })),
            ("GET", ["users"]) => {
                let (page, next) = page(&self.data.users, cursor);
                let entities: Vec<Value> = page
                    .iter()
                    .map(|name| json!({ "username": name, "created": 1_600_000_000_000_i64 }))
                    .collect();
                Some(with_cursor(json!({ "entities": entities }), next))
            }
            ("GET", ["user", name, "contacts"]) => {
                let (page, next) = page(self.data.contacts.get(*name)?, cursor);
                let contact = |(name, remark)| json!({ "username": name, "remark": remark });
                let contacts: Vec<Value> = page.into_iter().map(contact).collect();
                Some(json!({ "data": with_cursor(json!({ "contacts": contacts }), next) }))
            }
            ("GET", ["users", name, "blocks", "users"]) => {
                self.data.contacts.get(*name)?;
                let (page, next) =
                    page(self.data.blocks.get(*name).map_or(&[][..], Vec::as_slice), cursor);
                Some(with_cursor(json!({ "data": page }), next))
            }
            _ => None,
        }
    }
}

/// A page, and the cursor of the next page, with characters that must be encoded.
fn page<T: Clone>(all: &[T], cursor: Option<String>) -> (Vec<T>, Option<String>) {
    let at = cursor.map_or(0, |cursor| cursor.trim_start_matches("+/=&").parse().unwrap());
    let end = (at + PAGE).min(all.len());
    (all[at..end].to_vec(), (end < all.len()).then(|| format!("+/=&{end}")))
}

fn with_cursor(mut value: Value, cursor: Option<String>) -> Value {
    if let Some(cursor) = cursor {
        value["cursor"] = cursor.into();
    }
    value
}

/// Easemob's answer for a user who does not exist.
pub fn not_found() -> String {
    let error = "service_resource_not_found";
    json!({ "error": error, "error_description": "Service resource not found" }).to_string()
}

fn answer(status: u16, retry_after: &str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if !retry_after.is_empty() {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after.parse().unwrap());
    }
    response
}
