//! The OpenAPI description of the own API as JSON over HTTP: made of the protos, with their comments.

mod comments;
mod schemas;

use prost_reflect::{
    DescriptorPool, MethodDescriptor, ServiceDescriptor,
    prost_types::method_options::IdempotencyLevel,
};
use serde_json::{Map, Value, json};

use self::{comments::Comments, schemas::Schemas};
use super::methods::{Access, Methods};
use crate::proto;

/// The statuses of refused calls, and what each is for.
const ERRORS: [(&str, &str); 12] = [
    ("400", "The request is wrong, or the state of the lists does not allow it."),
    ("401", "The token or the credentials are missing, wrong or too old."),
    ("403", "The token does not allow this call."),
    ("404", "There is no such user, app, rule, event or request."),
    ("405", "Another method of HTTP is needed."),
    ("409", "It exists already, or the call has collided with others."),
    ("415", "The content type is none that the method takes."),
    ("429", "The rate is exceeded, or a list is full."),
    ("500", "An internal error; the service's log has the details."),
    ("501", "The compression or the method is not implemented."),
    ("503", "The service can't respond at the moment; Retry-After says when to retry."),
    ("504", "The deadline passed; the change may have been made."),
];

/// The statuses of refused streams: all other errors stand in the last envelope of one with the status 200.
const STREAM_ERRORS: [&str; 3] = ["404", "405", "415"];

/// Tags, paths and components of the own API, as an OpenAPI 3.1 document has them.
#[must_use]
pub fn describe() -> Value {
    let pool = DescriptorPool::decode(proto::DOCUMENTED_DESCRIPTORS)
        .expect("the build wrote the descriptors");
    let comments = Comments::read(&pool);
    let methods = Methods::read();
    let mut schemas = Schemas::new(&comments);
    let (mut tags, mut paths) = (Vec::new(), Map::new());
    let own = |service: &ServiceDescriptor| service.package_name() == "befriend.v1";
    for service in pool.services().filter(own) {
        let said = comments.of(&service.parent_file(), service.path());
        tags.push(json!({ "name": service.name(), "description": said }));
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let access = methods.get(&path).map_or(Access::App, |method| method.access);
            let item = path_item(&method, access, &comments, &mut schemas);
            paths.insert(path, item);
        }
    }
    let responses: Map<String, Value> = ERRORS
        .iter()
        .map(|(status, text)| (error_name(status), error_response(status, text)))
        .collect();
    let mut schemas = schemas.finish();
    schemas.insert("connect.Error".to_owned(), error_schema());
    json!({
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "befriendToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token from TokenService/IssueToken, or an operator's.",
                },
            },
            "responses": responses,
            "schemas": schemas,
        },
    })
}

fn path_item(
    method: &MethodDescriptor,
    access: Access,
    comments: &Comments,
    schemas: &mut Schemas<'_>,
) -> Value {
    let service = method.parent_service().name().to_owned();
    let id = format!("{service}_{}", method.name());
    let said = comments.of(&method.parent_file(), method.path());
    // The first sentence.
    let summary = said.split_once(". ").map_or(said.as_str(), |(first, _)| first);
    let summary = summary.lines().next().unwrap_or_default().trim_end_matches('.');
    let security = match access {
        Access::Public => json!([]),
        _ => json!([{ "befriendToken": [] }]),
    };
    let operation = |id: &str, answer: Value| {
        json!({
            "operationId": id,
            "tags": [&service],
            "summary": summary,
            "description": format!("{said}\n\n{}", who(access)),
            "security": security,
            "responses": responses(answer, method.is_server_streaming()),
        })
    };
    let input = schemas.request(&method.input());
    let output = schemas.response(&method.output());
    if method.is_server_streaming() {
        let mut post = operation(&id, envelopes(method));
        post["requestBody"] = envelope(method);
        return json!({ "post": post });
    }
    let answer = json!({
        "description": "The answer.",
        "content": { "application/json": { "schema": output } },
    });
    let mut post = operation(&id, answer.clone());
    post["requestBody"] = json!({
        "required": true,
        "content": { "application/json": { "schema": &input } },
    });
    post["parameters"] = json!([timeout()]);
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    if options.idempotency_level() != IdempotencyLevel::NoSideEffects {
        return json!({ "post": post });
    }
    let mut get = operation(&format!("{id}_get"), answer);
    get["parameters"] = get_parameters(input);
    json!({ "get": get, "post": post })
}

