//! The forms of calls beside gRPC's own: the Connect protocol, which is JSON over plain HTTP, and gRPC-Web.

mod bodies;
mod cors;
mod errors;
mod gets;
mod open;
mod refusals;
mod streams;
mod unary;
mod web;

use crate::support::{Tenant, TestApp, connect::Caller, tenant::acme};

/// A server with alice and bob, and a caller by JSON.
async fn alice_and_bob() -> (TestApp, Tenant, Caller) {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let caller = Caller::new(&app.url, &tenant.token);
    (app, tenant, caller)
}
