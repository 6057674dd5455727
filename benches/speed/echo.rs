//! A tonic service that only answers, with as many bytes as the request asks for.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use prost::bytes::{BufMut as _, Bytes, BytesMut};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::TcpIncoming},
};
use tower::Service;

use crate::{common::app::Failure, wire::Raw};

pub const PATH: &str = "/bench.Echo/Echo";

/// A request of `request` bytes, but at least four, for an answer of `answer` bytes.
pub fn question(request: usize, answer: usize) -> Bytes {
    let mut message = BytesMut::zeroed(request.max(4));
    let answer = u32::try_from(answer).unwrap_or(u32::MAX);
    (&mut message[..4]).put_u32(answer);
    message.freeze()
}

#[derive(Clone)]
struct Echo(Bytes);

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let message = request.into_inner();
        let size = message.first_chunk().map_or(0, |size| u32::from_be_bytes(*size) as usize);
        ready(Ok(Response::new(self.0.slice(..size.min(self.0.len())))))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(echo, request).await) })
    }
}

/// Prints the port, and serves until the process is killed.
pub async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let echo = Echo(BytesMut::zeroed(1 << 20).freeze());
    Server::builder()
        .max_concurrent_streams(256)
        .add_service(echo)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
