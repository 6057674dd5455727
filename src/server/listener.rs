//! The listening port: gRPC in its forms and the HTTP APIs, with or without TLS.

use std::{num::NonZeroUsize, sync::Arc};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::service::RoutesBuilder;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower::Layer as _;

use super::{
    accept::accept,
    certificates::Certificates,
    connection::Protocols,
    descriptors,
    error::ServeError,
    open_services::{Bounded, MAX_MESSAGE},
    peers::{PeerLimits, Peers},
};
use crate::{
    config::ServeArgs,
    gate::Gate,
    grpc::{self, GateLayer, TranslateLayer},
    http::Http,
    proto,
};

/// How many reflection calls there may be at once: a person with a tool makes one.
const MAX_REFLECTION: usize = 64;

/// The port.
pub(super) struct Listener {
    peers: Arc<Peers>,
    watch: AbortOnDropHandle<()>,
}

impl Listener {
    /// Serves `routes` and the HTTP APIs behind `gate` until `closing`.
    ///
    /// # Errors
    /// When the settings ask for more connections than there can be.
    pub(super) fn open(
        listener: TcpListener,
        gate: Gate,
        mut routes: RoutesBuilder,
        health: HealthServer<impl Health>,
        args: &ServeArgs,
        certificates: Option<Arc<Certificates>>,
        closing: CancellationToken,
    ) -> Result<Self, ServeError> {
        let connections = descriptors::connections(args)?;
        let health = health.max_decoding_message_size(MAX_MESSAGE);
        // Every connection may watch the health: clients choose by it where to call.
        routes.add_service(Bounded::new(health, Arc::new(Semaphore::new(4 * connections))));
        if args.listener.reflection {
            add_reflection(&mut routes)?;
        }
        let max_message = args.listener.max_message.get();
        let netease = args.access.netease();
        let http = Http::new(gate.clone(), max_message, netease, grpc::describe);
        let routes = grpc::or_else(routes.routes(), move |request| {
            let http = http.clone();
            async move { http.answer(request).await }
        });
        let routes = GateLayer::new(gate).layer(routes.prepare());
        let cors = args.listener.cors_origins.clone();
        let routes = TranslateLayer::new(max_message, MAX_MESSAGE, cors).layer(routes);
        let protocols = Protocols::new(routes, certificates, &args.listener);
        let peers = Arc::new(Peers::new(limits(connections, args)));
        let accepting = Arc::clone(&peers);
        tokio::spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = accept(&listener, &accepting, &protocols) => {}
            }
            // New connections are refused from here on.
            drop(listener);
            accepting.leave();
        });
        let watched = Arc::clone(&peers);
        let watch = AbortOnDropHandle::new(tokio::spawn(async move { watched.watch().await }));
        Ok(Self { peers, watch })
    }

    /// The connections.
    pub(super) fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// Comes back when all connections have ended.
    pub(super) async fn closed(&self) {
        self.peers.left().await;
    }

    /// Ends all connections. Returns how many calls were cut off.
    pub(super) fn cut_off(self) -> u64 {
        let calls = self.peers.open_calls();
        self.peers.end();
        self.watch.abort();
        calls
    }
}

fn limits(connections: usize, args: &ServeArgs) -> PeerLimits {
    let listener = &args.listener;
    let per_address = listener.max_connections_per_address;
    PeerLimits {
        all: connections,
        per_address: per_address.map_or(connections.div_ceil(2), NonZeroUsize::get),
        head: listener.header_timeout,
        idle: listener.idle_timeout,
        send: listener.send_timeout,
        unsent: listener.max_unsent.get(),
    }
}

fn add_reflection(routes: &mut RoutesBuilder) -> Result<(), tonic_reflection::server::Error> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // With these, tools show the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let places = Arc::new(Semaphore::new(MAX_REFLECTION));
    let v1 = builder().build_v1()?.max_decoding_message_size(MAX_MESSAGE);
    routes.add_service(Bounded::new(v1, Arc::clone(&places)));
    // Older versions of grpcurl know only v1alpha.
    let v1alpha = builder().build_v1alpha()?.max_decoding_message_size(MAX_MESSAGE);
    routes.add_service(Bounded::new(v1alpha, places));
    Ok(())
}
