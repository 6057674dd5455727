//! HTTP/2 with nothing in between: requests that no client library would send.

use http::{HeaderMap, HeaderValue, Request, StatusCode, header::HeaderName};
use prost::bytes::Bytes;
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// A connection to a server.
pub struct Wire(h2::client::SendRequest<Bytes>);

/// A request whose body is still to come.
pub struct Begun {
    response: h2::client::ResponseFuture,
    _stream: h2::SendStream<Bytes>,
}

impl Begun {
    /// The status of the answer, which comes although the body does not.
    pub async fn refusal(self) -> Status {
        let answer = self.response.await.expect("an answer");
        Status::from_header_map(answer.headers()).expect("a status in the headers")
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub http: StatusCode,
    /// The headers, and the trailers where there are any.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Wire {
    /// Connects to "http://host:port".
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("a server without TLS");
        let tcp = TcpStream::connect(address).await.expect("the server takes connections");
        let (sender, connection) = h2::client::handshake(tcp).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        Self(sender)
    }

    /// Posts `body` as a gRPC request with these headers.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &[u8])],
        body: impl Into<Bytes>,
    ) -> Result<Answer, h2::Error> {
        let mut request = Request::post(format!("http://befriend{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a request");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            let value = HeaderValue::from_bytes(value).expect("a header's value");
            request.headers_mut().append(name, value);
        }
        self.send(request, body.into()).await
    }

    /// Begins a gRPC request with these headers, and sends nothing of its body until what is returned is
    /// dropped, which resets it.
    pub async fn begin(&self, path: &str, headers: &[(&str, &str)]) -> Begun {
        let mut request = Request::post(format!("http://befriend{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut sender = self.0.clone().ready().await.expect("the server takes requests");
        let request = request.body(()).expect("a request");
        let (response, stream) = sender.send_request(request, false).expect("a stream");
        Begun { response, _stream: stream }
    }

    /// Sends a request of any kind. Returns the answer's headers, and the first data of its body.
    pub async fn first_data(&self, request: Request<()>, body: Bytes) -> (HeaderMap, Bytes) {
        let mut sender = self.0.clone().ready().await.expect("the server takes requests");
        let (response, mut stream) = sender.send_request(request, false).expect("a stream");
        stream.send_data(body, true).expect("the body is taken");
        let (head, mut incoming) = response.await.expect("an answer").into_parts();
        (head.headers, incoming.data().await.expect("data").expect("data"))
    }

    /// Sends a request of any kind.
    pub async fn send(&self, request: Request<()>, body: Bytes) -> Result<Answer, h2::Error> {
        let mut sender = self.0.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, false)?;
        // The server may answer before it has read everything; what is left is then not wanted.
        let _ = stream.send_data(body, true);
        let (head, mut incoming) = response.await?.into_parts();
        let mut body = Vec::new();
        while let Some(data) = incoming.data().await {
            let data = data?;
            incoming.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        let mut headers = head.headers;
        if let Some(trailers) = incoming.trailers().await? {
            headers.extend(trailers);
        }
        Ok(Answer { http: head.status, headers, body })
    }
}

impl Answer {
    /// The answer as gRPC has it.
    pub fn status(&self) -> Status {
        Status::from_header_map(&self.headers)
            .unwrap_or_else(|| Status::new(Code::Unknown, format!("no grpc-status in {self:?}")))
    }
}

/// A message in its frame, not compressed.
pub fn frame(message: &[u8]) -> Vec<u8> {
    frame_that_says(0, u32::try_from(message.len()).expect("a short message"), message)
}

/// A frame that says of itself what need not be so.
pub fn frame_that_says(compressed: u8, len: u32, message: &[u8]) -> Vec<u8> {
    [&[compressed][..], &len.to_be_bytes(), message].concat()
}
