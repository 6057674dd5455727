//! All integration tests, one binary: the real server on a port of its own, on the real Postgres, a
//! database a test.
//!
//! A test is a story about one rule, and its name is a sentence.

mod support;

mod access;
mod apps;
mod blocks;
mod callbacks;
mod concurrency;
mod deletions;
mod delivery;
mod errors;
mod events;
mod friends;
mod hostile;
mod imports;
mod kill;
mod model;
mod outbox;
mod pages;
mod relations;
mod relays;
mod remarks;
mod tokens;
mod users;
