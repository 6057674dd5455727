//! The OpenAPI description of the HTTP APIs, made of their route tables: `GET /openapi.json`.
//!
//! Beside a route its table has a [`Doc`]; the schemas of bodies and responses stand beside the
//! functions that read and write them.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    routing::get,
};
use serde_json::{Map, Value, json};

use super::schema::Schema;

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

    /// The description, in OpenAPI 3.1.
    pub(super) fn into_json(self) -> Value {
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "befriend over HTTP",
                "version": env!("CARGO_PKG_VERSION"),
                "summary": "Friends, remarks and block lists in the forms of Easemob's and NetEase's APIs.",
                "description": "The same operations as gRPC's befriend.v1, with the same limits and the same \
                                rate per app and operation.",
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
        })
    }
}

/// The route of the description. It needs no credentials: the description is the product's
/// documentation.
pub(super) fn router(description: &Value) -> Router {
    let json = HeaderValue::from_static("application/json");
    let body = Bytes::from(description.to_string());
    Router::new()
        .route("/openapi.json", get(async move || ([(header::CONTENT_TYPE, json)], body.clone())))
}
