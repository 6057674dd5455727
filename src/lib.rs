//! befriend: friends, remarks and block lists as a service, on Postgres.
//!
//! The modules, in the order in which a request travels through them:
//!
//! - [`proto`] is the wire: what the files in `proto/` say, and the clients for Rust callers.
//! - [`gate`] lets calls in: who calls, how often, until when.
//! - [`grpc`] and [`http`] are the surfaces: parse, one operation, render.
//! - [`domain`] is what they are parsed to: checked values and pure decisions.
//! - [`ops`] is what happens: one function and one transaction an operation.
//! - [`store`] is the tables: all SQL.
//! - [`delivery`] is what follows: events posted to the app's receivers.
//!
//! Around them: [`config`] and [`telemetry`] set the process up, [`server`] listens, [`server::upkeep`] does
//! what no call waits for, [`private_postgres`] is the private Postgres of the default run, [`cli`] the
//! commands, [`transfer`] the files that data moves in, [`pull`] where else it can come from, [`clock`] the time, [`outbox_signals`] what wakes
//! the dispatcher, and [`page_token`] the form of page tokens for all surfaces.

pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;

pub mod domain;
pub mod gate;
pub mod grpc;
pub mod http;
pub mod ops;
pub mod outbox_signals;
pub mod page_token;
pub mod private_postgres;

pub mod server;
pub mod store;
pub mod telemetry;
pub mod transfer;

pub mod pull;

pub mod proto {
    //! The generated types, clients and servers of package `befriend.v1`.

    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    tonic::include_proto!("befriend.v1");

    /// The descriptors of all services, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
