//! What HTTP must look like to be a gRPC call. A call with too much metadata is refused before anything of it
//! is read.

use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{CONNECTION, CONTENT_TYPE},
};
use tonic::{Status, body::Body};

use crate::gate::{MAX_METADATA, NoCall};

/// What HTTP/2 counts for each header beside its name and its value, in bytes.
const HEADER_OVERHEAD: usize = 32;

/// What is wrong with a gRPC call that must not reach its method, and the response to it; `None` for any other
/// request.
pub(super) fn refuse(request: &Request<Body>) -> Option<(NoCall, Response<Body>)> {
    let size = is_grpc(request.headers()).then(|| metadata_size(request.headers()))?;
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
pub(super) fn is_grpc_path(path: &str) -> bool {
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