/// The answer of a method that answers with a stream.
fn envelopes(method: &MethodDescriptor) -> Value {
    json!({
        "description": format!(
            "Envelopes of the Connect protocol, each with a `{}`; the last one says how the stream ended.",
            method.output().full_name()
        ),
        "content": binary(),
    })
}

/// The body of a request for a stream.
fn envelope(method: &MethodDescriptor) -> Value {
    json!({
        "required": true,
        "description": format!(
            "An envelope of the Connect protocol (five bytes before the message) with a `{}`.",
            method.input().full_name()
        ),
        "content": binary(),
    })
}

fn binary() -> Value {
    json!({ "application/connect+json": { "schema": { "type": "string", "format": "binary" } } })
}

/// The parameters of a GET with this message.
fn get_parameters(message: Value) -> Value {
    json!([
        {
            "name": "encoding",
            "in": "query",
            "required": true,
            "description": "The form of the message.",
            "schema": { "type": "string", "const": "json" },
        },
        {
            "name": "message",
            "in": "query",
            "required": true,
            "description": "The request as JSON.",
            "content": { "application/json": { "schema": message } },
        },
        timeout(),
    ])
}

fn timeout() -> Value {
    json!({
        "name": "Connect-Timeout-Ms",
        "in": "header",
        "description": "The deadline of the call, in milliseconds.",
        "schema": { "type": "integer", "minimum": 1, "maximum": 9_999_999_999_u64 },
    })
}

fn who(access: Access) -> String {
    match access {
        Access::Public => "Needs no token.".to_owned(),
        Access::App => "Needs the token of an app.".to_owned(),
        Access::Operator(role) => format!("Needs the token of an operator with the role {role}."),
        Access::AppOrOperator(role) => {
            format!("Needs the token of an app, or of an operator with the role {role}.")
        }
    }
}

/// The answer of a call that succeeds, and those of all that may refuse it.
fn responses(answer: Value, is_stream: bool) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), answer);
    for (status, _) in ERRORS {
        if is_stream && !STREAM_ERRORS.contains(&status) {
            continue;
        }
        let reference = format!("#/components/responses/{}", error_name(status));
        responses.insert(status.to_owned(), json!({ "$ref": reference }));
    }
    responses.into()
}

fn error_name(status: &str) -> String {
    format!("Connect{status}")
}

fn error_response(status: &str, text: &str) -> Value {
    let mut response = json!({
        "description": text,
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/connect.Error" } } },
    });
    if matches!(status, "429" | "503") {
        response["headers"] = json!({
            "Retry-After": {
                "description": "In how many seconds the call may be made again, if that helps.",
                "schema": { "type": "integer", "minimum": 1 },
            },
        });
    }
    response
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "An error of the Connect protocol.",
        "required": ["code"],
        "properties": {
            "code": { "type": "string", "description": "The code, such as `not_found`." },
            "message": { "type": "string", "description": "What is wrong, for people." },
            "details": {
                "type": "array",
                "description": "Of these, `google.rpc.ErrorInfo` has the reason, such as USER_NOT_FOUND.",
                "items": {
                    "type": "object",
                    "required": ["type", "value"],
                    "properties": {
                        "type": { "type": "string", "description": "The message's full name." },
                        "value": { "type": "string", "description": "The message, in unpadded base64." },
                        "debug": { "description": "The message as JSON." },
                    },
                },
            },
        },
    })
}
