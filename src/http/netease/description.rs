//! What the OpenAPI description says of every route of this API.

use serde_json::{Value, json};

use super::error::MAX_ACCID;
use crate::http::{
    handler::{Route, VendorApi},
    openapi::{Description, Parameter},
    schema::{Schema, closed_object, constant, one_of, one_value_of, pattern, string},
};

const TAG: &str = "NetEase";

/// The codes of errors.
const CODES: [u16; 8] = [403, 404, 408, 414, 416, 419, 500, 503];

/// Describes the routes with and without `prefix`, and the one at `liveness`.
pub(super) fn describe<A: VendorApi>(
    prefix: &str,
    liveness: &str,
    routes: Vec<Route<A>>,
    description: &mut Description,
) {
    description.add_tag(
        TAG,
        "As NetEase IM's server API: forms, below /nimserver or without it. The status is always 200.",
    );
    let scheme = json!({
        "type": "apiKey",
        "in": "header",
        "name": "AppKey",
        "description": "With Nonce, CurTime and CheckSum = lower-case hex SHA-1 of AppSecret, Nonce and \
                        CurTime.",
    });
    description.add_security_scheme("appKey", scheme);
    let nonce = string().with("minLength", 1).with("maxLength", 128);
    let headers = [
        Parameter::required("header", "Nonce", "Random, 1-128 characters.", nonce),
        Parameter::required(
            "header",
            "CurTime",
            "UTC time in seconds, at most 5 minutes off.",
            pattern("^[0-9]+$"),
        ),
        Parameter::required("header", "CheckSum", "Lower-case hex.", pattern("^[0-9a-f]{40}$")),
    ];
    let headers = headers.map(|header| description.shared_parameter(header));
    for route in routes {
        let (method, path, doc) = (route.method, route.path, route.doc);
        let form = doc.body.expect("every route of the table reads a form");
        let form = description.content("application/x-www-form-urlencoded", form);
        let operation = json!({
            "tags": [TAG],
            "summary": doc.summary,
            "operationId": doc.id,
            "parameters": headers,
            "requestBody": { "required": true, "content": form },
            "security": [{ "appKey": [] }],
            "responses": { "200": {
                "description": "The result is the code.",
                "content": description.content("application/json", doc.response),
            } },
        });
        add_twice(description, method.as_str(), prefix, path, operation);
    }
    let up = closed_object([("code", constant(200))]);
    let operation = json!({
        "tags": [TAG],
        "summary": "Check that the service is up",
        "operationId": "nAlive",
        "security": [],
        "responses": { "200": {
            "description": "It is.",
            "content": description.content("application/json", up),
        } },
    });
    add_twice(description, "get", prefix, liveness, operation);
}

fn add_twice(
    description: &mut Description,
    method: &str,
    prefix: &str,
    path: &str,
    mut operation: Value,
) {
    description.add_operation(method, format!("{prefix}{path}"), operation.clone());
    let id = operation["operationId"].as_str().unwrap_or_default();
    operation["operationId"] = format!("{id}_bare").into();
    description.add_operation(method, path.to_owned(), operation);
}

/// A response that has these members beside the code, or is an error.
pub(super) fn response_schema<const N: usize>(members: [(&'static str, Schema); N]) -> Schema {
    one_of([success_schema(members), error_schema()])
}

pub(super) fn success_schema<const N: usize>(members: [(&'static str, Schema); N]) -> Schema {
    closed_object([("code", constant(200))].into_iter().chain(members))
}

pub(super) fn error_schema() -> Schema {
    let desc = string().with("minLength", 1);
    closed_object([("code", one_value_of(&CODES)), ("desc", desc)])
}

/// An accid in a form.
pub(super) fn accid_schema() -> Schema {
    pattern(format!("^[A-Za-z0-9_.@-]{{1,{MAX_ACCID}}}$"))
}
