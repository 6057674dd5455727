//! Arguments that no client would send, on every route of Easemob's API: the answer is the documented
//! error, in JSON, and all other calls go on.

mod connections;

use befriend::clock::Clock;
use serde_json::json;

use crate::support::{
    Tenant, TestApp,
    easemob::{Easemob, Route, expect_refusal, routes},
    http::Answer,
};

/// A server under attack, and a client who may call it.
struct Siege {
    _app: TestApp,
    tenant: Tenant,
    client: Easemob,
    routes: Vec<Route>,
}

impl Siege {
    async fn lay() -> Self {
        let app = TestApp::with(&["--failed-logins", "1000000"], Clock::system()).await;
        let tenant = app.tenant("acme#chat").await;
        tenant.create(&["alice", "bob", "carol"]).await;
        tenant.befriend("alice", "bob").await.unwrap();
        let client = Easemob::of(&app, &tenant);
        let routes = routes(&app.url).await;
        Self { _app: app, tenant, client, routes }
    }

    /// Routes that read a body.
    fn readers(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(|route| !route.body(&self.tenant, "alice", "bob").is_null())
    }

    /// Sends a body to a route.
    async fn send(&self, route: &Route, body: &[u8]) -> Answer {
        self.client.send(&route.method, &route.of("alice", "bob"), &[], body).await
    }

    /// Nothing has changed, and everybody else is served as ever.
    async fn lift(self) {
        assert_eq!(self.tenant.friends_of("alice").await.unwrap(), ["bob"]);
        assert_eq!(self.tenant.entry("alice", "bob").await.unwrap().remark, "");
        assert!(self.tenant.blocked_by("alice").await.unwrap().is_empty());
        let users = self.client.get("/users?limit=100").await.ok();
        let names = users["entities"].as_array().unwrap().iter().map(|user| &user["username"]);
        assert_eq!(names.collect::<Vec<_>>(), ["alice", "bob", "carol"]);
        self.client.call("POST", "/users/alice/contacts/users/carol", json!(null)).await.ok();
    }
}

/// Looks that an answer is a clear complaint about the request.
#[track_caller]
fn expect_complaint(what: &str, answer: &Answer, error: &str) {
    let json = answer.json();
    assert_eq!(json["error"], error, "{what}: {json}");
    let why = json["error_description"].as_str().unwrap();
    assert!(!why.is_empty() && why.len() < 300, "{what}: {json}");
    expect_refusal(answer, 400, error, why);
}

#[tokio::test]
async fn what_is_no_json_is_refused_as_that() {
    let siege = Siege::lay().await;
    let nested = "[".repeat(100_000);
    let objects = r#"{"a":"#.repeat(100_000);
    for route in siege.readers() {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"}",
            b"{}}",
            b"nothing",
            b"{'remark': 'x'}",
            b"{remark: \"x\"}",
            b"{\"usernames\": [\"a\",]}",
            b"remark=x&usernames=a",
            b"{\"remark\": \"\xff\xfe\"}",
            b"{\"remark\": \"\xc3\x28\"}",
            b"{\"remark\": \"\xed\xa0\x80\"}",
            b"\xff\xfe{\0}\0",
            b"{\"remark\": \"\\ud83d\"}",
            b"{\"remark\": \"\\x41\"}",
            b"{\"remark\": \"a\nb\"}",
            b"{\"remark\": 1e999}",
            b"{\"remark\": NaN}",
            b"{\"remark\": 01}",
            b"{\"remark\": \"x\"} {\"remark\": \"y\"}",
            b"<remark>x</remark>",
            b"\0",
            nested.as_bytes(),
            objects.as_bytes(),
        ] {
            let what =
                format!("{route:?} {}", String::from_utf8_lossy(&body[..body.len().min(40)]));
            expect_complaint(&what, &siege.send(route, body).await, "json_parse");
        }
    }
    siege.lift().await;
}

#[tokio::test]
async fn json_of_another_kind_is_refused_as_an_argument() {
    let siege = Siege::lay().await;
    let huge = "9".repeat(300);
    for route in siege.readers() {
        let right = route.body(&siege.tenant, "alice", "bob");
        let mut bodies: Vec<String> =
            ["null", "true", "0", "\"x\"", "[[]]", "[null]", "[1]", "[\"bob\"]", "{}"]
                .map(str::to_owned)
                .into();
        // Each member in turn is what it should not be, and then is not there.
        for (name, value) in right.as_object().unwrap() {
            if name == "nickname" && route.path == "/users" {
                continue; // It need not be there.
            }
            for wrong in ["7", "1.5", "-0", "1e308", "true", "{}", "[{}]", "[7]", "[null]", "[[]]"]
            {
                let mut body = right.clone();
                body[name] = serde_json::from_str(wrong).unwrap();
                bodies.push(body.to_string());
            }
            // A number as long as a line, which fits no type.
            let marker = value.to_string();
            bodies.push(right.to_string().replacen(&marker, &format!("[{huge}]"), 1));
            let mut body = right.clone();
            body.as_object_mut().unwrap().remove(name);
            bodies.push(body.to_string());
        }
        for body in bodies {
            let answer = siege.send(route, body.as_bytes()).await;
            let what = format!("{route:?} with {body}");
            let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
            let number = body.contains(&huge) && error == "json_parse";
            assert!(number || error == "illegal_argument", "{what}: {answer:?}");
            expect_complaint(&what, &answer, &error);
        }
    }
    siege.lift().await;
}

