//! A client of the HTTP surface that answers as Easemob does.

use serde_json::Value;

use super::{
    Tenant, TestApp,
    http::{Answer, ask},
};

impl Answer {
    /// The body, after a look that it is what every client can read: JSON, one line, and no number
    /// that is not whole.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = std::str::from_utf8(&self.body).expect("the body is UTF-8");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        assert!(!text.is_empty() && !text.contains(['\n', '\r']), "{text:?} is not one line");
        let json = serde_json::from_str(text);
        let json = json.unwrap_or_else(|error| panic!("{text:?} is no JSON: {error}"));
        assert!(all_whole(&json), "{text} holds a number that is not whole");
        json
    }

    /// The JSON of a success: the status is 200, which some clients ask for exactly.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

fn all_whole(json: &Value) -> bool {
    match json {
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => items.iter().all(all_whole),
        Value::Object(members) => members.values().all(all_whole),
        _ => true,
    }
}

/// An app's server, as a client of Easemob's REST API.
#[derive(Clone, Debug)]
pub struct Easemob {
    /// Where the service listens.
    pub url: String,
    /// The app's path, "/acme/chat".
    pub base: String,
    /// The header that every request shows.
    pub authorization: String,
}

impl Easemob {
    /// A client with the tenant's token.
    pub fn of(app: &TestApp, tenant: &Tenant) -> Self {
        Self {
            url: app.url.clone(),
            base: format!("/{}", tenant.app.app_key.replace('#', "/")),
            authorization: format!("Bearer {}", tenant.token),
        }
    }

    /// Sends a request below the app's path, with these headers and the token.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut all = vec![("authorization", self.authorization.as_str())];
        all.extend_from_slice(headers);
        ask(&self.url, method, &format!("{}{path}", self.base), &all, body).await
    }

    /// Sends JSON, or nothing for null.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[("content-type", "application/json")], body.as_bytes()).await
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }
}

/// Looks that an answer is an error in Easemob's form: the status, `error` and `error_description`.
#[track_caller]
pub fn expect_refusal(answer: &Answer, status: u16, error: &str, description: &str) {
    let json = answer.json();
    assert_eq!(
        (answer.status, json["error"].as_str(), json["error_description"].as_str()),
        (status, Some(error), Some(description)),
        "{json}"
    );
    let members: Vec<&String> = json.as_object().expect("an error is an object").keys().collect();
    assert_eq!(members, ["error", "exception", "timestamp", "duration", "error_description"]);
    assert!(json["exception"].as_str().is_some_and(|name| !name.is_empty()), "{json}");
    assert!(json["timestamp"].as_i64().is_some_and(|at| at > 1_600_000_000_000), "{json}");
    assert!(json["duration"].is_u64(), "{json}");
}
