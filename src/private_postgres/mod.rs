//! The private Postgres of the default run, which the service uses when it has no `DATABASE_URL`.
//!
//! It runs from the Postgres programs of the machine, keeps its data in one folder, listens on a Unix
//! socket only, and lives as long as a process uses it. Several processes may share it. A SIGKILL of any
//! of them, of the server, or of all at once loses no acknowledged write, and the next start needs no
//! help.
//!
//! Reading order: `layout` (the data folder), `binaries` (the programs), `account` (the user who runs
//! them), `cluster` (the data), `watchdog` (the lifetime), `session` (role and database), `server`, which
//! starts and stops all of it under one lock, and `keeper`, which restarts a server that died under a
//! running service. `throw_away` has a server for one run, on a copy of a `template`.
//!
//! Everything here blocks: call it from a blocking thread. Nothing here knows the tables of the service.

mod account;
mod binaries;
mod cluster;
mod deadline;
mod error;
mod keeper;
mod layout;
mod process;
mod server;
mod session;
mod settings;
mod template;
mod throw_away;
mod watchdog;

pub use error::StartError;
pub use keeper::Keeper;
pub use layout::default_data_dir;
pub use server::{PrivatePostgres, Stopped};
pub use settings::{Life, Settings};
pub use throw_away::ThrowAway;
