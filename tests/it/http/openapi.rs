//! The description of the HTTP APIs names exactly what the service serves.

use std::collections::BTreeSet;

use befriend::proto;
use prost_reflect::{DescriptorPool, prost_types::method_options::IdempotencyLevel};
use serde_json::{Value, json};

use crate::support::{TestApp, connect::Caller, easemob::description, http::ask, tenant::acme};

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

#[tokio::test]
async fn the_description_names_the_methods_of_each_path_and_no_others() {
    let app = TestApp::start().await;
    app.tenant("acme#chat").await;
    let description = description(&app.url).await;
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut found = 0;
    let vendors = || {
        let paths = description["paths"].as_object().unwrap().iter();
        paths.filter(|(path, _)| !path.starts_with("/befriend.v1."))
    };
    for (path, described) in vendors() {
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
    let operations = vendors().map(|(_, methods)| methods.as_object().unwrap().len());
    assert_eq!(operations.sum::<usize>(), found);
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

#[tokio::test]
async fn every_operation_of_the_own_api_is_described_and_reads_as_get_too() {
    let app = TestApp::start().await;
    let description = description(&app.url).await;
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    let mut wanted = BTreeSet::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
        let reads = options.idempotency_level() == IdempotencyLevel::NoSideEffects;
        if reads && !method.is_server_streaming() {
            wanted.insert((path.clone(), "get".to_owned()));
        }
        wanted.insert((path, "post".to_owned()));
    }
    let paths = description["paths"].as_object().unwrap().iter();
    let described: BTreeSet<_> = paths
        .filter(|(path, _)| path.starts_with("/befriend.v1."))
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(described, wanted);

    let add = &description["paths"]["/befriend.v1.FriendService/AddFriend"]["post"];
    assert_eq!(add["tags"], json!(["FriendService"]));
    let said = add["description"].as_str().unwrap();
    assert!(said.contains("Errors: ") && said.ends_with("Needs the token of an app."), "{said}");
    let login = &description["paths"]["/befriend.v1.TokenService/IssueToken"]["post"];
    assert_eq!(login["security"], json!([]));
    let request = &description["components"]["schemas"]["befriend.v1.ListFriendsRequest"];
    assert_eq!(request["additionalProperties"], false);
    assert_eq!(request["properties"]["pageSize"]["type"], "integer");
    let size = request["properties"]["pageSize"]["description"].as_str().unwrap();
    assert!(size.starts_with("The largest number of"), "{size}");
}

#[tokio::test]
async fn the_own_api_is_described_as_it_answers() {
    let app = TestApp::start().await;
    let description = description(&app.url).await;
    let statuses = |method: &str| -> Vec<String> {
        let path = format!("/befriend.v1.{method}");
        let responses = &description["paths"][&path]["post"]["responses"];
        responses.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(statuses("FriendService/WatchFriends"), ["200", "404", "405", "415"]);
    let unary = statuses("FriendService/AddFriend");
    assert!(unary.contains(&"400".to_owned()) && !unary.contains(&"413".to_owned()), "{unary:?}");
    let list = &description["paths"]["/befriend.v1.FriendService/ListFriends"]["get"];
    assert_eq!(list["parameters"][0]["schema"], json!({ "type": "string", "const": "json" }));

    let schema = |name: &str| &description["components"]["schemas"][format!("befriend.v1.{name}")];
    let version = |name: &str, field: &str| schema(name)["properties"][field]["type"].clone();
    assert_eq!(version("SyncFriendsResponse", "nextVersion"), "string");
    assert_eq!(version("SyncFriendsRequest", "sinceVersion"), json!(["string", "integer"]));
    assert_eq!(schema("SyncFriendsResponse")["additionalProperties"], Value::Null);
    assert_eq!(schema("NewUser")["additionalProperties"], false);
}

/// Fails if a value has members that its schema does not have.
fn fits(description: &Value, schema: &Value, value: &Value) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => description.pointer(&reference[1..]).expect("the schema"),
        None => schema,
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let property = &schema["properties"][name];
                assert!(property.is_object(), "{name} is not in {schema}");
                fits(description, property, member);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| fits(description, &schema["items"], item));
        }
        Value::String(_) => {
            let known = &schema["type"];
            assert!(known == "string" || known[0] == "string", "{value} is not of {schema}");
        }
        Value::Bool(_) => assert_eq!(schema["type"], "boolean"),
        Value::Number(_) => assert_eq!(schema["type"], "integer"),
        Value::Null => panic!("no answer has null"),
    }
}

#[tokio::test]
async fn answers_and_errors_fit_their_schemas() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let description = description(&app.url).await;
    let caller = Caller::new(&app.url, &tenant.token);
    for (method, body) in [
        ("FriendService/AddFriend", json!({ "owner": "alice", "friend": "bob" })),
        ("FriendService/ListFriends", json!({ "owner": "alice", "includeRemark": true })),
        ("FriendService/SyncFriends", json!({ "owner": "alice" })),
        ("RelationService/CheckRelations", json!({ "username": "alice", "others": ["bob"] })),
        ("UserService/GetUser", json!({ "username": "alice" })),
        ("FriendService/GetFriend", json!({ "owner": "alice", "friend": "nobody" })),
        ("FriendService/AddFriend", json!({ "owner": "alice", "frend": "bob" })),
    ] {
        let path = format!("/befriend.v1.{method}");
        let answer = caller.call(method, &body).await;
        let status = answer.status.to_string();
        let response = &description["paths"][&path]["post"]["responses"][&status];
        let response = match response["$ref"].as_str() {
            Some(reference) => description.pointer(&reference[1..]).unwrap(),
            None => response,
        };
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method}: {status} is not described");
        let mut json = answer.json;
        assert_eq!(answer.status == 200, json["code"].is_null(), "{method}: {json}");
        // For people: any JSON.
        let details = json.get_mut("details").and_then(Value::as_array_mut);
        for detail in details.into_iter().flatten() {
            detail.as_object_mut().unwrap().remove("debug");
        }
        fits(&description, schema, &json);
    }
}

#[tokio::test]
async fn the_page_for_people_has_every_operation_and_fetches_nothing() {
    let app = TestApp::start().await;
    let description = description(&app.url).await;
    let answer = ask(&app.url, "GET", "/docs", &[], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, "default-src 'none'; style-src 'unsafe-inline'");
    let page = String::from_utf8(answer.body).unwrap();
    let paths = description["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{id}");
    }
    for name in description["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
    }
    for outside in ["src=", "href=\"http", "url(", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
