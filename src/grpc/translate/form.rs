//! The forms of calls, by the content types of their requests.

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE, HeaderName},
};

use super::codec::Codec;
use crate::gate::Surface;

/// A form that is not gRPC's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Connect's for methods with one answer: the body is the message.
    Unary(Codec),
    /// Connect's for streams: messages in envelopes.
    Stream(Codec),
    /// gRPC-Web's.
    GrpcWeb,
}

impl Form {
    /// The form of a request with these headers, if it is one of these.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let kind = kind.split(';').next()?.trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" => Some(Self::Unary(Codec::Json)),
            "application/proto" => Some(Self::Unary(Codec::Proto)),
            "application/connect+json" => Some(Self::Stream(Codec::Json)),
            "application/connect+proto" => Some(Self::Stream(Codec::Proto)),
            kind => web_type(kind).map(|_| Self::GrpcWeb),
        }
    }

    /// The surface on which its calls are counted.
    pub(super) const fn surface(self) -> Surface {
        match self {
            Self::Unary(_) | Self::Stream(_) => Surface::Connect,
            Self::GrpcWeb => Surface::GrpcWeb,
        }
    }
}

/// gRPC-Web's content types.
const WEB: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// The type of gRPC-Web that this is, without parameters and in small letters.
fn web_type(kind: &str) -> Option<&'static str> {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    WEB.into_iter().find(|known| known.eq_ignore_ascii_case(kind))
}

/// Writes the types of a request by gRPC-Web as the library compares them. An answer has the type of the request
/// unless the request accepts another of gRPC-Web's.
pub(super) fn name_web(headers: &mut HeaderMap) {
    let Some(sent) = web_type(text(headers, &CONTENT_TYPE)) else { return };
    let accepted = text(headers, &ACCEPT).split(',').find_map(web_type).unwrap_or(sent);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sent));
    headers.insert(ACCEPT, HeaderValue::from_static(accepted));
}

/// The content type of an answer with one message.
pub(super) const fn unary_type(codec: Codec) -> &'static str {
    match codec {
        Codec::Json => "application/json",
        Codec::Proto => "application/proto",
    }
}

/// The content type of a stream.
pub(super) const fn stream_type(codec: Codec) -> &'static str {
    match codec {
        Codec::Json => "application/connect+json",
        Codec::Proto => "application/connect+proto",
    }
}

/// A header's value as text; empty when it is not there, or no text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The headers of an answer without those that are gRPC's own.
pub(super) fn metadata(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONTENT_TYPE);
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-encoding",
        "grpc-accept-encoding",
    ] {
        headers.remove(name);
    }
    headers
}
