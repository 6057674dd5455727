//! A unary call, by gRPC or by JSON, whose messages are bytes. The callers do not decode an answer: decoding is the work of a
//! client, in its own language, and pgbench does not decode its rows either.

use http::{Request, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full};
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Status,
    body::Body,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

use tower::{Service as _, ServiceExt as _};

use crate::common::app::{Token, authorized};

/// The codec that leaves messages as they are.
#[derive(Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Makes a call. Returns the encoded answer.
pub async fn call(
    channel: &Channel,
    path: &'static str,
    message: Bytes,
    token: &Token,
) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(path);
    Ok(client.unary(authorized(token, message), path, Raw).await?.into_inner())
}

/// Makes a call with a message in JSON, on a connection of HTTP/2 as well. Returns the answer's JSON.
pub async fn call_by_json(
    channel: &Channel,
    path: &'static str,
    message: Bytes,
    token: &Token,
) -> Result<Bytes, Status> {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("authorization", token.as_bytes());
    let request = request
        .body(Body::new(Full::new(message)))
        .map_err(|error| Status::internal(error.to_string()))?;
    let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
    let mut channel = channel.clone();
    let answer = channel.ready().await.map_err(unavailable)?.call(request).await;
    let (head, body) = answer.map_err(unavailable)?.into_parts();
    let said = body.collect().await?.to_bytes();
    if head.status.is_success() {
        return Ok(said);
    }
    let why = String::from_utf8_lossy(&said).into_owned();
    Err(if head.status == http::StatusCode::SERVICE_UNAVAILABLE {
        Status::unavailable(why)
    } else {
        Status::internal(why)
    })
}
