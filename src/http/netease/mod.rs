//! NetEase IM's server API: forms are posted to `/nimserver/….action`, and without that prefix, which
//! some SDKs leave to the address.
//!
//! The HTTP status is always 200; the result is the answer's `code`.

mod doorman;
mod form;
mod friends;
mod refusal;
mod users;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response, header},
    response::IntoResponse as _,
    routing::{MethodRouter, get, post},
};
use serde_json::{Value, json};
use tracing::Instrument as _;

pub use self::doorman::NetEaseSettings;
pub(super) use self::{
    doorman::Doorman,
    refusal::{unknown, wrong_method},
};
use self::{form::Form, refusal::Refusal};
use super::{Surface, read};
use crate::{
    domain::Error,
    gate::{self, Caller, REQUEST_ID, RequestLog},
    ops::Call,
};

/// A route, below `/nimserver` and below nothing.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// What is counted and logged: the operation's name in gRPC, so that all surfaces share an
    /// app's rate.
    pub(super) operation: &'static str,
    run: fn(Form, Call) -> Answering,
}

type Answering = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send>>;

/// Where the vendor has its calls.
pub(super) const PREFIX: &str = "/nimserver";

/// Answers whoever asks whether somebody is there.
pub(super) const LIVENESS: &str = "/health/liveness.action";

macro_rules! routes {
    ($($path:literal $operation:literal => $module:ident::$run:ident,)+) => {
        [$(Route {
            path: $path,
            operation: $operation,
            run: |form, call| Box::pin($module::$run(form, call)),
        }),+]
    };
}

/// All routes.
pub(super) const ROUTES: [Route; 8] = routes![
    "/friend/add.action" "FriendService/AddFriend" => friends::add,
    "/friend/update.action" "FriendService/UpdateFriend" => friends::update,
    "/friend/delete.action" "FriendService/RemoveFriend" => friends::delete,
    "/friend/get.action" "FriendService/SyncFriends" => friends::get,
    "/friend/getByAccid.action" "FriendService/GetFriend" => friends::get_by_accid,
    "/user/create.action" "UserService/CreateUser" => users::create,
    "/user/setSpecialRelation.action" "BlockService/BlockUsers" => users::set_special_relation,
    "/user/listBlackAndMuteList.action" "BlockService/ListAllBlockedUsers"
        => users::list_black_and_mute_list,
];

/// Whether a path that is no route of ours is meant for this surface.
pub(super) fn is_meant(path: &str) -> bool {
    path.ends_with(".action") || path == PREFIX || path.starts_with("/nimserver/")
}

/// The routes as axum takes them.
pub(super) fn routes(surface: &Arc<Surface>) -> Router {
    // What the vendor's SDKs ask an address before they use it, when they were given several.
    let alive = Router::new()
        .route(LIVENESS, get(async || render(&json!({ "code": 200 }))))
        .route(&format!("{PREFIX}{LIVENESS}"), get(async || render(&json!({ "code": 200 }))));
    ROUTES.into_iter().fold(alive, |router, route| {
        let path = route.path;
        let handler = handler(Arc::clone(surface), Arc::new(route));
        router.route(&format!("{PREFIX}{path}"), handler.clone()).route(path, handler)
    })
}

fn handler(surface: Arc<Surface>, route: Arc<Route>) -> MethodRouter {
    post(move |request: Request<Body>| {
        let (surface, route) = (Arc::clone(&surface), Arc::clone(&route));
        let id = gate::request_id(request.headers());
        let span = gate::span(&id);
        async move {
            let mut log = RequestLog::open(route.operation);
            let (answer, code) = match serve(surface, &route, request, &mut log).await {
                Ok(answer) => (render(&answer), 200),
                Err(refusal) => (refusal.into_response(), refusal.code),
            };
            let mut response = answer;
            response.headers_mut().insert(REQUEST_ID, id);
            log.close(code.to_string());
            response
        }
        .instrument(span)
    })
}

async fn serve(
    surface: Arc<Surface>,
    route: &Route,
    request: Request<Body>,
    log: &mut RequestLog,
) -> Result<Value, Refusal> {
    let (parts, body) = request.into_parts();
    let (gate, run) = (surface.gate.clone(), route.run);
    let core = gate.core();
    let app_id = OnceLock::new();
    // On the heap: it holds the whole of a query.
    let admit = Box::pin(async {
        let app = surface.netease.admit(core, &parts.headers).await?;
        app_id.get_or_init(|| app.id);
        Ok(Some(app))
    });
    let max_body = surface.max_body;
    let answer = gate.pass(log, Caller::Known, None, admit, |admitted| async move {
        let body = read::body(body, max_body).await.map_err(Refusal::of_body)?;
        let form = Form::read(&body)?;
        let app = admitted.app.ok_or(Error::Unauthenticated)?;
        run(form, Call { core: Arc::clone(core), app, deadline: admitted.deadline }).await
    });
    let answer = answer.await;
    if let (Err(refusal), Some(app_id)) = (&answer, app_id.get())
        && refusal.over_rate
    {
        surface.netease.shut_out(core, *app_id);
    }
    answer
}

fn render(answer: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.to_string()));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
