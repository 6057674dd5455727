//! Easemob's REST API, below `/{org_name}/{app_name}`.
//!
//! Facts that some clients rely on: a body is JSON whatever its Content-Type says; unknown members of a
//! body are ignored; `/user/` and `/users/` mean the same in paging and remarks; members of a response
//! stand in the vendor's order.

mod blocks;
mod contacts;
mod error;
mod relations;
mod request;
mod response;
mod token;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Response, StatusCode},
};
use serde_json::Value;

use self::{error::EasemobError, request::EasemobRequest};
use super::{
    handler::{Endpoint, Received, RequestHead, Route, VendorApi},
    json,
};
use crate::{
    domain::{App, AppKey, Error, Scope, Secret},
    gate,
    ops::{Core, access::authenticate},
};

/// The API.
pub(super) struct Easemob;

/// The path of an app, below which all routes are.
pub(super) const PREFIX: &str = "/{org_name}/{app_name}";

macro_rules! routes {
    ($($method:ident $path:literal $operation:literal => $run:path,)+) => {
        vec![$(Route::app(Method::$method, $path, $operation, $run)),+]
    };
}

/// All routes.
pub(super) fn routes() -> Vec<Route<Easemob>> {
    let mut routes = routes![
        POST "/users/{owner}/contacts/users/{friend}" "FriendService/AddFriend" => contacts::add,
        DELETE "/users/{owner}/contacts/users/{friend}" "FriendService/RemoveFriend" => contacts::remove,
        PUT "/users/{owner}/contacts/users/{friend}" "FriendService/SetRemark" => contacts::set_remark,
        PUT "/user/{owner}/contacts/users/{friend}" "FriendService/SetRemark" => contacts::set_remark,
        GET "/user/{owner}/contacts" "FriendService/ListFriends" => contacts::list,
        GET "/users/{owner}/contacts" "FriendService/ListFriends" => contacts::list,
        GET "/users/{owner}/contacts/users" "FriendService/ListAllFriends" => contacts::list_all,
        POST "/users/{owner}/contacts/import" "FriendService/ImportFriends" => contacts::import,
        DELETE "/contacts/users/{owner}" "FriendService/RemoveAllFriends" => contacts::remove_all,
        POST "/contacts/check" "RelationService/CheckRelations" => relations::check_friends,
        POST "/users/{owner}/blocks/users" "BlockService/BlockUsers" => blocks::block,
        GET "/users/{owner}/blocks/users" "BlockService/ListBlockedUsers" => blocks::list,
        DELETE "/users/{owner}/blocks/users/{blocked}" "BlockService/UnblockUser" => blocks::unblock,
        DELETE "/users/{owner}/blocks/users" "BlockService/UnblockUser" => blocks::unblock_all,
        POST "/blocks/check" "RelationService/CheckRelations" => relations::check_blocks,
        POST "/users" "UserService/CreateUser" => users::create,
        GET "/users" "UserService/ListUsers" => users::list,
        GET "/users/{username}" "UserService/GetUser" => users::get,
        PUT "/users/{username}" "UserService/UpdateUser" => users::set_nickname,
        DELETE "/users/{username}" "UserService/DeleteUser" => users::delete,
        DELETE "/users" "UserService/DeleteUser" => users::delete_page,
        POST "/users/{username}/activate" "UserService/ActivateUser" => users::activate,
        POST "/users/{username}/deactivate" "UserService/DeactivateUser" => users::deactivate,
        PUT "/users/{username}/password" "UserService/UpdateUser" => users::set_password,
    ];
    routes.push(Route::login(Method::POST, "/token", "TokenService/IssueToken", token::issue));
    routes
}

/// The routes as axum takes them.
pub(super) fn router(endpoint: &Arc<Endpoint<Easemob>>) -> Router {
    let below = routes().into_iter().fold(Router::new(), |router, route| {
        router.route(route.path, endpoint.method_router(route))
    });
    Router::new().nest(PREFIX, below)
}

impl VendorApi for Easemob {
    /// The app that the path names, and the token.
    type Credentials = (AppKey, Option<Secret>);
    type Head = EasemobRequest;
    type Request = EasemobRequest;
    type Error = EasemobError;

    fn read_head(head: RequestHead) -> Result<(Self::Credentials, EasemobRequest), EasemobError> {
        let token = gate::bearer(&head.parts.headers);
        let request = EasemobRequest::new(head)?;
        Ok(((request.key.clone(), token), request))
    }

    /// The app of the token, which must be the one that the path names.
    async fn authenticate(
        &self,
        core: &Core,
        (key, token): Self::Credentials,
    ) -> Result<Arc<App>, EasemobError> {
        let error = match authenticate::app(core, token.as_ref()).await {
            Ok(app) if app.key == key => return Ok(app),
            Ok(_) => Error::TokenScope { required: Scope::App },
            Err(error @ (Error::Unauthenticated | Error::TokenScope { .. })) => error,
            Err(other) => return Err(other.into()),
        };
        // The vendor reports an app that does not exist before a wrong token.
        authenticate::named_app(core, &key).await?;
        Err(error.into())
    }

    fn read_body(head: EasemobRequest, body: Bytes) -> Result<EasemobRequest, EasemobError> {
        Ok(head.with_body(body))
    }

    fn respond(result: Result<Value, EasemobError>, received: Received) -> (Response<Body>, u16) {
        let response = match result {
            Ok(body) => json::response(StatusCode::OK, "application/json", &body),
            Err(error) => error.response(received),
        };
        let code = response.status().as_u16();
        (response, code)
    }
}

/// The response for a path that no route has.
pub(super) fn not_found(received: Received) -> Response<Body> {
    EasemobError::not_found().response(received)
}

/// The response for a method that no route of the path has.
pub(super) fn method_not_allowed(received: Received) -> Response<Body> {
    EasemobError::method_not_allowed().response(received)
}
