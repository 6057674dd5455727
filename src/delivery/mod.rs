//! Delivering events to receivers: lease, read, post, settle.
//!
//! The outbox has 256 parts by owner. An instance's relay leases its fair share of them, reads events
//! that are due, posts them outside any transaction, owners side by side and one owner's events in
//! order, and settles exactly what it tried, fenced by its leases. Nothing is lost when it dies at any
//! point: what is not settled is tried again by whoever holds the part next.
//!
//! It knows the store and the domain, no operation and no surface.

mod body;
mod guard;
mod leases;
mod post;
mod relay;
mod schedule;
mod settle;
mod signature;
mod stream;

pub use body::{HOST, render};
pub use guard::is_public;
pub use post::{Postman, PostmanSettings, check_authorities};
pub use relay::{News, Relay, RelaySettings};
pub use schedule::{RuleEffect, Schedule, Verdict, judge};
pub use signature::{headers, security, sign};

use std::time::Duration;

use time::OffsetDateTime;

use crate::domain::{Attempt, CallbackRule, Event, unix_millis};

/// What came of one POST.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// How long the receiver asks us to wait.
    pub retry_after: Option<Duration>,
    /// The first 1024 bytes of the body.
    pub body: Vec<u8>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// Only 2xx is a success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The try as it is logged. A body may hold anything; what is no text in it is replaced.
    #[must_use]
    pub fn attempt(&self, at: OffsetDateTime) -> Attempt {
        let error = match (&self.error, self.status) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(300..=399)) => Some("redirects are not followed".to_owned()),
            (None, Some(status)) if !self.is_success() => Some(format!("status {status}")),
            _ => None,
        };
        Attempt {
            at_ms: unix_millis(at),
            status: self.status,
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            // Postgres keeps no NUL.
            answer: String::from_utf8_lossy(&self.body).replace('\0', "\u{fffd}"),
            error,
        }
    }
}

/// Sends one event by one rule, once, and waits no longer than `at_most` for the answer.
pub async fn send(
    postman: &Postman,
    rule: &CallbackRule,
    app_key: &str,
    event: &Event,
    now: OffsetDateTime,
    at_most: Duration,
) -> Answer {
    let body = render(rule, app_key, event);
    let headers = headers(rule, &event.id.webhook_id(), now, &body);
    postman.post(rule, &headers, body, at_most).await
}
