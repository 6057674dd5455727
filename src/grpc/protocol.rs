//! What HTTP must look like to be a gRPC call. A request for one of our gRPC paths that does not is refused
//! in HTTP's own words before anything of it is read; a call with too much metadata is refused in gRPC's.

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE},
};
use http_body::Body as _;
use tonic::{Status, body::Body};

use crate::gate::{MAX_METADATA, NoCall};

/// What HTTP/2 counts for each header beside its name and its value, in bytes.
const HEADER_OVERHEAD: usize = 32;

/// The text of the responses to requests that are no gRPC calls.
const WHAT_IS_TAKEN: &str =
    "this path belongs to gRPC: it takes POST with content-type application/grpc\n";

/// What is wrong with a request that must not reach a method, and the response to it; `None` for a gRPC call,
/// and for a request that belongs to the HTTP APIs.
pub(super) fn refuse(request: &Request<Body>) -> Option<(NoCall, Response<Body>)> {
    let is_call = is_grpc(request.headers());
    if is_grpc_path(request.uri().path()) {
        let refusal = match *request.method() {
            Method::POST if is_call => None,
            Method::POST => Some((NoCall::ContentType, StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            _ => Some((NoCall::Method, StatusCode::METHOD_NOT_ALLOWED)),
        };
        if let Some((what, status)) = refusal {
            return Some((what, not_grpc(status, request)));
        }
    }
    let size = is_call.then(|| metadata_size(request.headers()))?;
    (size > MAX_METADATA as usize).then(|| {
        let why = format!("the metadata has {size} bytes: at most {MAX_METADATA} are taken");
        (NoCall::Metadata, Status::resource_exhausted(why).into_http())
    })
}

/// The answer to a gRPC call that came over HTTP/1. It may be there before the body has come, so the connection
/// ends with it: the next request could not be told from that body.
pub(super) fn ends_connection(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Whether a path is one of a gRPC service's: befriend's own, health or reflection.
fn is_grpc_path(path: &str) -> bool {
    path.starts_with("/befriend.v1.") || path.starts_with("/grpc.")
}

/// Whether a request says that it is gRPC with messages of protobuf.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return false };
    let kind = kind.as_bytes();
    let name = kind.split(|byte| *byte == b';').next().unwrap_or(kind).trim_ascii();
    ["application/grpc", "application/grpc+proto"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn metadata_size(headers: &HeaderMap) -> usize {
    let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    sizes.map(|size| size + HEADER_OVERHEAD).sum()
}

fn not_grpc(status: StatusCode, request: &Request<Body>) -> Response<Body> {
    // An answer to HEAD has no body; HTTP/2 would be broken by one.
    let body = if request.method() == Method::HEAD {
        Body::empty()
    } else {
        Body::new(WHAT_IS_TAKEN.to_owned())
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    // The body is not read: over HTTP/1 the next request could not be told from it.
    if request.version() < Version::HTTP_2 && !request.body().is_end_stream() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let told = |kind: &str| {
            is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())]))
        };
        for grpc in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC",
            "application/grpc; a=b",
        ] {
            assert!(told(grpc), "{grpc} was not taken");
        }
        for other in [
            "",
            "text/plain",
            "application/json",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc+json",
            "application/grpcx",
        ] {
            assert!(!told(other), "{other:?} was taken");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
