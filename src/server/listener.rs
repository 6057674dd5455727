//! The listening port: gRPC and the HTTP APIs, with or without TLS.

use std::sync::Arc;

use futures_util::{FutureExt as _, TryStreamExt as _};
use http::Request;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::RoutesBuilder,
    transport::{self, Server, server::TcpIncoming},
};
use tower::util::MapRequestLayer;

use super::{batched_writes::BatchedWrites, error::ServeError, tls};
use crate::{
    config::ServeArgs,
    gate::{Connection, Gate, InFlight, MAX_METADATA},
    grpc::{self, GateLayer},
    http::Http,
    proto,
};

/// The largest header list of an HTTP/2 request, in bytes. What is above it HTTP/2 itself answers with 431,
/// so it lies far above the bound of metadata, which the gate answers in gRPC's words.
const MAX_HEADER_LIST: u32 = 16 * MAX_METADATA;

/// Serves `routes` and the HTTP APIs behind `gate` until `closing`; then the calls in flight end
/// first.
///
/// # Errors
/// [`ServeError`] when the certificates can't be used; the future fails when the port does.
pub(super) fn serve(
    listener: TcpListener,
    gate: Gate,
    mut routes: RoutesBuilder,
    args: &ServeArgs,
    closing: CancellationToken,
) -> Result<impl Future<Output = Result<(), transport::Error>> + use<>, ServeError> {
    if args.listener.reflection {
        add_reflection(&mut routes)?;
    }
    let http = Http::new(gate.clone(), args.listener.max_message.get(), args.access.netease());
    let mut builder = Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(args.listener.max_streams.get())
        .http2_keepalive_interval(Some(args.listener.keepalive))
        .http2_keepalive_timeout(Some(args.listener.keepalive))
        .tcp_keepalive(Some(args.listener.keepalive))
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .layer(MapRequestLayer::new(arrive))
        .layer(GateLayer::new(gate));
    let router = builder.add_routes(grpc::or_else(routes.routes(), move |request| {
        let http = http.clone();
        async move { http.answer(request).await }
    }));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let closed = closing.cancelled_owned();
    Ok(match tls::acceptor(&args.listener)? {
        None => {
            let incoming = incoming.map_ok(BatchedWrites::plain);
            router.serve_with_incoming_shutdown(incoming, closed).left_future()
        }
        Some(acceptor) => {
            let incoming = tls::accept(incoming, acceptor).map_ok(BatchedWrites::tls);
            router.serve_with_incoming_shutdown(incoming, closed).right_future()
        }
    })
}

/// Begins a call on its connection.
fn arrive<B>(mut request: Request<B>) -> Request<B> {
    if let Some(connection) = request.extensions().get::<Arc<Connection>>() {
        let call = InFlight::on(Arc::clone(connection));
        request.extensions_mut().insert(Arc::new(call));
    }
    request
}

fn add_reflection(routes: &mut RoutesBuilder) -> Result<(), tonic_reflection::server::Error> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // With these, tools show the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(builder().build_v1()?);
    // Older versions of grpcurl know only v1alpha.
    routes.add_service(builder().build_v1alpha()?);
    Ok(())
}
