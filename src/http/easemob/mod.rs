//! Easemob's REST API, below `/{org_name}/{app_name}`.
//!
//! Wire facts, each of which some client relies on: a body is JSON whatever its Content-Type says;
//! members that nobody knows are left alone; `/user/` and `/users/` mean the same in paging and
//! remarks; members of an answer stand in the vendor's order.

mod answer;
mod blocks;
mod contacts;
mod refusal;
mod token;
mod users;

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts as _, RawPathParams},
    http::{HeaderMap, Method, Request, StatusCode, header, request::Parts},
    routing::{MethodFilter, MethodRouter, on},
};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

pub(super) use self::refusal::{unknown, wrong_method};
use self::{answer::Asked, refusal::Refusal};
use super::{Surface, read};
use crate::{
    domain::{App, AppKey, Error, Scope},
    gate::{self, Admitted, Caller, Connection, Gate, REQUEST_ID, RequestLog},
    ops::{Call, access::authenticate},
};

/// A route below `/{org_name}/{app_name}`.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What is counted and logged: the operation's name in gRPC, so that all surfaces share an
    /// app's rate.
    pub(super) operation: &'static str,
    run: Run,
}

type Answering = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send>>;

/// What a route does.
#[derive(Clone, Copy)]
enum Run {
    /// Something in the name of the app whose token was shown.
    App(fn(Asked, Call) -> Answering),
    /// It checks credentials itself.
    Login(fn(Asked, Arc<Surface>, Admitted) -> Answering),
}

macro_rules! routes {
    ($($method:ident $path:literal $operation:literal => $module:ident::$run:ident,)+) => {
        [$(Route {
            method: Method::$method,
            path: $path,
            operation: $operation,
            run: Run::App(|asked, call| Box::pin($module::$run(asked, call))),
        }),+]
    };
}

