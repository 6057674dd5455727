//! A receiver of traces that speaks OTLP, over gRPC and over HTTP, and keeps what comes.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post, serve::Listener};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};

use super::certificates::Certificates;

/// What came: each span with the attributes of its resource.
type Came = Arc<Mutex<Vec<(HashMap<String, String>, Span)>>>;

/// A receiver on a port of its own. It ends with the test.
pub struct Collector {
    /// Where it listens: "http://127.0.0.1:port".
    pub url: String,
    came: Came,
    listening: JoinHandle<()>,
}

impl Collector {
    /// A receiver of OTLP over gRPC.
    pub async fn grpc() -> Self {
        let (listener, url) = listener().await;
        let came = Came::default();
        let service = TraceServiceServer::new(Keeper(Arc::clone(&came)));
        let serve = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let listening = tokio::spawn(async move { serve.await.expect("it serves") });
        Self { url, came, listening }
    }

    /// A receiver of OTLP over gRPC and TLS, for "localhost".
    pub async fn grpc_with_tls(certificates: &Certificates) -> Self {
        let (listener, url) = listener().await;
        let came = Came::default();
        let service = TraceServiceServer::new(Keeper(Arc::clone(&came)));
        let (cert, key) = (certificates.read("server.pem"), certificates.read("server.key"));
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(cert, key));
        let mut server = Server::builder().tls_config(tls).expect("a certificate");
        let serve =
            server.add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        let listening = tokio::spawn(async move { serve.await.expect("it serves") });
        Self { url: on_localhost(&url), came, listening }
    }

    /// A receiver of OTLP over HTTP.
    pub async fn http() -> Self {
        let (listener, url) = listener().await;
        let came = Came::default();
        let routes = routes(&came);
        let listening =
            tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, came, listening }
    }

    /// A receiver of OTLP over HTTP and TLS, for "localhost".
    pub async fn http_with_tls(certificates: &Certificates) -> Self {
        let (listener, url) = listener().await;
        let came = Came::default();
        let routes = routes(&came);
        let tls = WithTls(listener, TlsAcceptor::from(Arc::new(certificates.server())));
        let listening =
            tokio::spawn(async move { axum::serve(tls, routes).await.expect("it serves") });
        Self { url: on_localhost(&url), came, listening }
    }

    /// All spans that came so far.
    pub fn spans(&self) -> Vec<Span> {
        self.came().iter().map(|(_, span)| span.clone()).collect()
    }

    /// The attributes of the resources from which spans came, each once.
    pub fn resources(&self) -> Vec<HashMap<String, String>> {
        let mut all: Vec<_> = self.came().iter().map(|(resource, _)| resource.clone()).collect();
        all.dedup();
        all
    }

    fn came(&self) -> std::sync::MutexGuard<'_, Vec<(HashMap<String, String>, Span)>> {
        self.came.lock().expect("no test panics in here")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Connections after their handshakes; those of clients who do not trust the certificate are passed over.
struct WithTls(TcpListener, TlsAcceptor);

impl Listener for WithTls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (tcp, from) = self.0.accept().await.expect("connections can be taken");
            if let Ok(stream) = self.1.accept(tcp).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn routes(came: &Came) -> Router {
    let kept = Arc::clone(came);
    let receive = move |body: Bytes| async move {
        keep(&kept, ExportTraceServiceRequest::decode(body).expect("a request of OTLP"));
        ExportTraceServiceResponse::default().encode_to_vec()
    };
    Router::new().route("/v1/traces", post(receive))
}

/// "http://127.0.0.1:port" as "https://localhost:port".
fn on_localhost(url: &str) -> String {
    url.replace("http://127.0.0.1", "https://localhost")
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

/// Attributes as texts.
pub fn texts(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = match attribute.value.clone()?.value? {
            any_value::Value::StringValue(text) => text,
            any_value::Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        Some((attribute.key.clone(), value))
    };
    attributes.iter().filter_map(text).collect()
}

fn keep(came: &Came, request: ExportTraceServiceRequest) {
    let mut came = came.lock().expect("no test panics in here");
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        came.extend(spans.map(|span| (texts(&resource.attributes), span)));
    }
}

struct Keeper(Came);

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        keep(&self.0, request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
