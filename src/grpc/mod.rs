//! The gRPC surface: the only place that knows tonic and the generated types.
//!
//! A service method is thin: it takes the [`crate::ops::Call`] that the [`gate`] made, parses the
//! request into domain values, runs one operation and renders the answer. It decides nothing.

mod app_service;
mod audit_service;
mod block_service;
mod callback_rule_service;
mod convert;
mod description;
mod event_service;
mod follow;
mod friend_service;
mod gate;
mod methods;
mod operator_token_service;
mod protocol;
mod relation_service;
mod status;
mod token_service;
mod translate;
mod user_service;

use std::{mem, sync::Arc};

use http::{Request, Response};

use tonic::{
    Status,
    codec::CompressionEncoding,
    service::{Routes, RoutesBuilder},
};

pub use self::description::describe;
pub use self::gate::GateLayer;
pub use self::methods::{Access, Method, Methods};
pub use self::translate::{CorsOrigins, TranslateLayer};
use crate::{
    delivery::WebhookClient,
    ops::Core,
    proto::{
        app_service_server::AppServiceServer, audit_service_server::AuditServiceServer,
        block_service_server::BlockServiceServer,
        callback_rule_service_server::CallbackRuleServiceServer,
        event_service_server::EventServiceServer, friend_service_server::FriendServiceServer,
        operator_token_service_server::OperatorTokenServiceServer,
        relation_service_server::RelationServiceServer, token_service_server::TokenServiceServer,
        user_service_server::UserServiceServer,
    },
};

/// The same routes, and `other` for the HTTP requests that no route takes, because the HTTP APIs share
/// the port. A gRPC request that no route takes gets UNIMPLEMENTED.
#[must_use]
pub fn or_else<F, W>(mut routes: Routes, other: F) -> Routes
where
    F: Fn(Request<axum::body::Body>) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Response<axum::body::Body>> + Send,
{
    let router = routes.axum_router_mut();
    *router = mem::take(router).fallback(async move |request: Request<axum::body::Body>| {
        if protocol::is_grpc(request.headers()) {
            return Status::unimplemented("there is no such method").into_http();
        }
        other(request).await
    });
    routes
}

/// The services of package befriend.v1 by name, for the health service.
pub const SERVICES: [&str; 10] = [
    "befriend.v1.AppService",
    "befriend.v1.AuditService",
    "befriend.v1.BlockService",
    "befriend.v1.CallbackRuleService",
    "befriend.v1.EventService",
    "befriend.v1.FriendService",
    "befriend.v1.OperatorTokenService",
    "befriend.v1.RelationService",
    "befriend.v1.TokenService",
    "befriend.v1.UserService",
];

/// The routes of all services. `webhook_client` tries callback rules out; `max_message` bounds a request's
/// message, in bytes.
#[must_use]
pub fn routes(
    core: &Arc<Core>,
    webhook_client: &Arc<WebhookClient>,
    max_message: usize,
) -> RoutesBuilder {
    let mut routes = Routes::builder();
    macro_rules! add {
        ($server:ident, $service:expr) => {
            routes.add_service(
                $server::new($service)
                    .max_decoding_message_size(max_message)
                    .accept_compressed(CompressionEncoding::Gzip)
                    .send_compressed(CompressionEncoding::Gzip),
            );
        };
    }
    add!(FriendServiceServer, friend_service::FriendApi);
    add!(BlockServiceServer, block_service::BlockApi);
    add!(RelationServiceServer, relation_service::RelationApi);
    add!(UserServiceServer, user_service::UserApi);
    add!(EventServiceServer, event_service::EventApi);
    add!(AppServiceServer, app_service::AppApi(Arc::clone(core)));
    let (core_of_rules, webhook_client) = (Arc::clone(core), Arc::clone(webhook_client));
    add!(
        CallbackRuleServiceServer,
        callback_rule_service::CallbackRuleApi { core: core_of_rules, webhook_client }
    );
    add!(AuditServiceServer, audit_service::AuditApi(Arc::clone(core)));
    let core_of_operators = Arc::clone(core);
    add!(OperatorTokenServiceServer, operator_token_service::OperatorTokenApi(core_of_operators));
    add!(TokenServiceServer, token_service::TokenApi(Arc::clone(core)));
    routes
}
