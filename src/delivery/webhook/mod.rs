//! One HTTP POST of one event to one receiver: the body, its signatures, and the client.

mod body;
mod client;
mod public_address_connector;
mod signature;

pub use body::render;
pub use client::{PostResult, WebhookClient, WebhookSettings, check_authorities, client_tls};
pub use signature::{security, sign};
