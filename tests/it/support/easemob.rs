//! A client of the HTTP surface that answers as Easemob does.

use serde_json::{Value, json};

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

/// A route of the API and a request that it takes.
#[derive(Debug)]
pub struct Route {
    /// "POST".
    pub method: String,
    /// The path below the app's, as "/users/{owner}/contacts".
    pub path: String,
}

/// The service's OpenAPI description.
pub async fn description(url: &str) -> Value {
    let answer = ask(url, "GET", "/openapi.json", &[], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    serde_json::from_slice(&answer.body).expect("it is JSON")
}

/// All routes, from the service's own description, which a test of its own holds against them.
pub async fn routes(url: &str) -> Vec<Route> {
    let description = description(url).await;
    let paths = description["paths"].as_object().expect("a description of paths");
    let below = |path: &String| path.strip_prefix("/{org_name}/{app_name}").map(str::to_owned);
    let ours = paths.iter().filter_map(|(path, methods)| Some((below(path)?, methods)));
    let routes = ours.flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").keys();
        methods.map(move |method| Route { method: method.to_uppercase(), path: path.clone() })
    });
    let routes: Vec<Route> = routes.collect();
    assert!(routes.len() > 20, "there are fewer routes than there were");
    routes
}

impl Route {
    /// The path for these users; "friend" is also who is blocked.
    pub fn of(&self, owner: &str, friend: &str) -> String {
        let path = self.path.replace("{owner}", owner).replace("{username}", owner);
        let path = path.replace("{friend}", friend).replace("{blocked}", friend);
        match (self.method.as_str(), path.as_str()) {
            ("DELETE", "/users") => "/users?limit=10".to_owned(),
            _ => path,
        }
    }

    /// A body that the route takes; null where it reads none.
    pub fn body(&self, tenant: &Tenant, owner: &str, friend: &str) -> Value {
        match (self.method.as_str(), self.path.as_str()) {
            ("POST", "/token") => json!({
                "grant_type": "client_credentials",
                "client_id": tenant.app.client_id,
                "client_secret": tenant.client_secret,
            }),
            ("PUT", path) if path.ends_with("/contacts/users/{friend}") => {
                json!({ "remark": "set" })
            }
            ("POST", "/users/{owner}/contacts/import" | "/users/{owner}/blocks/users")
            | ("DELETE", "/users/{owner}/blocks/users") => json!({ "usernames": [friend] }),
            ("POST", "/contacts/check" | "/blocks/check") => {
                json!({ "username": owner, "check_list": [friend] })
            }
            ("POST", "/users") => json!({ "username": "newcomer", "nickname": "set" }),
            ("PUT", "/users/{username}") => json!({ "nickname": "set" }),
            ("PUT", "/users/{username}/password") => json!({ "newpassword": "set" }),
            ("PUT", path) => panic!("say here what a PUT of {path} takes"),
            _ => Value::Null,
        }
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
