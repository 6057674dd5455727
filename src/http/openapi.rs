//! The description of both HTTP APIs, for people and for generators of clients: `GET /openapi.json`.
//!
//! It is written by hand, and checked: against the routes by a test, against the answers by
//! schemathesis.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};

/// The description, in OpenAPI 3.1.
const OPENAPI: &str = include_str!("openapi.json");

/// The route of the description. It is open to everybody, as the product's documentation is.
pub(super) fn routes() -> Router {
    Router::new().route("/openapi.json", get(description))
}

async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], OPENAPI)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::OPENAPI;
    use crate::http::{easemob, netease};

    /// Each method and path that the routes answer.
    fn routed() -> BTreeSet<(String, String)> {
        let easemob = easemob::routes().into_iter().map(|route| {
            let method = route.method.as_str().to_ascii_lowercase();
            (method, format!("{}{}", easemob::PREFIX, route.path))
        });
        let netease = netease::routes().into_iter().map(|route| ("post", route.path));
        let netease = netease.chain([("get", netease::LIVENESS)]).flat_map(|(method, path)| {
            [format!("{}{path}", netease::PREFIX), path.to_owned()]
                .map(|path| (method.to_owned(), path))
        });
        easemob.chain(netease).collect()
    }

    #[test]
    fn the_description_names_the_routes_and_no_others() {
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let described = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods.keys().map(|method| (method.clone(), path.clone()))
        });
        assert_eq!(described.collect::<BTreeSet<_>>(), routed());
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
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
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        check(&description, &description);
    }
}
