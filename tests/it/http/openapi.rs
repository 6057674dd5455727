//! The description of the HTTP APIs names exactly what the service serves.

use serde_json::Value;

use crate::support::{TestApp, easemob::description, http::ask};

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

#[tokio::test]
async fn the_description_names_the_methods_of_each_path_and_no_others() {
    let app = TestApp::start().await;
    app.tenant("acme#chat").await;
    let description = description(&app.url).await;
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut found = 0;
    for (path, described) in description["paths"].as_object().unwrap() {
        let target = path.replace("{org_name}/{app_name}", "acme/chat").replace(['{', '}'], "");
        for method in METHODS {
            let answer = ask(&app.url, &method.to_uppercase(), &target, &[], b"").await;
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            // NetEase's status is 200 always.
            let refused = answer.status == 405 || body["desc"] == "the method must be POST";
            let unknown = answer.status == 404 || body["code"] == 404;
            let known = described.get(method).is_some();
            found += usize::from(known);
            assert_eq!((refused, unknown), (!known, false), "{method} {path}: {body}");
        }
    }
    let operations = description["paths"].as_object().unwrap().values();
    assert_eq!(operations.map(|methods| methods.as_object().unwrap().len()).sum::<usize>(), found);
    assert_eq!(found, 25 + 18, "Easemob's routes, and NetEase's with and without the prefix");
}

#[tokio::test]
async fn every_reference_of_the_description_leads_somewhere_and_every_id_is_unique() {
    fn check(description: &Value, part: &Value) {
        match part {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(description.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|member| check(description, member));
            }
            Value::Array(items) => items.iter().for_each(|item| check(description, item)),
            _ => {}
        }
    }
    let app = TestApp::start().await;
    let description = description(&app.url).await;
    check(&description, &description);
    let paths = description["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    let mut ids: Vec<&str> = operations.map(|o| o["operationId"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn the_description_has_the_bounds_of_the_settings() {
    let app = TestApp::with(&["--max-batch-users", "7"], befriend::clock::Clock::system()).await;
    let description = description(&app.url).await;
    let users = &description["paths"]["/{org_name}/{app_name}/users"]["post"];
    let body = &users["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["oneOf"][1]["maxItems"], 7);
}
