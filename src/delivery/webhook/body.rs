//! The body of a callback, in its two formats: Standard Webhooks and Easemob's envelope. No I/O.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::format_description::well_known::Rfc3339;

use super::signature::security;
use crate::domain::{BodyFormat, CallbackRule, Event, EventType, unix_millis};

/// The value of `host` in Easemob's envelope, where the vendor names one of its own machines.
const HOST: &str = "befriend";

/// Renders the body of an event in a rule's format. It is the same in every attempt, unless the rule's format
/// or secret changes in between.
#[must_use]
pub fn render(rule: &CallbackRule, app_key: &str, event: &Event) -> Vec<u8> {
    let body = match rule.body_format {
        BodyFormat::Standard => serde_json::to_vec(&Standard::of(app_key, event)),
        BodyFormat::Easemob => {
            serde_json::to_vec(&Easemob::of(rule.secret.reveal(), app_key, event))
        }
    };
    body.expect("strings and numbers can be written as JSON")
}

#[derive(Serialize)]
struct Standard<'a> {
    r#type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    app: &'a str,
    owner: &'a str,
    friend: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    version: i64,
}

impl<'a> Standard<'a> {
    fn of(app_key: &'a str, event: &'a Event) -> Self {
        let (remark, message) = match event.event_type {
            Some(EventType::FriendRemarkSet) => (Some(event.detail.as_str()), None),
            Some(
                EventType::FriendRequestSent
                | EventType::FriendRequestAccepted
                | EventType::FriendRequestRejected
                | EventType::FriendRequestCancelled,
            ) => (None, Some(event.detail.as_str())),
            _ => (None, None),
        };
        Self {
            r#type: event.event_type.map_or("unknown", EventType::as_str),
            timestamp: event.created_at.format(&Rfc3339).unwrap_or_default(),
            data: Data {
                app: app_key,
                owner: event.owner.as_str(),
                friend: event.friend.as_str(),
                remark,
                message,
                version: event.id.version,
            },
        }
    }
}

/// Easemob's envelope, members in the vendor's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Easemob<'a> {
    #[serde(rename = "chat_type")]
    chat_type: &'static str,
    call_id: String,
    security: String,
    payload: Payload<'a>,
    host: &'static str,
    appkey: &'a str,
    from: &'a str,
    to: &'a str,
    event_type: &'static str,
    #[serde(rename = "msg_id")]
    msg_id: String,
    timestamp: i64,
}

/// The event in Easemob's envelope. The vendor publishes no sample for a remark: that shape is ours.
#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    WithReason { reason: &'a str, operation: &'static str },
    Remark { operation: &'static str, remark: &'a str },
    Removed { roster_ver: String, operation: &'static str },
    Block { operation: &'static str, status: Status },
    Bare { operation: &'static str },
}

#[derive(Serialize)]
struct Status {
    error_code: &'static str,
}

impl<'a> Easemob<'a> {
    fn of(secret: &str, app_key: &'a str, event: &'a Event) -> Self {
        let timestamp = unix_millis(event.created_at);
        let call_id = format!("{app_key}_{}", event.message_id);
        Self {
            chat_type: "roster",
            security: security(&call_id, secret, timestamp),
            call_id,
            payload: Payload::of(event),
            host: HOST,
            appkey: app_key,
            from: event.owner.as_str(),
            to: event.friend.as_str(),
            event_type: "chat",
            msg_id: event.message_id.to_string(),
            timestamp,
        }
    }
}

impl<'a> Payload<'a> {
    fn of(event: &'a Event) -> Self {
        let with_reason = |operation| Self::WithReason { reason: event.detail.as_str(), operation };
        let block = |operation| Self::Block { operation, status: Status { error_code: "ok" } };
        match event.event_type {
            Some(EventType::FriendAdded) => Self::WithReason { reason: "", operation: "add" },
            Some(EventType::FriendRemarkSet) => {
                Self::Remark { operation: "remark", remark: event.detail.as_str() }
            }
            Some(EventType::FriendRemoved) => {
                Self::Removed { roster_ver: roster_version(event), operation: "remove" }
            }
            Some(EventType::FriendRequestSent) => with_reason("request"),
            Some(EventType::FriendRequestAccepted) => with_reason("accept"),
            Some(EventType::FriendRequestRejected) => with_reason("decline"),
            Some(EventType::FriendRequestCancelled) => with_reason("cancel"),
            Some(EventType::BlockAdded) => block("ban"),
            Some(EventType::BlockRemoved) => block("allow"),
            Some(EventType::CallbackTest) => Self::Bare { operation: "test" },
            None => Self::Bare { operation: "unknown" },
        }
    }
}

/// 40 upper-case hexadecimal digits that differ for every version of the owner's list.
fn roster_version(event: &Event) -> String {
    let digest = Sha256::new()
        .chain_update(event.id.owner.as_uuid().as_bytes())
        .chain_update(event.id.version.to_be_bytes())
        .finalize();
    hex::encode_upper(&digest[..20])
}
