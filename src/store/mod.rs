//! The tables. All SQL of befriend is in this folder, except for what creates the role and the database
//! of the private Postgres.
//!
//! A store function runs one statement, rarely several, on the connection that it is given, and turns
//! rows into domain values. It opens no transaction, decides nothing, and asks no clock. Its caller owns
//! the transaction: see [`Db::begin`].
//!
//! Each statement's first line names it (`-- friends.find`), so that the name is shown in
//! `pg_stat_statements` and in the log of Postgres.

pub(crate) mod apps;
pub(crate) mod audit_events;
pub(crate) mod blocks;
pub(crate) mod callback_rules;
pub(crate) mod changes;
pub(crate) mod comparisons;
mod connection;
mod connector;
mod copy;
mod database_place;
pub(crate) mod database_time;
mod database_url;
mod db;
mod disk;
mod error;
pub(crate) mod event_history;
pub(crate) mod export;
mod fitness;
pub(crate) mod friend_changes;
pub(crate) mod friend_lists;
pub(crate) mod friends;
pub(crate) mod heads;
mod migrate;
pub(crate) mod observe;
pub(crate) mod operator_tokens;
mod outages;
pub(crate) mod outbox;
pub(crate) mod outbox_dispatch;
pub(crate) mod outbox_leases;
mod pool;
pub(crate) mod relations;
pub(crate) mod request_expiry;
pub(crate) mod requests;
mod role;
mod sqlstate;
pub(crate) mod staging;
mod statements;
pub(crate) mod stored_event;
mod throw_away;
pub(crate) mod tokens;
pub(crate) mod user_deletion;
pub(crate) mod users;

pub use connection::Tx;
pub use connector::ConnectError;
pub use database_place::{place, with_password};
pub use database_url::DatabaseUrlError;
pub use db::{Db, DbSettings, Unusable};
pub use error::error_classes;
pub use fitness::Unfit;
pub use migrate::{MigrateError, expected_version, migrate, require_current, schema_hash};
pub use pool::PoolState;
pub use role::Role;
pub use throw_away::{ThrowAwayDatabase, ThrowAwayError};

use statements::{all_changed, column, index, statements};

/// Every statement, for the tests of plans and types.
pub fn all_statements() -> impl Iterator<Item = &'static str> {
    [
        apps::STATEMENTS,
        tokens::STATEMENTS,
        operator_tokens::STATEMENTS,
        audit_events::STATEMENTS,
        users::STATEMENTS,
        heads::STATEMENTS,
        user_deletion::STATEMENTS,
        friends::STATEMENTS,
        friend_lists::STATEMENTS,
        friend_changes::STATEMENTS,
        blocks::STATEMENTS,
        relations::STATEMENTS,
        requests::STATEMENTS,
        request_expiry::STATEMENTS,
        callback_rules::STATEMENTS,
        outbox::STATEMENTS,
        outbox_dispatch::STATEMENTS,
        outbox_leases::STATEMENTS,
        database_time::STATEMENTS,
        observe::STATEMENTS,
        event_history::STATEMENTS,
        export::STATEMENTS,
        // In this order: the temporary tables come first.
        staging::STATEMENTS,
        comparisons::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
