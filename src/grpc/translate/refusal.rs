//! Requests that are no calls, answered in HTTP's own words before anything of them is read, each with what
//! would be taken instead.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use serde_json::json;
use tonic::{Status, body::Body};

use super::{calls::Call, error};

/// What a method with one answer takes, one with a stream of them, and one that only gRPC has.
const UNARY: &str = "application/json, application/proto, application/grpc, application/grpc-web, \
                     application/grpc-web-text";
const STREAM: &str = "application/connect+json, application/connect+proto, application/grpc, \
                      application/grpc-web, application/grpc-web-text";
const GRPC: &str = "application/grpc";

/// No method has this path.
pub(super) fn no_method(method: &Method, path: &str) -> Response<Body> {
    let why = format!("there is no method {}", path.escape_default());
    let mut response = error::response(&Status::unimplemented(why), HeaderMap::new());
    *response.status_mut() = StatusCode::NOT_FOUND;
    without_body_for_head(method, response)
}

/// The path takes another method of HTTP.
pub(super) fn not_allowed(method: &Method, call: Option<&Call>) -> Response<Body> {
    let by_get = call.is_some_and(|call| call.by_get);
    let allowed = if by_get { "POST, GET" } else { "POST" };
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, &taken(call, allowed));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    without_body_for_head(method, response)
}

/// An answer to HEAD has no body; HTTP/2 would be broken by one.
fn without_body_for_head(method: &Method, mut response: Response<Body>) -> Response<Body> {
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// The path takes other content types.
pub(super) fn unsupported(call: Option<&Call>) -> Response<Body> {
    let mut response = refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &taken(call, "POST"));
    let name = HeaderName::from_static("accept-post");
    response.headers_mut().insert(name, HeaderValue::from_static(types(call)));
    response
}

fn types(call: Option<&Call>) -> &'static str {
    match call {
        Some(call) if call.streams => STREAM,
        Some(_) => UNARY,
        None => GRPC,
    }
}

fn taken(call: Option<&Call>, methods: &str) -> String {
    format!(
        "this path takes {methods}, with one of these as the content type of POST: {}",
        types(call)
    )
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let body = json!({ "code": "invalid_argument", "message": why });
    let mut response = Response::new(Body::new(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
