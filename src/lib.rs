//! befriend: friends, remarks and block lists as a service, on Postgres.
//!
//! The modules, in the order in which a request passes them:
//!
//! - [`proto`]: the wire, as the files in `proto/` define it, and the clients for Rust callers.
//! - [`gate`]: admits calls. Deadline, credentials, a place among the running calls, rate, log line.
//! - [`grpc`] and [`http`]: the surfaces. They pass each call through the gate; then its method parses,
//!   calls an operation, and renders.
//! - [`domain`]: checked values and pure decisions.
//! - [`ops`]: the operations, and the steps inside their transactions.
//! - [`store`]: the tables; all SQL.
//! - [`delivery`]: posts events to the receivers of an app.
//!
//! Around them: [`config`] and [`telemetry`] set the process up, [`server`] listens and runs the
//! background work, [`private_postgres`] is the database of the default run, [`cli`] has the commands,
//! [`transfer`] reads and writes files of users and lists, [`pull`] fetches such files from the vendors,
//! [`clock`] tells the time, [`outbox_signals`] wakes the dispatcher, [`background_work`] counts how often
//! the background work fails, [`measure`] has the means to measure, [`trace`] makes the spans that are
//! exported, `retry_after` reads a header of answers, `early_answer` ends requests that were answered before
//! they came whole, and [`page_token`] is the form of page tokens on all surfaces.

// A line that can't be printed is an error, and no panic: `cli::output`.
#![deny(clippy::print_stdout)]

pub mod background_work;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod domain;
mod early_answer;
pub mod gate;
pub mod grpc;
pub mod http;
pub mod measure;
pub mod ops;
pub mod outbox_signals;
pub mod page_token;
pub mod private_postgres;
pub mod pull;
mod retry_after;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod transfer;

pub mod proto {
    //! The generated types, clients and servers of package `befriend.v1`.

    pub use befriend_client::proto::*;

    /// The descriptors of all services, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

    /// The same with the comments, for the description of the API.
    pub const DOCUMENTED_DESCRIPTORS: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/documented_descriptors.bin"));
}
