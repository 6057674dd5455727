//! Errors as the Connect protocol has them: a code, which decides the status of HTTP, a message, and the
//! same details that gRPC's errors have.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use prost::Message as _;
use prost_reflect::{DynamicMessage, SerializeOptions};
use prost_types::Any;
use serde_json::{Value, json};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;

use super::codec::types;

/// The code's name in the Connect protocol, and the status of HTTP that the protocol gives it.
pub(super) fn names(code: Code) -> (&'static str, StatusCode) {
    match code {
        // Not an error, so no error has it.
        Code::Ok => ("ok", StatusCode::OK),
        // 499 has no name: other servers write it for a client that went away.
        Code::Cancelled => ("canceled", StatusCode::from_u16(499).unwrap_or(StatusCode::CONFLICT)),
        Code::Unknown => ("unknown", StatusCode::INTERNAL_SERVER_ERROR),
        Code::InvalidArgument => ("invalid_argument", StatusCode::BAD_REQUEST),
        Code::DeadlineExceeded => ("deadline_exceeded", StatusCode::GATEWAY_TIMEOUT),
        Code::NotFound => ("not_found", StatusCode::NOT_FOUND),
        Code::AlreadyExists => ("already_exists", StatusCode::CONFLICT),
        Code::PermissionDenied => ("permission_denied", StatusCode::FORBIDDEN),
        Code::ResourceExhausted => ("resource_exhausted", StatusCode::TOO_MANY_REQUESTS),
        Code::FailedPrecondition => ("failed_precondition", StatusCode::BAD_REQUEST),
        Code::Aborted => ("aborted", StatusCode::CONFLICT),
        Code::OutOfRange => ("out_of_range", StatusCode::BAD_REQUEST),
        Code::Unimplemented => ("unimplemented", StatusCode::NOT_IMPLEMENTED),
        Code::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        Code::DataLoss => ("data_loss", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED),
    }
}

/// The error as JSON.
pub(super) fn to_json(status: &Status) -> Value {
    let mut error = json!({ "code": names(status.code()).0, "message": status.message() });
    let details = tonic_types::pb::Status::decode(status.details()).unwrap_or_default().details;
    if !details.is_empty() {
        error["details"] = details.iter().map(detail).collect();
    }
    error
}

/// A detail: its bytes for programs, and what they say for people.
fn detail(any: &Any) -> Value {
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    let mut detail = json!({ "type": name, "value": BASE64_STANDARD_NO_PAD.encode(&any.value) });
    if let Some(kind) = types().get_message_by_name(name)
        && let Ok(message) = DynamicMessage::decode(kind, any.value.as_slice())
        && let Ok(said) =
            message.serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
    {
        detail["debug"] = said;
    }
    detail
}

/// The answer to a call with one answer that ended with this error; `metadata` came with it.
pub(super) fn response(status: &Status, metadata: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::new(to_json(status).to_string()));
    *response.status_mut() = names(status.code()).1;
    *response.headers_mut() = metadata;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = status.get_details_retry_info().and_then(|info| info.retry_delay) {
        // In whole seconds, rounded up: an earlier retry would be refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if status.code() == Code::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_name_and_the_status_of_the_protocol() {
        let table = [
            ("canceled", 499),
            ("unknown", 500),
            ("invalid_argument", 400),
            ("deadline_exceeded", 504),
            ("not_found", 404),
            ("already_exists", 409),
            ("permission_denied", 403),
            ("resource_exhausted", 429),
            ("failed_precondition", 400),
            ("aborted", 409),
            ("out_of_range", 400),
            ("unimplemented", 501),
            ("internal", 500),
            ("unavailable", 503),
            ("data_loss", 500),
            ("unauthenticated", 401),
        ];
        for (number, (name, status)) in (1..).zip(table) {
            let (told, http) = names(Code::from(number));
            assert_eq!((told, http.as_u16()), (name, status), "code {number}");
        }
    }

    #[test]
    fn a_detail_of_an_unknown_type_has_its_bytes_and_no_text() {
        let any = Any { type_url: "type.googleapis.com/a.B".to_owned(), value: vec![1, 2, 3, 4] };
        assert_eq!(detail(&any), json!({ "type": "a.B", "value": "AQIDBA" }));
    }
}
