//! Answers with one message, as the Connect protocol has them.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, VARY},
};
use http_body_util::BodyExt as _;
use prost_reflect::MessageDescriptor;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};

use super::{
    codec::Codec,
    error,
    form::{metadata, unary_type},
    gzip::compress,
    request::{PREFIX, length},
};
use crate::domain::Error;

/// How an answer is to be written.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) codec: Codec,
    pub(super) kind: MessageDescriptor,
    /// Whether it may be compressed with gzip.
    pub(super) gzip: bool,
    /// When a stream is over by the caller's deadline, where no gate sees to that.
    pub(super) ends_at: Option<Instant>,
}

/// gRPC's answer with one message in the words of Connect.
pub(super) async fn unary(answer: Response<Body>, wanted: &Wanted) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let in_headers = Status::from_header_map(&parts.headers);
    let mut headers = metadata(parts.headers);
    if let Some(status) = in_headers.filter(|status| status.code() != Code::Ok) {
        return error::response(&status, headers);
    }
    let collected = match body.collect().await {
        Ok(collected) => collected,
        Err(status) => return error::response(&status, headers),
    };
    if let Some(trailers) = collected.trailers() {
        let status = Status::from_header_map(trailers);
        add_trailers(&mut headers, metadata(trailers.clone()));
        if let Some(status) = status.filter(|status| status.code() != Code::Ok) {
            return error::response(&status, headers);
        }
    }
    let mut message = collected.to_bytes();
    if length(&message).is_none_or(|length| length != message.len() - PREFIX) {
        let status = Error::Internal("the answer is not one message".to_owned()).into();
        return error::response(&status, headers);
    }
    drop(message.split_to(PREFIX));
    let message = match wanted.codec.write(&wanted.kind, message) {
        Ok(message) => message,
        Err(error) => return error::response(&error.into(), headers),
    };
    let content_type = HeaderValue::from_static(unary_type(wanted.codec));
    headers.insert(CONTENT_TYPE, content_type);
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    let compressed = if wanted.gzip { compress(&message) } else { None };
    if compressed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let body = http_body_util::Full::new(compressed.unwrap_or(message));
    let mut response = Response::new(Body::new(body));
    *response.headers_mut() = headers;
    response
}

/// Trailers go among the headers, under names of their own.
fn add_trailers(headers: &mut HeaderMap, trailers: HeaderMap) {
    let mut last = None;
    for (name, value) in trailers {
        last = name.or(last);
        let name = last
            .as_ref()
            .and_then(|name| HeaderName::from_bytes(format!("trailer-{name}").as_bytes()).ok());
        if let Some(name) = name {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use prost::{Message as _, bytes::Bytes};

    use super::*;
    use crate::{
        grpc::translate::{codec::types, request::prefix},
        proto,
    };

    /// The answer to an answer of gRPC with these frames.
    async fn answer(frames: Vec<Frame<Bytes>>) -> (u16, HeaderMap, String) {
        let frames = stream::iter(frames.into_iter().map(Ok::<_, Status>));
        let kind = types().get_message_by_name("befriend.v1.RemoveAllFriendsResponse");
        let wanted = Wanted { codec: Codec::Json, kind: kind.unwrap(), gzip: true, ends_at: None };
        let response = unary(Response::new(Body::new(StreamBody::new(frames))), &wanted).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn message() -> [Frame<Bytes>; 2] {
        let message = proto::RemoveAllFriendsResponse { removed_count: 7 }.encode_to_vec();
        [Frame::data(prefix(0, message.len())), Frame::data(message.into())]
    }

    fn trailers(status: &str) -> Frame<Bytes> {
        let values = [("grpc-status", status), ("note", "one"), ("note", "two")];
        let values = values.map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        let mut trailers = HeaderMap::new();
        for (name, value) in values {
            trailers.append(name, value);
        }
        Frame::trailers(trailers)
    }

    #[tokio::test]
    async fn trailers_stand_among_the_headers_under_their_own_names() {
        for status in ["0", "5"] {
            let frames = message().into_iter().chain([trailers(status)]).collect();
            let (http, headers, body) = answer(frames).await;
            let notes: Vec<_> = headers.get_all("trailer-note").iter().collect();
            assert_eq!(notes, ["one", "two"]);
            assert!(!headers.contains_key("trailer-grpc-status") && !headers.contains_key("note"));
            let (expected, said) =
                if status == "0" { (200, r#"{"removedCount":7}"#) } else { (404, "not_found") };
            assert!(http == expected && body.contains(said), "{http} {body}");
        }
    }

    #[tokio::test]
    async fn what_is_not_one_message_is_an_internal_error() {
        let [prefix, message] = message();
        for frames in [vec![], vec![prefix], vec![message]] {
            let (http, _, body) = answer(frames).await;
            assert!(http == 500 && body.contains("internal"), "{http} {body}");
        }
    }
}
