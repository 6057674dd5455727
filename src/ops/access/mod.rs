//! Apps and their callers: credentials, tokens, rates, and what the operator sets up for an app.

pub mod apps;
pub mod authenticate;
pub mod callback_rules;
pub mod caller_cache;
pub mod login_throttle;
mod network;
pub mod rate_limits;
pub mod tokens;

pub use network::network_of;
