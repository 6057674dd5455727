//! The OpenAPI description of everything that the port takes as HTTP: `GET /openapi.json`, and the same for people
//! at `GET /docs`.
//!
//! The vendors' APIs are described by their route tables: beside a route stands a [`Doc`], and the schemas of
//! bodies and responses stand beside the functions that read and write them. The own API's part comes from the
//! protos, made by `grpc/description`.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use axum::{Router, body::Bytes, http::header, routing::get};
use serde_json::{Map, Value, json};

use super::{reference, schema::Schema};

/// What the description says of a route.
pub(super) struct Doc {
    /// The operationId, by which generated clients name their functions.
    pub(super) id: &'static str,
    pub(super) summary: String,
    /// The parameters of the query.
    pub(super) query: Vec<Parameter>,
    /// The request's body, if the route reads one.
    pub(super) body: Option<Schema>,
    /// The body of a successful response.
    pub(super) response: Schema,
    /// Whether the route refuses a change for which a list is too full.
    pub(super) list_can_be_full: bool,
}

impl Doc {
    pub(super) fn new(id: &'static str, summary: impl Into<String>, response: Schema) -> Self {
        let (query, body) = (Vec::new(), None);
        Self { id, summary: summary.into(), query, body, response, list_can_be_full: false }
    }

    /// With these parameters of the query.
    pub(super) fn parameters(self, query: impl Into<Vec<Parameter>>) -> Self {
        Self { query: query.into(), ..self }
    }

    pub(super) fn body(self, body: Schema) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn list_can_be_full(self) -> Self {
        Self { list_can_be_full: true, ..self }
    }
}

/// A parameter of a path, a query or a header.
pub(super) struct Parameter {
    name: &'static str,
    place: &'static str,
    required: bool,
    description: String,
    schema: Schema,
}

impl Parameter {
    /// A parameter at "path", "query" or "header".
    pub(super) fn required(
        place: &'static str,
        name: &'static str,
        description: impl Into<String>,
        schema: Schema,
    ) -> Self {
        Self { name, place, required: true, description: description.into(), schema }
    }

    /// A parameter of the query that may be absent.
    pub(super) fn optional(
        name: &'static str,
        description: impl Into<String>,
        schema: Schema,
    ) -> Self {
        Self { required: false, ..Self::required("query", name, description, schema) }
    }
}

/// A description in the making.
#[derive(Default)]
pub(super) struct Description {
    tags: Vec<Value>,
    paths: Map<String, Value>,
    security_schemes: Map<String, Value>,
    parameters: Map<String, Value>,
    responses: Map<String, Value>,
    schemas: BTreeMap<&'static str, Value>,
}

impl Description {
    pub(super) fn add_tag(&mut self, name: &str, description: &str) {
        self.tags.push(json!({ "name": name, "description": description }));
    }

    pub(super) fn add_security_scheme(&mut self, name: &str, scheme: Value) {
        self.security_schemes.insert(name.to_owned(), scheme);
    }

    /// Adds a parameter that several operations refer to, and returns the reference.
    pub(super) fn shared_parameter(&mut self, parameter: Parameter) -> Value {
        let name = parameter.name;
        let parameter = self.parameter(parameter);
        self.parameters.insert(name.to_owned(), parameter);
        json!({ "$ref": format!("#/components/parameters/{name}") })
    }

    /// A parameter as it stands in an operation.
    pub(super) fn parameter(&mut self, parameter: Parameter) -> Value {
        let Parameter { name, place, required, description, schema } = parameter;
        let schema = schema.into_json(&mut self.schemas);
        let mut parameter =
            json!({ "name": name, "in": place, "description": description, "schema": schema });
        if required {
            parameter["required"] = true.into();
        }
        parameter
    }

    /// Adds a response that several operations refer to, and returns the reference.
    pub(super) fn shared_response(&mut self, name: &str, response: Value) -> Value {
        self.responses.insert(name.to_owned(), response);
        json!({ "$ref": format!("#/components/responses/{name}") })
    }

    /// A response or a request's body of one media type.
    pub(super) fn content(&mut self, media_type: &str, schema: Schema) -> Value {
        json!({ media_type: { "schema": schema.into_json(&mut self.schemas) } })
    }

    pub(super) fn add_operation(&mut self, method: &str, path: String, operation: Value) {
        let methods = self.paths.entry(path).or_insert_with(|| json!({}));
        methods[method.to_ascii_lowercase()] = operation;
    }

    /// The description, in OpenAPI 3.1, with the own API's part before the vendors'.
    fn into_json(self, own: Value) -> Value {
        let vendors = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "befriend over HTTP",
                "version": env!("CARGO_PKG_VERSION"),
                "summary": "Friends, remarks and block lists.",
                "description": "The operations of befriend.v1 as JSON (by the Connect protocol), and in the forms of \
                                Easemob's and NetEase's APIs. All have the same limits, and the same rate per app \
                                and operation, as by gRPC.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "tags": self.tags,
            "paths": self.paths,
            "components": {
                "securitySchemes": self.security_schemes,
                "parameters": self.parameters,
                "responses": self.responses,
                "schemas": self.schemas,
            },
        });
        let mut description = vendors.clone();
        for member in ["tags", "paths", "components"] {
            description[member] = own[member].clone();
        }
        add(&mut description, vendors);
        description
    }
}

/// Adds the members and items of one JSON value to another; of what both have, the first one's stays.
fn add(to: &mut Value, from: Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (name, value) in from {
                match to.get_mut(&name) {
                    Some(there) => add(there, value),
                    None => {
                        to.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(to), Value::Array(from)) => to.extend(from),
        _ => {}
    }
}

/// The description, as programs and as people read it.
#[derive(Clone)]
struct Texts {
    json: Bytes,
    page: Bytes,
}

/// The routes of the description. They need no credentials: the description is the product's
/// documentation. It is made when somebody first asks for it.
pub(super) fn router<D>(describe: D) -> Router
where
    D: Fn() -> (Description, Value) + Send + Sync + 'static,
{
    let made: OnceLock<Texts> = OnceLock::new();
    let texts = Arc::new(move || {
        let texts = made.get_or_init(|| {
            let (vendors, own) = describe();
            let description = vendors.into_json(own);
            let page = reference::page(&description).into();
            Texts { json: description.to_string().into(), page }
        });
        texts.clone()
    });
    let of_page = Arc::clone(&texts);
    let json = async move || ([(header::CONTENT_TYPE, "application/json")], texts().json);
    let page = async move || {
        // The page has its style in it, and nothing else.
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, policy),
        ];
        (headers, of_page().page)
    };
    Router::new().route("/openapi.json", get(json)).route("/docs", get(page))
}