#[tokio::test]
async fn names_that_can_be_nobodys_are_refused_wherever_they_stand() {
    let siege = Siege::lay().await;
    let long = "a".repeat(65);
    let longer = "a".repeat(10_000);
    for encoded in [
        "%00",
        "a%00",
        "%0D%0AX-Evil:%201",
        "a%0d%0ab",
        "a%20b",
        "a%2Fb",
        "%2E%2E%2Fb",
        "a%5Cb",
        "%E7%8E%8B",
        "a%3Bb",
        "a%23b",
        "a%3Fb",
        "%25%36%31",
        "%3Cscript%3E",
        "'or'1",
        "a;b",
        "$a",
        "*",
        "a+b",
        "a%252Fb",
        "%EF%BB%BFa",
        "%C0%AE",
        "%ED%A0%80",
        "%FF",
        "a%",
        "a%zz",
        &long,
        &longer,
    ] {
        for route in siege.routes.iter().filter(|route| route.path.contains('{')) {
            for (owner, friend) in [(encoded, "bob"), ("alice", encoded)] {
                let path = route.of(owner, friend);
                if !path.contains(encoded) {
                    continue;
                }
                let body = route.body(&siege.tenant, "alice", "bob").to_string();
                let answer = siege.client.send(&route.method, &path, &[], body.as_bytes()).await;
                expect_complaint(&path, &answer, "illegal_argument");
                assert_eq!(answer.header("x-evil"), "", "{path}");
            }
        }
    }
    let names = json!(["a\0", "a\r\nX-Evil: 1", "a b", "王", "../b", "", "a".repeat(65)]);
    for name in names.as_array().unwrap() {
        for (method, path, body) in [
            ("POST", "/users/alice/blocks/users", json!({ "usernames": ["bob", name] })),
            ("DELETE", "/users/alice/blocks/users", json!({ "usernames": [name] })),
            ("POST", "/contacts/check", json!({ "username": name, "check_list": ["bob"] })),
            ("POST", "/blocks/check", json!({ "username": "alice", "check_list": [name] })),
            ("POST", "/users", json!({ "username": name })),
            ("POST", "/users", json!([{ "username": "dave" }, { "username": name }])),
        ] {
            let answer = siege.client.call(method, path, body).await;
            expect_complaint(&format!("{path}: {name}"), &answer, "illegal_argument");
        }
    }
    siege.lift().await;
}

#[tokio::test]
async fn tricks_with_paths_lead_nowhere() {
    let siege = Siege::lay().await;
    let deep = format!("/users{}", "/a".repeat(5_000));
    let long = format!("/users/{}/x/y", "a".repeat(12_000));
    for path in [
        "/../../etc/passwd",
        "/users/../../../other/app/users",
        "/users/alice/../bob/contacts",
        "/./users",
        "/users/alice/./contacts/users",
        "/%2e%2e/chat/users",
        "/users%2Falice",
        "/users/alice%2Fcontacts%2Fusers",
        "/users;v=1",
        "/users/alice/contacts;/users",
        "/USERS",
        "/users/alice\\contacts\\users",
        "/users/alice/contacts/users/bob/..",
        "/{owner}",
        "/users/alice/contacts/users/bob/{x}",
        &deep,
        &long,
    ] {
        let answer = siege.client.get(path).await;
        let why = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
        let known = [
            (400, "illegal_argument"),
            (404, "service_resource_not_found"),
            (405, "method_not_allowed"),
        ];
        let error = known.iter().find(|(status, _)| *status == answer.status);
        let (status, error) = error.unwrap_or_else(|| panic!("{path}: {answer:?}"));
        expect_refusal(&answer, *status, error, &why);
    }
    for query in ["%FF", "limit=%ff", "a=%E5%A5", "cursor=%C0%80"] {
        for path in ["/users", "/user/alice/contacts", "/users/alice/blocks/users"] {
            let answer = siege.client.get(&format!("{path}?{query}")).await;
            expect_refusal(&answer, 400, "illegal_argument", "the query is not UTF-8");
        }
    }
    let long = "x".repeat(12_000);
    for path in ["/users", "/user/alice/contacts", "/users/alice/contacts/users"] {
        let many = "&a=b".repeat(3_000);
        siege.client.get(&format!("{path}?{many}")).await.ok();
        siege.client.get(&format!("{path}?x={long}")).await.ok();
    }
    let twice = siege.client.get("/users?limit=1&limit=abc").await.ok();
    assert_eq!(twice["count"], 1, "the first counts");
    siege.lift().await;
}
