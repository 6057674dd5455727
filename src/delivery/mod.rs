//! Delivering events to receivers.
//!
//! The outbox has 256 partitions, by owner. The dispatcher of each instance leases its fair share of them.
//! It reads the events of these partitions that are due, posts them outside any transaction, and settles
//! each attempt in a transaction that its leases fence. Streams of different owners run side by side; the
//! events of one owner go in order. Nothing is lost when an instance dies: what it has not settled is
//! sent again by the instance that holds the partition next.
//!
//! This module knows the store and the domain, but no operation and no wire format of a surface.

mod dispatcher;
mod partition_leases;
mod rules;
mod running_streams;
mod schedule;
mod settle;
mod state;
mod stream;
mod webhook;

pub use dispatcher::{Dispatcher, DispatcherSettings};
pub use schedule::Schedule;
pub use state::{Delivery, DeliveryState, FailingRule};
pub use webhook::{
    WebhookClient, WebhookSettings, check_authorities, client_tls, render, security, sign,
};
