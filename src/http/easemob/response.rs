//! What the responses of several routes have in common.

use serde_json::{Value, json};

use super::request::EasemobRequest;
use crate::{
    domain::{User, unix_millis},
    ops::Call,
};

/// The response that most changes have: what was done, to whom.
pub(super) fn changed(
    request: &EasemobRequest,
    call: &Call,
    action: &str,
    path: &str,
    entities: &[Value],
) -> Value {
    json!({
        "action": action,
        "application": call.app.id.to_string(),
        "path": path,
        "uri": request.uri(path),
        "entities": entities,
        "timestamp": request.timestamp(),
        "duration": request.duration(),
        "organization": request.key.org(),
        "applicationName": request.key.app(),
    })
}

/// A user. The nickname is there only if the user has one.
pub(super) fn entity(user: &User) -> Value {
    let mut entity = json!({
        "uuid": user.uuid.to_string(),
        "type": "user",
        "created": unix_millis(user.created_at),
        "modified": unix_millis(user.modified_at),
        "username": user.username.as_str(),
        "activated": user.activated,
    });
    if !user.nickname.is_empty() {
        entity["nickname"] = user.nickname.as_str().into();
    }
    entity
}
