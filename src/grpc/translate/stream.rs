//! Answers that are streams, as the Connect protocol has them: each message in an envelope, and in the last
//! envelope how the stream ended.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame};
use prost::bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};
use tokio::time::{Sleep, sleep_until};
use tonic::{Code, Status, body::Body};

use super::{
    error,
    form::{metadata, stream_type},
    gzip::compress,
    request::{COMPRESSED, PREFIX, length, prefix},
    response::Wanted,
};
use crate::domain::Error;

/// The flag of the last envelope.
const END: u8 = 2;

/// gRPC's stream in the words of Connect. The status of HTTP is 200 whatever its end: the protocol says so.
pub(super) fn stream(answer: Response<Body>, wanted: Wanted) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let ended = Status::from_header_map(&parts.headers);
    let mut headers = metadata(parts.headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(stream_type(wanted.codec)));
    if wanted.gzip {
        let name = HeaderName::from_static("connect-content-encoding");
        headers.insert(name, HeaderValue::from_static("gzip"));
    }
    let deadline = wanted.ends_at.map(|ends_at| Box::pin(sleep_until(ends_at)));
    let received = BytesMut::new();
    let mut envelopes = Envelopes { source: body, received, wanted, deadline, over: false };
    let body = match ended {
        Some(status) => {
            envelopes.over = true;
            let end = envelopes.end(&status, &HeaderMap::new());
            Body::new(http_body_util::Full::new(end))
        }
        None => Body::new(envelopes),
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The body of a stream.
#[derive(Debug)]
struct Envelopes {
    source: Body,
    /// What came of gRPC's messages and was not handed out yet.
    received: BytesMut,
    wanted: Wanted,
    deadline: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Envelopes {
    /// All messages that have come as a whole, in their envelopes.
    fn messages(&mut self) -> Result<BytesMut, Error> {
        let mut envelopes = BytesMut::new();
        while let Some(length) = length(&self.received)
            && self.received.len() - PREFIX >= length
        {
            drop(self.received.split_to(PREFIX));
            let message = self.received.split_to(length).freeze();
            let message = self.wanted.codec.write(&self.wanted.kind, message)?;
            let compressed = if self.wanted.gzip { compress(&message) } else { None };
            let (flags, message) = match compressed {
                Some(compressed) => (COMPRESSED, compressed),
                None => (0, message),
            };
            envelopes.extend_from_slice(&prefix(flags, message.len()));
            envelopes.extend_from_slice(&message);
        }
        Ok(envelopes)
    }

    /// The last envelope.
    fn end(&mut self, status: &Status, trailers: &HeaderMap) -> Bytes {
        self.over = true;
        let mut end = json!({});
        if status.code() != Code::Ok {
            end["error"] = error::to_json(status);
        }
        let mut told: Map<String, Value> = Map::new();
        for name in trailers.keys() {
            let values = trailers.get_all(name).iter();
            let values = values.filter_map(|value| value.to_str().ok()).map(Value::from);
            told.insert(name.to_string(), values.collect());
        }
        if !told.is_empty() {
            end["metadata"] = Value::Object(told);
        }
        let end = end.to_string();
        [&prefix(END, end.len()), end.as_bytes()].concat().into()
    }
}

impl HttpBody for Envelopes {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        while !self.over {
            let frame = match Pin::new(&mut self.source).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let Some(deadline) = &mut self.deadline else { return Poll::Pending };
                    ready!(deadline.as_mut().poll(cx));
                    Some(Err(Error::DeadlineExceeded.into()))
                }
            };
            let envelopes = match frame {
                None => {
                    let broken = Error::Internal("the stream has no end".to_owned());
                    self.end(&broken.into(), &HeaderMap::new())
                }
                Some(Err(status)) => self.end(&status, &HeaderMap::new()),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.received.extend_from_slice(&data);
                        match self.messages() {
                            Ok(envelopes) => envelopes.freeze(),
                            Err(error) => self.end(&error.into(), &HeaderMap::new()),
                        }
                    }
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        let status = Status::from_header_map(&trailers);
                        let status = status.unwrap_or_else(|| Status::unknown("no status"));
                        self.end(&status, &metadata(trailers))
                    }
                },
            };
            if !envelopes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(envelopes))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use prost::Message as _;

    use super::*;
    use crate::{
        grpc::translate::codec::{Codec, types},
        proto,
    };

    /// The body for a stream of gRPC that comes in these pieces, with these trailers.
    async fn body(pieces: &[&[u8]], trailers: Option<HeaderMap>) -> Vec<u8> {
        let pieces = pieces.iter().map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
        let frames: Vec<_> =
            pieces.chain(trailers.map(Frame::trailers)).map(Ok::<_, Status>).collect();
        let kind = types().get_message_by_name("befriend.v1.RemoveAllFriendsResponse");
        let wanted = Wanted { codec: Codec::Json, kind: kind.unwrap(), gzip: false, ends_at: None };
        let answer = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
        super::stream(answer, wanted).into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    fn envelope(flags: u8, text: &str) -> Vec<u8> {
        [&prefix(flags, text.len()), text.as_bytes()].concat()
    }

    #[tokio::test]
    async fn messages_are_found_however_their_bytes_are_cut() {
        let frame = |removed_count| {
            let message = proto::RemoveAllFriendsResponse { removed_count }.encode_to_vec();
            [&prefix(0, message.len()), &message[..]].concat()
        };
        let all = [frame(1), frame(300), frame(0)].concat();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("note", HeaderValue::from_static("done"));
        let expected = [
            envelope(0, r#"{"removedCount":1}"#),
            envelope(0, r#"{"removedCount":300}"#),
            envelope(0, "{}"),
            envelope(END, r#"{"metadata":{"note":["done"]}}"#),
        ];
        for size in 1..=all.len() {
            let pieces: Vec<&[u8]> = all.chunks(size).collect();
            let body = body(&pieces, Some(trailers.clone())).await;
            assert_eq!(body, expected.concat(), "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_ends_with_an_error() {
        let body = body(&[b"\0\0"], None).await;
        let said = String::from_utf8_lossy(&body);
        assert!(body[0] == END && said.contains("internal"), "{said}");
    }
}