/// All routes that need an app's token.
const APP_ROUTES: [Route; 24] = routes![
    POST "/users/{owner}/contacts/users/{friend}" "FriendService/AddFriend" => contacts::add,
    DELETE "/users/{owner}/contacts/users/{friend}" "FriendService/RemoveFriend" => contacts::remove,
    PUT "/users/{owner}/contacts/users/{friend}" "FriendService/SetRemark" => contacts::set_remark,
    PUT "/user/{owner}/contacts/users/{friend}" "FriendService/SetRemark" => contacts::set_remark,
    GET "/user/{owner}/contacts" "FriendService/ListFriends" => contacts::list,
    GET "/users/{owner}/contacts" "FriendService/ListFriends" => contacts::list,
    GET "/users/{owner}/contacts/users" "FriendService/ListAllFriends" => contacts::list_all,
    POST "/users/{owner}/contacts/import" "FriendService/ImportFriends" => contacts::import,
    DELETE "/contacts/users/{owner}" "FriendService/RemoveAllFriends" => contacts::remove_all,
    POST "/contacts/check" "RelationService/CheckRelations" => contacts::check,
    POST "/users/{owner}/blocks/users" "BlockService/BlockUsers" => blocks::block,
    GET "/users/{owner}/blocks/users" "BlockService/ListBlockedUsers" => blocks::list,
    DELETE "/users/{owner}/blocks/users/{blocked}" "BlockService/UnblockUser" => blocks::unblock,
    DELETE "/users/{owner}/blocks/users" "BlockService/UnblockUser" => blocks::unblock_all,
    POST "/blocks/check" "RelationService/CheckRelations" => blocks::check,
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

/// The route that gives out tokens.
const TOKEN_ROUTE: Route = Route {
    method: Method::POST,
    path: "/token",
    operation: "TokenService/IssueToken",
    run: Run::Login(|asked, surface, admitted| Box::pin(token::issue(asked, surface, admitted))),
};

/// All routes.
pub(super) fn all_routes() -> impl Iterator<Item = Route> {
    APP_ROUTES.into_iter().chain([TOKEN_ROUTE])
}

/// The routes as axum takes them.
pub(super) fn routes(surface: &Arc<Surface>) -> Router {
    all_routes().fold(Router::new(), |router, route| {
        let path = format!("/{{org_name}}/{{app_name}}{}", route.path);
        router.route(&path, handler(Arc::clone(surface), Arc::new(route)))
    })
}

fn handler(surface: Arc<Surface>, route: Arc<Route>) -> MethodRouter {
    let filter = MethodFilter::try_from(route.method.clone()).expect("a method of the table");
    on(filter, move |request: Request<Body>| {
        let (surface, route) = (Arc::clone(&surface), Arc::clone(&route));
        let id = gate::request_id(request.headers());
        let span = gate::span(&id);
        async move {
            let mut log = RequestLog::open(route.operation);
            let (now, started) = (surface.gate.core().clock.now(), Instant::now());
            let answer = serve(surface, &route, request, started, &mut log).await;
            let mut response = match answer {
                Ok(answer) => answer::render(StatusCode::OK, &answer),
                Err(refusal) => refusal.render(now, started.elapsed()),
            };
            response.headers_mut().insert(REQUEST_ID, id);
            log.close(response.status().as_str().to_owned());
            response
        }
        .instrument(span)
    })
}

async fn serve(
    surface: Arc<Surface>,
    route: &Route,
    request: Request<Body>,
    started: Instant,
    log: &mut RequestLog,
) -> Result<Value, Refusal> {
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let params = params.map_err(|_| Refusal::illegal("the path is not UTF-8"))?;
    let key = app_key(&params)?;
    let run = route.run;
    let gate = surface.gate.clone();
    let caller = match run {
        Run::App(_) => Caller::Known,
        Run::Login(_) => Caller::Stranger,
    };
    // On the heap: it holds the whole of a query.
    let admit = Box::pin(admit(&gate, run, &key, &parts.headers));
    let asked = Asked::new(&gate, &parts, &params, key.clone(), started)?;
    gate.pass(log, caller, None, admit, |admitted| async move {
        let body = read::body(body, surface.max_body).await.map_err(Refusal::of_body)?;
        let asked = asked.with_body(body);
        match (run, admitted.app) {
            (Run::App(run), Some(app)) => {
                let core = Arc::clone(surface.gate.core());
                run(asked, Call { core, app, deadline: admitted.deadline }).await
            }
            (Run::App(_), None) => Err(Error::Unauthenticated.into()),
            (Run::Login(run), app) => run(asked, surface, Admitted { app, ..admitted }).await,
        }
    })
    .await
}

/// The app whose token was shown, which must be the one that the path names.
async fn admit(
    gate: &Gate,
    run: Run,
    key: &AppKey,
    headers: &HeaderMap,
) -> Result<Option<Arc<App>>, Refusal> {
    if let Run::Login(_) = run {
        return Ok(None);
    }
    let why = match authenticate::app(gate.core(), gate::bearer(headers).as_ref()).await {
        Ok(app) if app.key == *key => return Ok(Some(app)),
        Ok(_) => Error::TokenScope { required: Scope::App },
        Err(why @ (Error::Unauthenticated | Error::TokenScope { .. })) => why,
        Err(other) => return Err(other.into()),
    };
    // The vendor tells a wrong address before a wrong token.
    authenticate::named_app(gate.core(), key).await?;
    Err(why.into())
}

/// The app that the path names.
fn app_key(params: &RawPathParams) -> Result<AppKey, Refusal> {
    let part = |name: &str| params.iter().find(|(given, _)| *given == name).map(|(_, value)| value);
    let key = match (part("org_name"), part("app_name")) {
        (Some(org), Some(app)) => format!("{org}#{app}"),
        _ => String::new(),
    };
    // What can't be an app is none.
    AppKey::parse("path", &key).map_err(|_| Refusal::no_app(&key))
}

/// Where a request went, as its caller wrote it: "https://im.example.com:443".
fn address(parts: &Parts) -> String {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    // A proxy that ends TLS says so.
    let tls = parts.extensions.get::<Connection>().is_some_and(|by| by.tls);
    let scheme = match header("x-forwarded-proto") {
        Some(scheme @ ("http" | "https")) => scheme,
        _ if tls => "https",
        _ => "http",
    };
    let named = parts.uri.authority().map(|authority| authority.as_str());
    let host = named.or_else(|| header(header::HOST.as_str()));
    // What is no host is not repeated.
    let host = host.filter(|host| host.parse::<axum::http::uri::Authority>().is_ok());
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}
