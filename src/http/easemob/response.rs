//! What the responses of several routes have in common.

use serde_json::{Value, json};

use super::{error::duration_schema, request::EasemobRequest};
use crate::{
    domain::{User, unix_millis},
    http::schema::{
        Schema, array, boolean, closed_object, constant, empty_array, integer, milliseconds,
        string, uuid,
    },
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

/// The schema of [`changed`], with the schema of an entity and further members.
pub(super) fn changed_schema(
    action: &str,
    entity: Schema,
    further: impl IntoIterator<Item = (&'static str, Schema)>,
) -> Schema {
    let members = [
        ("action", constant(action)),
        ("application", uuid()),
        ("path", string()),
        ("uri", string()),
        ("entities", array(entity)),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("organization", string()),
        ("applicationName", string()),
    ];
    closed_object(members.into_iter().chain(further))
}

/// The response of adding a friend and of creating users.
pub(super) fn posted_schema() -> Schema {
    let data =
        empty_array().described("When several users are created: those that were not, none.");
    changed_schema("post", entity_schema(), [("data?", data), ("count?", integer())])
        .named("Posted")
}

/// The response of changing a user.
pub(super) fn put_schema() -> Schema {
    changed_schema("put", entity_schema(), [("count?", integer())]).named("Put")
}

/// The response of everything that removes.
pub(super) fn deleted_schema() -> Schema {
    changed_schema("delete", entity_schema(), [("count?", integer()), ("cursor?", string())])
        .named("Deleted")
}

/// The cursor of a page's response.
pub(super) fn cursor_schema() -> Schema {
    let cursor = string().with("minLength", 1);
    cursor.described("Where the next page starts; absent on the last one.")
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

/// The schema of [`entity`].
pub(super) fn entity_schema() -> Schema {
    closed_object([
        ("uuid", uuid()),
        ("type", constant("user")),
        ("created", milliseconds()),
        ("modified", milliseconds()),
        ("username", string()),
        ("activated", boolean()),
        ("nickname?", string().described("Only when one is set.")),
    ])
    .described("A user.")
    .named("User")
}
