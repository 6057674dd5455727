//! Requests to the service's port.

use std::time::Duration;

use befriend::grpc::Access;
use http_body_util::{BodyExt as _, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, body::Body, client::GrpcService as _, codegen::Bytes};

use super::site::Site;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The beginning of every HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A gRPC call. The first byte chooses the method. By the bits of the second, the rest is the body or the
/// message of a frame, and the call has the token that the method wants or none.
pub async fn grpc(site: &Site, input: &[u8]) {
    let [method, form, rest @ ..] = input else { return };
    let (path, access, streams) = &site.methods[usize::from(*method) % site.methods.len()];
    let token = match access {
        Access::Operator(_) => &site.operator_token,
        Access::App | Access::AppOrOperator(_) | Access::Public => &site.token,
    };
    // An empty message revokes the token that it comes with.
    let with_token = form & 2 == 0 && !path.ends_with("/RevokeToken");
    let body = if form & 1 == 0 { frame(rest) } else { rest.to_vec() };
    let mut request = http::Request::post(format!("http://{}{path}", site.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if with_token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if form & 4 != 0 {
        request = request.header("grpc-encoding", "gzip");
    }
    let short = form & 8 != 0 || *streams;
    if short {
        request = request.header("grpc-timeout", "20m");
    }
    let request = request.body(Body::new(Full::new(Bytes::from(body)))).expect("a request");
    let mut channel = site.channel.clone();
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.expect("the service listens");
    let answer = timeout(PATIENCE, channel.call(request)).await.expect("an answer in time");
    let answer = match answer {
        Ok(answer) => answer,
        // The client library ends the call by itself when the time is over.
        Err(_) if short => return,
        Err(error) => panic!("{path} got no answer: {error:?}"),
    };
    assert_eq!(answer.status(), 200, "{path}");
    if *streams {
        return;
    }
    let status = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect();
    let body = timeout(PATIENCE, body).await.expect("a body in time").expect("a body");
    let status = status.or_else(|| body.trailers()?.get("grpc-status").cloned());
    let code = status.map(|status| Code::from_bytes(status.as_bytes()));
    assert!(
        !matches!(code, None | Some(Code::Internal | Code::Unknown | Code::DataLoss)),
        "{path} ended as {code:?}"
    );
}

/// A message as gRPC frames it.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("inputs are short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// A request to the HTTP APIs. By the bits of the first byte, it has Easemob's token, NetEase's headers or
/// nothing, and a body of JSON, a form or something else. Then comes a line with method and target, in
/// which "$APP" is the app's path, and the body.
pub async fn http(site: &Site, input: &[u8]) {
    let [form, rest @ ..] = input else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let line = String::from_utf8_lossy(line).replace('\r', " ");
    let (method, target) = line.split_once(' ').unwrap_or(("GET", &line));
    let target = target.replace("$APP", &site.app_key.replace('#', "/"));
    let credentials = match form & 3 {
        0 => format!("Authorization: Bearer {}\r\n", site.token),
        1 => site.netease_headers(),
        _ => String::new(),
    };
    let content_type = match form >> 2 & 3 {
        0 => "application/json",
        1 => "application/x-www-form-urlencoded;charset=utf-8",
        2 => "text/plain",
        _ => "application/octet-stream",
    };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: befriend\r\n{credentials}Content-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let answer = exchange(site, &[head.as_bytes(), body].concat(), End::AfterAnswer).await;
    let status = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.unwrap_or_else(|| panic!("{line:?} got no answer: {answer:?}"));
    assert!(status != b"500", "{line:?}: {}", String::from_utf8_lossy(&answer));
}

/// Bytes that follow HTTP/2's preface. The service closes the connection, and goes on serving.
pub async fn frames(site: &Site, input: &[u8]) {
    exchange(site, &[PREFACE, input].concat(), End::AtOnce).await;
}

/// When the sending side of a connection is closed.
#[derive(PartialEq)]
enum End {
    /// After the bytes.
    AtOnce,
    /// When the service has answered and closed its side.
    AfterAnswer,
}

/// Sends bytes on a connection of their own, and returns what the service sends until it closes it.
async fn exchange(site: &Site, bytes: &[u8], end: End) -> Vec<u8> {
    let mut stream = TcpStream::connect(site.address).await.expect("the service listens");
    let mut answer = Vec::new();
    let talk = async {
        // The service may close the connection before it has read everything.
        let _ = stream.write_all(bytes).await;
        if end == End::AtOnce {
            let _ = stream.shutdown().await;
        }
        let _ = stream.read_to_end(&mut answer).await;
    };
    timeout(PATIENCE, talk).await.expect("the service closes the connection");
    answer
}
