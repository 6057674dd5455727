//! A caller by the Connect protocol who has nothing but HTTP and JSON.

use std::io::{Read as _, Write as _};

use ::http::{HeaderMap, Request};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::bytes::Bytes;
use serde_json::Value;

use super::{http, wire::frame_that_says};

/// A caller with a token.
pub struct Caller {
    url: String,
    bearer: String,
}

/// An answer with JSON.
#[derive(Debug)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub json: Value,
}

impl Reply {
    fn of(answer: http::Answer) -> Self {
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let kind = answer.header("content-type");
        assert_eq!(kind, "application/json", "{}: {said}", answer.status);
        let json = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        Self { status: answer.status, headers: answer.headers, json }
    }

    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The debug form of the error's detail of this type, as "google.rpc.ErrorInfo".
    pub fn detail(&self, kind: &str) -> &Value {
        let details = self.json["details"].as_array().expect("the error has details");
        let detail = details.iter().find(|detail| detail["type"] == kind);
        &detail.unwrap_or_else(|| panic!("no {kind} in {}", self.json))["debug"]
    }

    /// The status, the code and the reason of an error.
    pub fn refusal(&self) -> (u16, &str, &str) {
        let reason = self.detail("google.rpc.ErrorInfo")["reason"].as_str().unwrap();
        (self.status, self.json["code"].as_str().unwrap(), reason)
    }
}

impl Caller {
    /// A caller of the server at "http://host:port".
    pub fn new(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), bearer: format!("Bearer {token}") }
    }

    /// The server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The value of the header "authorization".
    pub fn bearer(&self) -> &str {
        &self.bearer
    }

    /// Calls a method, as "FriendService/AddFriend", with this message.
    pub async fn call(&self, method: &str, message: &Value) -> Reply {
        self.call_with(method, &[], message.to_string().as_bytes()).await
    }

    /// Calls a method with these headers and this body, which is JSON unless they say otherwise.
    pub async fn call_with(&self, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        Reply::of(self.ask("POST", method, headers, body).await)
    }

    /// Calls a method by GET.
    pub async fn get(&self, method: &str, query: &str) -> Reply {
        Reply::of(self.ask("GET", &format!("{method}?{query}"), &[], b"").await)
    }

    /// Sends a request of HTTP.
    pub async fn ask(
        &self,
        verb: &str,
        method: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> http::Answer {
        let given = |name: &str| headers.iter().any(|(other, _)| *other == name);
        let mut all = vec![];
        if verb == "POST" && !given("content-type") {
            all.push(("content-type", "application/json"));
        }
        if !given("authorization") {
            all.push(("authorization", self.bearer.as_str()));
        }
        all.extend_from_slice(headers);
        let path = if method.starts_with('/') {
            method.to_owned()
        } else {
            format!("/befriend.v1.{method}")
        };
        http::ask(&self.url, verb, &path, &all, body).await
    }

    /// Opens a stream over HTTP/1.1, with a body of this type.
    pub async fn open(&self, method: &str, kind: &str, body: Vec<u8>) -> Stream {
        let request = Request::post(format!("{}/befriend.v1.{method}", self.url))
            .header("content-type", kind)
            .header("authorization", &self.bearer)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let client: Client<HttpConnector, _> = Client::builder(TokioExecutor::new()).build_http();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        assert_eq!(head.status, 200);
        Stream { headers: head.headers, body, received: vec![] }
    }
}

/// An answer that comes envelope by envelope.
pub struct Stream {
    /// The headers of the answer.
    pub headers: HeaderMap,
    body: hyper::body::Incoming,
    received: Vec<u8>,
}

impl Stream {
    /// The flags and the bytes of the next envelope; `None` at the end of the body.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((envelope, rest)) = split(&self.received) {
                self.received = rest;
                return Some(envelope);
            }
            match self.body.frame().await {
                Some(frame) => self.received.extend_from_slice(frame.unwrap().data_ref().unwrap()),
                None => {
                    assert!(self.received.is_empty(), "the last envelope is not whole");
                    return None;
                }
            }
        }
    }

    /// The next message, which is JSON.
    pub async fn message(&mut self) -> Value {
        let (flags, message) = self.next().await.expect("another message");
        assert_eq!(flags, 0);
        serde_json::from_slice(&message).unwrap()
    }
}

type Envelope = (u8, Vec<u8>);

/// The first envelope, or frame, of some bytes, and what follows it.
pub fn split(bytes: &[u8]) -> Option<(Envelope, Vec<u8>)> {
    let length = u32::from_be_bytes(bytes.get(1..5)?.try_into().unwrap());
    let end = 5 + usize::try_from(length).unwrap();
    let message = bytes.get(5..end)?.to_vec();
    Some(((bytes[0], message), bytes[end..].to_vec()))
}

/// A message in an envelope with these flags.
pub fn envelope(flags: u8, message: &[u8]) -> Vec<u8> {
    frame_that_says(flags, u32::try_from(message.len()).unwrap(), message)
}

/// Bytes as gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What is in gzip.
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = vec![];
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}
