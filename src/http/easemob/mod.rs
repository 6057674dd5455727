//! Easemob's REST API, below `/{org_name}/{app_name}`.
//!
//! Facts that some clients rely on: a body is JSON whatever its Content-Type says; unknown members of a
//! body are ignored; `/user/` and `/users/` mean the same in paging and remarks; members of a response
//! stand in the vendor's order.

mod blocks;
mod contacts;
mod description;
mod error;
mod relations;
mod request;
mod response;
mod token;
mod users;

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Response, StatusCode},
};
use serde_json::Value;

use self::{
    error::EasemobError,
    request::EasemobRequest,
    response::{deleted_schema, posted_schema, put_schema},
};
use super::{
    handler::{Endpoint, Received, RequestHead, Route, VendorApi},
    json,
    openapi::{Description, Doc},
};
use crate::{
    domain::{AppKey, Bounds, Error, Scope, Secret},
    gate::{self, Surface},
    ops::{
        Core,
        access::{authenticate, caller_cache::CallingApp},
    },
};

/// The API.
pub(super) struct Easemob;

/// The path of an app, below which all routes are.
pub(super) const PREFIX: &str = "/{org_name}/{app_name}";

macro_rules! routes {
    ($($method:ident $path:literal $operation:literal => $run:path, $doc:expr;)+) => {
        vec![$(Route::app(Method::$method, $path, $operation, $run, $doc)),+]
    };
}

/// All routes, with these bounds in what the description says of them.
pub(super) fn routes(bounds: &Bounds) -> Vec<Route<Easemob>> {
    let mut routes = contact_routes(bounds);
    routes.extend(block_routes(bounds));
    routes.extend(user_routes(bounds));
    let doc = Doc::new("issueToken", "Get an app token", token::token_schema());
    let doc = doc.body(token::login_body_schema());
    routes.push(Route::login(Method::POST, "/token", "TokenService/IssueToken", token::issue, doc));
    routes
}

fn contact_routes(bounds: &Bounds) -> Vec<Route<Easemob>> {
    let set_remark = |id| {
        Doc::new(id, "Set a remark", contacts::remark_set_schema())
            .body(contacts::remark_body_schema())
    };
    let list = |id| {
        Doc::new(id, "Page through friends", contacts::page_schema())
            .parameters(contacts::list_parameters(bounds.friend_pages))
    };
    routes![
        POST "/users/{owner}/contacts/users/{friend}" "FriendService/AddFriend" => contacts::add,
            Doc::new("addContact", "Add a friend", posted_schema()).list_can_be_full();
        DELETE "/users/{owner}/contacts/users/{friend}" "FriendService/RemoveFriend" => contacts::remove,
            Doc::new("removeContact", "Remove a friend", deleted_schema());
        PUT "/users/{owner}/contacts/users/{friend}" "FriendService/SetRemark" => contacts::set_remark,
            set_remark("setRemark_users");
        PUT "/user/{owner}/contacts/users/{friend}" "FriendService/SetRemark" => contacts::set_remark,
            set_remark("setRemark_user");
        GET "/users/{owner}/contacts" "FriendService/ListFriends" => contacts::list,
            list("listContacts_users");
        GET "/user/{owner}/contacts" "FriendService/ListFriends" => contacts::list,
            list("listContacts_user");
        GET "/users/{owner}/contacts/users" "FriendService/ListAllFriends" => contacts::list_all,
            Doc::new("listAllContacts", "List all friends", contacts::all_schema());
        POST "/users/{owner}/contacts/import" "FriendService/ImportFriends" => contacts::import,
            Doc::new("importContacts", "Import friends", contacts::imported_schema())
                .parameters([contacts::notice_parameter()])
                .body(contacts::import_body_schema(bounds.import_names))
                .list_can_be_full();
        DELETE "/contacts/users/{owner}" "FriendService/RemoveAllFriends" => contacts::remove_all,
            Doc::new("removeAllContacts", "Remove all friends", deleted_schema());
        POST "/contacts/check" "RelationService/CheckRelations" => relations::check_friends,
            Doc::new("checkContacts", "Check who is a friend", relations::checked_schema())
                .body(relations::check_body_schema(bounds.check_names));
    ]
}

