//! Users and their block lists.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    description::{accid_schema, response_schema},
    error::NetEaseError,
    form::Form,
};
use crate::{
    domain::{Nickname, Username},
    http::schema::{
        Schema, array, closed_object, constant, empty_array, object, one_value_of, string, text,
    },
    ops::{Call, blocks, users},
};

/// The longest token that a caller can choose for a user, in characters.
const MAX_TOKEN: usize = 128;

/// Creates a user. The token is returned, as the vendor does, and not stored: end users do not log
/// in to befriend.
pub(super) async fn create(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let accid = form.user("accid")?;
    let name = form.get("name").unwrap_or_default();
    let nickname = Nickname::parse("name", name)?;
    let token = match form.get("token") {
        Some(token) if token.chars().count() > MAX_TOKEN => {
            return Err(NetEaseError::parameter(format!(
                "token: must be at most {MAX_TOKEN} characters long"
            )));
        }
        Some(token) if !token.is_empty() => token.to_owned(),
        _ => Uuid::new_v4().simple().to_string(),
    };
    users::create(&call, &[(accid.clone(), nickname)]).await?;
    let info = json!({ "token": token, "accid": accid.as_str(), "name": name });
    Ok(json!({ "code": 200, "info": info }))
}

pub(super) fn create_form() -> Schema {
    let token = text(MAX_TOKEN).described("Returned and not stored.");
    object([("accid", accid_schema()), ("name?", text(Nickname::MAX_CHARS)), ("token?", token)])
}

pub(super) fn created_schema() -> Schema {
    let token = string().with("minLength", 1);
    let info = closed_object([("token", token), ("accid", string()), ("name", string())]);
    response_schema([("info", info)]).named("NUser")
}

/// Blocks or unblocks a user.
pub(super) async fn set_special_relation(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let (accid, target) = (form.user("accid")?, form.user("targetAcc")?);
    match form.number("relationType")? {
        1 => {}
        2 => return Err(NetEaseError::parameter("relationType 2: mute lists are not kept here")),
        _ => return Err(NetEaseError::parameter("relationType must be 1 or 2")),
    }
    // An absent value is 0: the vendor's Go SDK leaves zeros out.
    match form.number_or("value", 0)? {
        1 => drop(blocks::block(&call, &accid, &[target]).await?),
        0 => drop(blocks::unblock(&call, &accid, &target).await?),
        _ => return Err(NetEaseError::parameter("value must be 0 or 1")),
    }
    Ok(json!({ "code": 200 }))
}

pub(super) fn special_relation_form() -> Schema {
    object([
        ("accid", accid_schema()),
        ("targetAcc", accid_schema()),
        ("relationType", constant(1)),
        ("value?", one_value_of(&[0, 1])),
    ])
}

/// The whole block list, the newest first. Mute lists are not kept, so the mute list is always
/// empty.
pub(super) async fn list_black_and_mute_list(
    form: Form,
    call: Call,
) -> Result<Value, NetEaseError> {
    let accid = form.user("accid")?;
    let blocked = blocks::list_whole(&call, &accid).await?;
    let blocked: Vec<&str> = blocked.iter().map(Username::as_str).collect();
    Ok(json!({ "code": 200, "mutelist": [], "blacklist": blocked }))
}

pub(super) fn lists_form() -> Schema {
    object([("accid", accid_schema())])
}

pub(super) fn lists_schema() -> Schema {
    let lists = [("mutelist", empty_array()), ("blacklist", array(string()))];
    response_schema(lists).named("NLists")
}
