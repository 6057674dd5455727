//! All integration tests, one binary: the real server on a port of its own, on the real Postgres, a
//! database a test.
//!
//! A test is a story about one rule, and its name is a sentence.

mod support;

mod concurrency;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(target_os = "linux")]
mod embedded;
mod friends;
mod model;
mod plans;
mod schema;
mod statements;
mod tidy;
