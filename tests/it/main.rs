//! All integration tests, one binary: the real server on a port of its own, on the real Postgres, a
//! database a test.
//!
//! A test is a story about one rule, and its name is a sentence.

mod support;

mod access;
mod apps;
mod blocks;
mod deletions;
mod errors;
mod friends;
mod hostile;
mod imports;
mod limits;
mod pages;
mod relations;
mod remarks;
mod server;
mod tls;
mod tokens;
mod users;