fn block_routes(bounds: &Bounds) -> Vec<Route<Easemob>> {
    let newest = bounds.newest_blocks;
    routes![
        POST "/users/{owner}/blocks/users" "BlockService/BlockUsers" => blocks::block,
            Doc::new("block", "Block users", blocks::blocked_schema())
                .body(blocks::names_body_schema(bounds.block_names))
                .list_can_be_full();
        GET "/users/{owner}/blocks/users" "BlockService/ListBlockedUsers" => blocks::list,
            Doc::new(
                "listBlocks",
                format!("Page through blocked users; without pageSize and cursor the newest {newest}"),
                blocks::page_schema(),
            )
            .parameters(blocks::list_parameters(bounds.block_pages));
        DELETE "/users/{owner}/blocks/users/{blocked}" "BlockService/UnblockUser" => blocks::unblock,
            Doc::new("unblock", "Unblock a user", deleted_schema());
        DELETE "/users/{owner}/blocks/users" "BlockService/UnblockUser" => blocks::unblock_all,
            Doc::new("unblockMany", "Unblock users", deleted_schema())
                .body(blocks::names_body_schema(bounds.block_names));
        POST "/blocks/check" "RelationService/CheckRelations" => relations::check_blocks,
            Doc::new("checkBlocks", "Check who is blocked", relations::checked_schema())
                .body(relations::check_body_schema(bounds.check_names));
    ]
}

fn user_routes(bounds: &Bounds) -> Vec<Route<Easemob>> {
    let (batch, sizes) = (bounds.batch_users, bounds.user_pages);
    routes![
        POST "/users" "UserService/CreateUser" => users::create,
            Doc::new("createUsers", format!("Create a user, or up to {batch}"), posted_schema())
                .body(users::create_body_schema(batch));
        GET "/users" "UserService/ListUsers" => users::list,
            Doc::new("listUsers", "Page through users", users::page_schema())
                .parameters(users::list_parameters(sizes));
        GET "/users/{username}" "UserService/GetUser" => users::get,
            Doc::new("getUser", "Get a user", users::found_schema());
        PUT "/users/{username}" "UserService/UpdateUser" => users::set_nickname,
            Doc::new("setNickname", "Set a nickname", put_schema())
                .body(users::nickname_body_schema());
        DELETE "/users/{username}" "UserService/DeleteUser" => users::delete,
            Doc::new("deleteUser", "Delete a user", deleted_schema());
        DELETE "/users" "UserService/DeleteUser" => users::delete_page,
            Doc::new("deleteUsers", "Delete the users of a page", deleted_schema())
                .parameters(users::delete_page_parameters(sizes));
        POST "/users/{username}/activate" "UserService/ActivateUser" => users::activate,
            Doc::new("activate", "Activate a user", users::activation_schema());
        POST "/users/{username}/deactivate" "UserService/DeactivateUser" => users::deactivate,
            Doc::new("deactivate", "Deactivate a user", users::activation_schema());
        PUT "/users/{username}/password" "UserService/UpdateUser" => users::set_password,
            Doc::new("setPassword", "Accept a password without storing it", users::password_set_schema())
                .body(users::password_body_schema());
    ]
}

/// Describes all routes.
pub(super) fn describe(bounds: &Bounds, description: &mut Description) {
    description::describe(PREFIX, routes(bounds), description);
}

/// The routes as axum takes them.
pub(super) fn router(endpoint: &Arc<Endpoint<Easemob>>) -> Router {
    let routes = routes(&endpoint.gate.core().bounds);
    let below = routes.into_iter().fold(Router::new(), |router, route| {
        router.route(route.path, endpoint.method_router(route))
    });
    Router::new().nest(PREFIX, below)
}

impl VendorApi for Easemob {
    /// The app that the path names, and the token.
    type Credentials = (AppKey, Option<Secret>, Option<IpAddr>);
    type Head = EasemobRequest;
    type Request = EasemobRequest;
    type Error = EasemobError;

    fn read_head(head: RequestHead) -> Result<(Self::Credentials, EasemobRequest), EasemobError> {
        let token = gate::bearer(&head.parts.headers);
        let request = EasemobRequest::new(head)?;
        Ok(((request.key.clone(), token, request.address()), request))
    }

    /// The app of the token, which must be the one that the path names.
    async fn authenticate(
        &self,
        core: &Core,
        (key, token, from): Self::Credentials,
    ) -> Result<CallingApp, EasemobError> {
        let error = match authenticate::app(core, token.as_ref(), from).await {
            Ok(caller) if caller.app.key == key => return Ok(caller),
            Ok(_) => Error::TokenScope { required: Scope::App },
            Err(error @ (Error::Unauthenticated | Error::TokenScope { .. })) => error,
            Err(other) => return Err(other.into()),
        };
        // The vendor reports an app that does not exist before a wrong token.
        authenticate::named_app(core, &key, from).await?;
        Err(error.into())
    }

    fn read_body(head: EasemobRequest, body: Bytes) -> Result<EasemobRequest, EasemobError> {
        Ok(head.with_body(body))
    }

    const SURFACE: Surface = Surface::Easemob;

    fn respond(
        result: Result<Value, EasemobError>,
        received: Received,
    ) -> (Response<Body>, u16, &'static str) {
        let (response, reason) = match result {
            Ok(body) => (json::response(StatusCode::OK, "application/json", &body), ""),
            Err(error) => {
                let reason = error.name();
                (error.response(received), reason)
            }
        };
        let code = response.status().as_u16();
        (response, code, reason)
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
