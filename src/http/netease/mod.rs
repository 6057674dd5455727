//! NetEase IM's server API: forms are posted to `/nimserver/….action`, and to the same paths without that
//! prefix, since some SDKs take it for a part of the address.
//!
//! The HTTP status is always 200; the result is the response's `code`.

mod check_sum;
mod error;
mod form;
mod friends;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Response},
    routing::get,
};
use serde_json::{Value, json};

pub use self::check_sum::NetEaseSettings;
use self::{check_sum::CheckSumAuth, error::NetEaseError, form::Form};
use super::handler::{Endpoint, Received, RequestHead, Route, VendorApi};
use crate::{domain::App, ops::Core};

/// The API.
pub(super) struct NetEase(CheckSumAuth);

/// The vendor's prefix of all paths.
pub(super) const PREFIX: &str = "/nimserver";

/// The route that tells clients that the service is up.
pub(super) const LIVENESS: &str = "/health/liveness.action";

macro_rules! routes {
    ($($path:literal $operation:literal => $run:path,)+) => {
        vec![$(Route::app(Method::POST, $path, $operation, $run)),+]
    };
}

/// All routes but the one at [`LIVENESS`], without the prefix.
pub(super) fn routes() -> Vec<Route<NetEase>> {
    routes![
        "/friend/add.action" "FriendService/AddFriend" => friends::add,
        "/friend/update.action" "FriendService/UpdateFriend" => friends::update,
        "/friend/delete.action" "FriendService/RemoveFriend" => friends::delete,
        "/friend/get.action" "FriendService/SyncFriends" => friends::get,
        "/friend/getByAccid.action" "FriendService/GetFriend" => friends::get_by_accid,
        "/user/create.action" "UserService/CreateUser" => users::create,
        "/user/setSpecialRelation.action" "BlockService/BlockUsers" => users::set_special_relation,
        "/user/listBlackAndMuteList.action" "BlockService/ListAllBlockedUsers"
            => users::list_black_and_mute_list,
    ]
}

/// Whether a path looks like one of this API.
pub(super) fn has_path(path: &str) -> bool {
    path.ends_with(".action") || path == PREFIX || path.starts_with("/nimserver/")
}

/// The routes as axum takes them, with and without the prefix.
pub(super) fn router(endpoint: &Arc<Endpoint<NetEase>>) -> Router {
    // The vendor's SDKs check each of several addresses by this route before they use it.
    let liveness = get(async || error::response(&json!({ "code": 200 })));
    let routes = routes().into_iter().fold(Router::new(), |router, route| {
        router.route(route.path, endpoint.method_router(route))
    });
    let routes = routes.route(LIVENESS, liveness);
    Router::new().nest(PREFIX, routes.clone()).merge(routes)
}

impl NetEase {
    pub(super) fn new(settings: NetEaseSettings) -> Self {
        Self(CheckSumAuth::new(settings))
    }
}

impl VendorApi for NetEase {
    type Credentials = HeaderMap;
    type Head = ();
    type Request = Form;
    type Error = NetEaseError;

    fn read_head(head: RequestHead) -> Result<(HeaderMap, ()), NetEaseError> {
        Ok((head.parts.headers, ()))
    }

    async fn authenticate(
        &self,
        core: &Core,
        headers: HeaderMap,
    ) -> Result<Arc<App>, NetEaseError> {
        self.0.authenticate(core, &headers).await
    }

    fn read_body((): (), body: Bytes) -> Result<Form, NetEaseError> {
        Form::read(&body)
    }

    fn failed(&self, core: &Core, app: &App, error: &NetEaseError) {
        if error.over_rate {
            self.0.penalize(core, app.id);
        }
    }

    fn respond(result: Result<Value, NetEaseError>, _: Received) -> (Response<Body>, u16) {
        match result {
            Ok(body) => (error::response(&body), 200),
            Err(error) => (error.response(), error.code),
        }
    }
}

/// The response for a path that no route has.
pub(super) fn not_found() -> Response<Body> {
    NetEaseError::not_found().response()
}

/// The response for a method other than the route's.
pub(super) fn method_not_allowed() -> Response<Body> {
    NetEaseError::method_not_allowed().response()
}
