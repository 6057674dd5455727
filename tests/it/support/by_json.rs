//! A channel whose gRPC calls reach the server as JSON, so that whatever is told in gRPC can be told once more
//! by the Connect protocol.

use std::convert::Infallible;

use ::http::{HeaderMap, Request, Response};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::{Message as _, bytes::Bytes};
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::Value;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tower::service_fn as connector;

use super::{http, raw::methods, wire::frame};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The names that the protocol gives the codes, from 1 on.
const CODES: [&str; 16] = [
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// A channel to the server at "http://host:port".
pub fn channel(url: &str) -> Channel {
    let url = url.to_owned();
    Endpoint::from_static("http://translated").connect_with_connector_lazy(connector(move |_| {
        let url = url.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move {
                let answer = service_fn(move |request| answer(url.clone(), request));
                let server = http2::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(theirs), answer).await;
            });
            Ok::<_, Infallible>(TokioIo::new(ours))
        }
    }))
}

type Frames = stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

/// Makes the call by JSON, and its answer one of gRPC.
async fn answer(
    url: String,
    request: Request<Incoming>,
) -> Result<Response<StreamBody<Frames>>, Infallible> {
    let (frames, status) = match call(&url, request).await {
        Ok(message) => (vec![Ok(Frame::data(message))], Status::ok("")),
        Err(status) => (vec![], status),
    };
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).expect("a status can be sent");
    let frames: Vec<_> = frames.into_iter().chain([Ok(Frame::trailers(trailers))]).collect();
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    Ok(response)
}

async fn call(url: &str, request: Request<Incoming>) -> Result<Bytes, Status> {
    let path = request.uri().path().to_owned();
    let is_called = |method: &MethodDescriptor| {
        path == format!("/{}/{}", method.parent_service().full_name(), method.name())
    };
    let method = methods().into_iter().find(is_called).expect("a method of befriend");
    let bearer = request.headers().get("authorization").map(|value| value.to_str().unwrap());
    let bearer = bearer.map(|bearer| ("authorization", bearer.to_owned()));
    let mut message = request.into_body().collect().await.unwrap().to_bytes();
    let message = DynamicMessage::decode(method.input(), message.split_off(5)).unwrap();
    let json = serde_json::to_vec(&message).unwrap();
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(bearer.iter().map(|(name, value)| (*name, value.as_str())));
    let answer = http::ask(url, "POST", &path, &headers, &json).await;
    assert_eq!(answer.header("content-type"), "application/json");
    if answer.status != 200 {
        return Err(refusal(&serde_json::from_slice(&answer.body).unwrap()));
    }
    let mut json = serde_json::Deserializer::from_slice(&answer.body);
    let message = DynamicMessage::deserialize(method.output(), &mut json).unwrap();
    Ok(frame(&message.encode_to_vec()).into())
}

fn refusal(error: &Value) -> Status {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let name = text(&error["code"]);
    let code = CODES.iter().position(|code| *code == name).expect("a code of the protocol");
    let message = text(&error["message"]);
    let details = error["details"].as_array().cloned().unwrap_or_default();
    let details = details.iter().map(|detail| prost_types::Any {
        type_url: format!("type.googleapis.com/{}", text(&detail["type"])),
        value: BASE64.decode(text(&detail["value"])).unwrap(),
    });
    let code = i32::try_from(code + 1).unwrap();
    let whole =
        tonic_types::pb::Status { code, message: message.clone(), details: details.collect() };
    Status::with_details(Code::from(code), message, whole.encode_to_vec().into())
}
