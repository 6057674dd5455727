//! Golden conversations: files of requests and the answers that must come, member by member and in
//! order.
//!
//! A step begins with ">> " and a title; the request follows as HTTP writes it, then "<< " with the
//! status, and the answer. In texts, `<word>` and `<kind name>` stand for what no file can know: where
//! the name is known by now it stands for exactly that, else for what comes, which is kept under the
//! name. `"<millis>"` stands for a time of today as a number, `"<integer>"` for a whole number.

use std::{collections::BTreeMap, time::SystemTime};

use serde_json::Value;

use crate::support::{
    Tenant, TestApp,
    http::{Answer, ask},
};

/// A request and the answer that must come.
struct Step {
    title: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    answer: Value,
}

/// What is known by now, by what stands for it: "uuid user1".
type Known = BTreeMap<String, String>;

/// Holds the conversations of a file, for one tenant after the other steps of the file.
pub async fn hold(app: &TestApp, tenant: &Tenant, file: &str) {
    let known = [
        ("host", app.url.trim_start_matches("http://")),
        ("token", &tenant.token),
        ("client_id", &tenant.app.client_id),
        ("client_secret", &tenant.client_secret),
        ("application", &tenant.app.uuid),
    ];
    let mut known: Known = known.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let steps = steps(file);
    assert!(!steps.is_empty(), "the file holds no step");
    for step in steps {
        let answer = step.send(&app.url, &known).await;
        let got = answer.json();
        let told = format!("{}: {}", step.title, String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.status, step.status, "{told}");
        if let Err(why) = compare(&step.answer, &got, "", &mut known) {
            panic!("{told}\n{why}");
        }
    }
}

/// The steps of a file.
fn steps(file: &str) -> Vec<Step> {
    let file = file.replace("\r\n", "\n");
    file.split("\n>> ").skip(1).map(step).collect()
}

fn step(text: &str) -> Step {
    let (title, rest) = text.split_once('\n').expect("a title");
    let (request, answer) =
        rest.split_once("\n<< ").unwrap_or_else(|| panic!("{title}: no answer"));
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.trim().lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("a method");
    let headers = lines.map(|line| line.split_once(": ").expect("a header"));
    let (status, answer) = answer.split_once('\n').expect("a status");
    Step {
        title: title.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: body.trim_end().to_owned(),
        status: status.trim().parse().expect("a status"),
        answer: serde_json::from_str(answer).unwrap_or_else(|error| panic!("{title}: {error}")),
    }
}

impl Step {
    async fn send(&self, url: &str, known: &Known) -> Answer {
        let fill = |text: &str| {
            known.iter().fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("<{name}>"), value)
            })
        };
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), fill(value)));
        let headers: Vec<(&str, String)> = headers.collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        ask(url, &self.method, &fill(&self.path), &headers, fill(&self.body).as_bytes()).await
    }
}

/// Why `got` is not as expected.
fn compare(expected: &Value, got: &Value, at: &str, known: &mut Known) -> Result<(), String> {
    let differs = || Err(format!("{at}: expected {expected}, got {got}"));
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            let names = |members: &serde_json::Map<String, Value>| {
                members.keys().cloned().collect::<Vec<_>>()
            };
            let (wanted, given) = (names(expected), names(got));
            if wanted != given {
                return Err(format!("{at}: expected the members {wanted:?}, got {given:?}"));
            }
            expected.iter().try_for_each(|(name, value)| {
                compare(value, &got[name], &format!("{at}.{name}"), known)
            })
        }
        (Value::Array(wanted), Value::Array(given)) if wanted.len() == given.len() => {
            wanted.iter().zip(given).enumerate().try_for_each(|(n, (wanted, given))| {
                compare(wanted, given, &format!("{at}[{n}]"), known)
            })
        }
        (Value::String(marker), got) if marker == "<millis>" => {
            let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis();
            let near = got.as_u64().is_some_and(|at| now.abs_diff(at.into()) < 86_400_000);
            if near { Ok(()) } else { differs() }
        }
        (Value::String(marker), got) if marker == "<integer>" => {
            if got.is_u64() {
                Ok(())
            } else {
                differs()
            }
        }
        (Value::String(expected), Value::String(got)) => text(expected, got, known)
            .ok_or_else(|| format!("{at}: expected {expected}, got {got}")),
        (expected, got) if expected == got => Ok(()),
        _ => differs(),
    }
}

/// Whether a text is as expected; keeps what its markers stand for.
fn text(expected: &str, got: &str, known: &mut Known) -> Option<()> {
    let Some((before, rest)) = expected.split_once('<') else {
        return (expected == got).then_some(());
    };
    let (name, after) = rest.split_once('>')?;
    let got = got.strip_prefix(before)?;
    if let Some(value) = known.get(name) {
        let got = got.strip_prefix(value.as_str())?;
        return text(after, got, known);
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let end = got.find(|c| !legal(c)).unwrap_or(got.len());
    let (value, got) = got.split_at(end);
    let right = match name.split(' ').next()? {
        "uuid" => uuid::Uuid::parse_str(value).is_ok() && value.len() == 36,
        _ => !value.is_empty(),
    };
    known.insert(name.to_owned(), value.to_owned());
    right.then(|| text(after, got, known)).flatten()
}

#[test]
fn what_differs_in_a_value_a_member_or_their_order_is_seen() {
    let expected: Value = serde_json::json!({
        "id": "<uuid a>", "path": "/users/<uuid a>/x", "at": "<millis>", "n": "<integer>", "l": [1],
    });
    let id = "0a8dbbd8-3d11-4f6b-a4a1-1d8b0a7fbb3f";
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let good = format!(r#"{{"id":"{id}","path":"/users/{id}/x","at":{now},"n":0,"l":[1]}}"#);
    let look =
        |got: &str| compare(&expected, &serde_json::from_str(got).unwrap(), "", &mut Known::new());
    look(&good).unwrap();
    for (right, wrong) in [
        ("/users/0", "/users/1"),
        ("\"n\":0", "\"n\":0.5"),
        ("\"n\":0", "\"n\":-1"),
        ("[1]", "[1,1]"),
        ("\"n\":0,\"l\":[1]", "\"l\":[1],\"n\":0"),
        ("\"l\":[1]", "\"l\":[1],\"m\":1"),
        (id, "not-a-uuid"),
        (&now.to_string(), "1"),
    ] {
        assert!(good.contains(right));
        look(&good.replacen(right, wrong, 1)).unwrap_err();
    }
}
