//! HTTP with nothing in between: a request byte by byte, and what came back.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take: longer than any call, so that only a hang is reported as one.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, without the frames of a chunked one.
    pub body: Vec<u8>,
}

/// Writes these bytes to "http://host:port", and reads what comes back until the server closes.
/// What the server no longer wants to read is not an error.
pub async fn exchange(url: &str, request: &[u8]) -> Vec<u8> {
    let address = url.strip_prefix("http://").expect("a server without TLS");
    let tcp = TcpStream::connect(address).await.expect("the server takes connections");
    let (mut from, mut to) = tcp.into_split();
    let mut answer = Vec::new();
    let write = async {
        let _ = to.write_all(request).await;
        // The other half stays open: some servers take its end for the caller's leaving.
        to
    };
    let read = from.read_to_end(&mut answer);
    let both = timeout(PATIENCE, async { tokio::join!(write, read) }).await;
    let (_open, read) = both.unwrap_or_else(|_| panic!("no answer to {}", start(request)));
    // A connection that is reset after the answer takes nothing from it.
    assert!(read.is_ok() || !answer.is_empty(), "{read:?} after {}", start(request));
    answer
}

/// The first bytes of a request, to be shown.
fn start(request: &[u8]) -> String {
    String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned()
}

/// Sends a request of HTTP/1.1 on a connection of its own.
pub async fn ask(
    url: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let host = url.strip_prefix("http://").expect("a server without TLS");
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    head += "\r\n";
    let request = [head.as_bytes(), body].concat();
    let answer = exchange(url, &request).await;
    Answer::parse(&answer, method)
        .unwrap_or_else(|| panic!("{} got {:?}", start(&request), String::from_utf8_lossy(&answer)))
}

impl Answer {
    /// Reads an answer to a request of this method; the first one that is final.
    pub fn parse(bytes: &[u8], method: &str) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, rest) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        if (100..200).contains(&status) {
            return Self::parse(rest, method);
        }
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
        }
        let length = headers.get("content-length").map(|length| length.to_str().unwrap().parse());
        let body = match length {
            _ if method == "HEAD" => Vec::new(),
            Some(length) => rest.get(..length.ok()?)?.to_vec(),
            None => rest.to_vec(),
        };
        Some(Self { status, headers, body })
    }

    /// A header's value, as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of ours is text"))
    }
}
