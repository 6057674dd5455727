//! All integration tests, one binary: the real server on a port of its own, on the real Postgres, a
//! database a test.
//!
//! A test is a story about one rule, and its name is a sentence.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

mod access;
mod admin;
mod admin_listener;
mod apps;
mod audits;
mod blocks;
mod callback_rules;
mod clocks;
mod concurrency;
#[cfg(target_os = "linux")]
mod config_file;
#[cfg(target_os = "linux")]
mod console;

#[cfg(target_os = "linux")]
mod crash;
mod databases;
mod deletions;
mod delivery;
mod dispatchers;
mod docs;
#[cfg(target_os = "linux")]
mod ephemeral;
mod errors;
mod events;
#[cfg(target_os = "linux")]
mod failover;
mod fields;
mod forms;
mod friends;
mod fuzz;
mod generated;
#[cfg(target_os = "linux")]
mod guides;
mod hang_ups;
mod hostile;
mod hostile_shares;
mod http;
mod imports;
#[cfg(target_os = "linux")]
mod kill;
mod limits;
mod logs;
mod model;
mod monitoring;
mod mutual;
mod operator_tokens;
mod outages;
mod outbox;
#[cfg(target_os = "linux")]
mod outputs;
mod pages;
mod plans;
#[cfg(target_os = "linux")]
mod private_postgres;
mod protos;
mod pulls;
mod relations;
#[cfg(target_os = "linux")]
mod reload;
mod remarks;
mod requests;
mod requests_races;
mod rust_client;
mod samples;
mod schema;
mod server;
mod settings;
mod statements;
mod sync;
mod tidy;
mod tls;
mod together;
mod tokens;
mod traces;
mod transfer;
mod translations;
mod update_masks;
mod upgrades;
mod users;
mod watch;
