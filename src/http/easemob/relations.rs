//! Relations of a user to each of a list: who is a friend, who is blocked.

use serde_json::{Value, json};

use super::{
    description::username_schema,
    error::EasemobError,
    request::{EasemobRequest, strings, usernames},
    response::{changed, changed_schema},
};
use crate::{
    domain::{Relation, Username},
    http::schema::{Schema, bounded_array, closed_object, object, one_value_of, string},
    ops::{Call, relations},
};

pub(super) async fn check_friends(
    request: EasemobRequest,
    call: Call,
) -> Result<Value, EasemobError> {
    check(&request, &call, |found| if found.is_friend { "friend" } else { "not_friend" }).await
}

pub(super) async fn check_blocks(
    request: EasemobRequest,
    call: Call,
) -> Result<Value, EasemobError> {
    check(&request, &call, |found| if found.blocks { "blacklist" } else { "not_blacklist" }).await
}

/// Responds with the relation to each user of the list, in the vendor's words.
async fn check(
    request: &EasemobRequest,
    call: &Call,
    relation: fn(Relation) -> &'static str,
) -> Result<Value, EasemobError> {
    let members = request.object()?;
    let username = match members.get("username").and_then(Value::as_str) {
        Some(username) if !username.is_empty() => Username::parse("username", username)?,
        _ => return Err(EasemobError::illegal_argument("username cannot be blank")),
    };
    let names = strings(&members, "check_list")?;
    let max = call.core.bounds.check_names;
    if names.is_empty() || names.len() > max {
        let why = format!("check_list size must be between 1 and {max}");
        return Err(EasemobError::illegal_argument(why));
    }
    let others = usernames("check_list", &names)?;
    let relations = relations::check(call, &username, &others).await?;
    let entities: Vec<Value> = others
        .iter()
        .zip(relations)
        .map(|(other, found)| json!({ "username": other.as_str(), "relation": relation(found) }))
        .collect();
    Ok(changed(request, call, "post", request.path(), &entities))
}

pub(super) fn check_body_schema(max: usize) -> Schema {
    let check_list = bounded_array(username_schema(), max);
    object([("username", username_schema()), ("check_list", check_list)]).named("CheckList")
}

pub(super) fn checked_schema() -> Schema {
    let relation = one_value_of(&["friend", "not_friend", "blacklist", "not_blacklist"]);
    let entity = closed_object([("username", string()), ("relation", relation)]);
    changed_schema("post", entity, []).named("Checked")
}
