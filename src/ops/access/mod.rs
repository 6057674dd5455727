//! Apps, operators and their callers: credentials, tokens, rates, and what operators set up for an app.

pub mod apps;
pub mod authenticate;
pub mod callback_rules;
pub mod caller_cache;
pub mod login_throttle;
mod network;
pub mod operator_tokens;
pub mod rate_limits;
pub mod tokens;

pub use network::network_of;
