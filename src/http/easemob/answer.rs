//! What a route is asked, and the members that answers have in common.

use std::net::IpAddr;

use axum::{
    body::{Body, Bytes},
    extract::RawPathParams,
    http::{HeaderValue, Response, StatusCode, header, request::Parts},
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{Refusal, address};
use crate::{
    domain::{AppKey, PageSize, PageSizes, User, Username, unix_millis, without_byte_order_mark},
    gate::{Connection, Gate},
    http::read,
    ops::Call,
};

/// A request, read as far as all routes read it.
pub(super) struct Asked {
    /// The app that the path names.
    pub(super) key: AppKey,
    /// Where the request came from.
    pub(super) from: Option<IpAddr>,
    body: Bytes,
    /// "https://im.example.com/org/app".
    base: String,
    /// The path below `base`, as it was asked for.
    path: String,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    now: OffsetDateTime,
    started: Instant,
}

impl Asked {
    pub(super) fn new(
        gate: &Gate,
        parts: &Parts,
        params: &RawPathParams,
        key: AppKey,
        started: Instant,
    ) -> Result<Self, Refusal> {
        let query = read::pairs(parts.uri.query().unwrap_or_default().as_bytes())
            .ok_or_else(|| Refusal::illegal("the query is not UTF-8"))?;
        let app_path = format!("/{}", key.as_str().replacen('#', "/", 1));
        // Behind "/org/app", however that is written.
        let path = parts.uri.path().splitn(4, '/').nth(3).unwrap_or_default();
        Ok(Self {
            base: format!("{}{app_path}", address(parts)),
            path: format!("/{path}"),
            params: params.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            from: parts.extensions.get::<Connection>().and_then(|by| by.address),
            body: Bytes::new(),
            now: gate.core().clock.now(),
            key,
            query,
            started,
        })
    }

    /// The same with its body, once that is read.
    pub(super) fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// The user that a part of the path names.
    pub(super) fn user(&self, part: &'static str) -> Result<Username, Refusal> {
        let named = self.params.iter().find(|(name, _)| name == part);
        let name = named.map(|(_, value)| value.as_str()).unwrap_or_default();
        Ok(Username::parse(part, name)?)
    }

    /// A member of the query; an empty one counts as absent, as some clients send it.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let named = self.query.iter().find(|(given, _)| given == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A member of the query that is true or false; false when absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.param(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::illegal(format!("{name} must be true or false"))),
        }
    }

    /// A member of the query that is a page's size; the default when absent.
    pub(super) fn page_size(&self, name: &str, sizes: PageSizes) -> Result<PageSize, Refusal> {
        match self.size(name, sizes)? {
            None => Ok(sizes.choose(0)?),
            Some(0) => Err(no_size(name, sizes)),
            Some(size) => Ok(sizes.choose(size)?),
        }
    }

    /// A member of the query that is a whole number, 0 or more; none when absent. A number beyond all
    /// numbers is the largest.
    pub(super) fn size(&self, name: &str, sizes: PageSizes) -> Result<Option<i32>, Refusal> {
        match self.param(name) {
            None => Ok(None),
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(text.parse().unwrap_or(i32::MAX)))
            }
            Some(_) => Err(no_size(name, sizes)),
        }
    }

    /// The body's JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        match self.json()? {
            Value::Object(members) => Ok(members),
            _ => Err(Refusal::illegal("the body must be a JSON object")),
        }
    }

    /// The body's JSON.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let json = without_byte_order_mark(&self.body);
        serde_json::from_slice(json).map_err(|error| Refusal::no_json(&error))
    }

    /// The request's own path below the app's.
    pub(super) fn own_path(&self) -> &str {
        &self.path
    }

    /// The request's own address.
    pub(super) fn own_uri(&self) -> String {
        self.uri(&self.path)
    }

    /// The address of a path of the app.
    pub(super) fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Now, in milliseconds.
    pub(super) fn timestamp(&self) -> i64 {
        unix_millis(self.now)
    }

    /// How long the request has taken so far, in milliseconds.
    pub(super) fn duration(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The answer that most changes have: what was done, to whom.
    pub(super) fn done(&self, call: &Call, action: &str, path: &str, entities: &[Value]) -> Value {
        json!({
            "action": action,
            "application": call.app.id.to_string(),
            "path": path,
            "uri": self.uri(path),
            "entities": entities,
            "timestamp": self.timestamp(),
            "duration": self.duration(),
            "organization": self.org(),
            "applicationName": self.app_name(),
        })
    }

    pub(super) fn org(&self) -> &str {
        self.key.as_str().split_once('#').map_or("", |(org, _)| org)
    }

    pub(super) fn app_name(&self) -> &str {
        self.key.as_str().split_once('#').map_or("", |(_, app)| app)
    }
}

fn no_size(name: &str, sizes: PageSizes) -> Refusal {
    Refusal::illegal(format!("{name} must be between 1 and {}", sizes.max))
}

/// A user as answers show one. The nickname is there only when one is set.
pub(super) fn entity(user: &User) -> Value {
    let mut entity = json!({
        "uuid": user.uuid.to_string(),
        "type": "user",
        "created": unix_millis(user.created_at),
        "modified": unix_millis(user.modified_at),
        "username": user.username.as_str(),
        "activated": user.activated,
    });
    if !user.nickname.is_empty() {
        entity["nickname"] = user.nickname.as_str().into();
    }
    entity
}

/// The texts of a member that must be a list of texts.
pub(super) fn texts(
    members: &Map<String, Value>,
    field: &'static str,
) -> Result<Vec<String>, Refusal> {
    let list = members.get(field).and_then(Value::as_array);
    let texts = list.map(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    let texts: Option<Option<Vec<String>>> = texts;
    texts.flatten().ok_or_else(|| Refusal::illegal(format!("{field} must be an array of strings")))
}

/// Usernames, given as the request's `field`.
pub(super) fn usernames(field: &'static str, names: &[String]) -> Result<Vec<Username>, Refusal> {
    let parse = |(at, name): (usize, &String)| Username::parse(format_args!("{field}[{at}]"), name);
    Ok(names.iter().enumerate().map(parse).collect::<Result<_, _>>()?)
}

pub(super) fn render(status: StatusCode, answer: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
