//! NetEase IM's server API: forms are posted to `/nimserver/….action`, and to the same paths
//! without that prefix, since some SDKs take it for a part of the address.
//!
//! The HTTP status is always 200; the result is the response's `code`.

mod check_sum;
mod description;
mod error;
mod form;
mod friends;
mod replays;
mod users;

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Response},
    routing::get,
};
use serde_json::{Value, json};

pub use self::check_sum::NetEaseSettings;
use self::{
    check_sum::CheckSumAuth, description::response_schema, error::NetEaseError, form::Form,
};
use super::{
    handler::{Endpoint, Received, RequestHead, Route, VendorApi},
    openapi::{Description, Doc},
};
use crate::{
    domain::App,
    gate::{Connection, Surface},
    ops::{Core, access::caller_cache::CallingApp},
};

/// The API.
pub(super) struct NetEase(CheckSumAuth);

/// The vendor's prefix of all paths.
pub(super) const PREFIX: &str = "/nimserver";

/// The route that tells clients that the service is up.
pub(super) const LIVENESS: &str = "/health/liveness.action";

macro_rules! routes {
    ($($path:literal $operation:literal => $run:path, $doc:expr;)+) => {
        vec![$(Route::app(Method::POST, $path, $operation, $run, $doc)),+]
    };
}

/// All routes but the one at [`LIVENESS`], without the prefix.
pub(super) fn routes() -> Vec<Route<NetEase>> {
    let done = || response_schema([]).named("NDone");
    routes![
        "/friend/add.action" "FriendService/AddFriend" => friends::add,
            Doc::new("nAdd", "Add a friend, or send, accept or reject a request", done())
                .body(friends::add_form());
        "/friend/update.action" "FriendService/UpdateFriend" => friends::update,
            Doc::new("nUpdate", "Update an entry", done()).body(friends::update_form());
        "/friend/delete.action" "FriendService/RemoveFriend" => friends::delete,
            Doc::new("nDelete", "Remove a friend", done()).body(friends::delete_form());
        "/friend/get.action" "FriendService/SyncFriends" => friends::get,
            Doc::new("nGet", "List the entries that changed after a time", friends::list_schema())
                .body(friends::get_form());
        "/friend/getByAccid.action" "FriendService/GetFriend" => friends::get_by_accid,
            Doc::new("nGetByAccid", "Get an entry", friends::friend_schema())
                .body(friends::get_by_accid_form());
        "/user/create.action" "UserService/CreateUser" => users::create,
            Doc::new("nCreate", "Create a user", users::created_schema()).body(users::create_form());
        "/user/setSpecialRelation.action" "BlockService/BlockUsers" => users::set_special_relation,
            Doc::new("nSetSpecialRelation", "Block or unblock a user", done())
                .body(users::special_relation_form());
        "/user/listBlackAndMuteList.action" "BlockService/ListAllBlockedUsers"
            => users::list_black_and_mute_list,
            Doc::new("nListBlackAndMuteList", "List all blocked users", users::lists_schema())
                .body(users::lists_form());
    ]
}

/// Describes all routes.
pub(super) fn describe(description: &mut Description) {
    description::describe(PREFIX, LIVENESS, routes(), description);
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
    type Credentials = (HeaderMap, Option<IpAddr>);
    type Head = ();
    type Request = Form;
    type Error = NetEaseError;

    fn read_head(head: RequestHead) -> Result<(Self::Credentials, ()), NetEaseError> {
        let from = Connection::of(&head.parts.extensions).and_then(|connection| connection.address);
        Ok(((head.parts.headers, from), ()))
    }

    async fn authenticate(
        &self,
        core: &Core,
        (headers, from): Self::Credentials,
    ) -> Result<CallingApp, NetEaseError> {
        self.0.authenticate(core, &headers, from).await
    }

    fn read_body((): (), body: Bytes) -> Result<Form, NetEaseError> {
        Form::read(&body)
    }

    fn failed(&self, core: &Core, app: &App, error: &NetEaseError) {
        if error.over_rate {
            self.0.penalize(core, app.id);
        }
    }

    const SURFACE: Surface = Surface::NetEase;

    fn respond(
        result: Result<Value, NetEaseError>,
        _: Received,
    ) -> (Response<Body>, u16, &'static str) {
        match result {
            Ok(body) => (error::response(&body), 200, ""),
            // NetEase has no other word for an error than its code.
            Err(error) => (error.response(), error.code, ""),
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
