//! Friends: add, request, accept, reject, update, remove, read.

use serde_json::{Value, json};

use super::{
    description::{accid_schema, error_schema, response_schema, success_schema},
    error::NetEaseError,
    form::Form,
};
use crate::{
    domain::{
        EntryChange, Error, Extension, Friend, Remark, RequestMessage, Username, from_unix_millis,
        unix_millis,
    },
    http::schema::{
        Schema, array, boolean, closed_object, constant, integer, milliseconds, nullable_string,
        object, one_of, string, text,
    },
    ops::{Call, friends, requests},
};

/// Makes two users friends, or sends, accepts or rejects a friend request.
pub(super) async fn add(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let (accid, faccid) = pair(&form)?;
    let message = RequestMessage::parse("msg", form.get("msg").unwrap_or_default())?;
    let extension = Extension::parse("serverex", form.get("serverex").unwrap_or_default())?;
    match form.number("type")? {
        1 => drop(friends::add(&call, &accid, &faccid, &extension).await?),
        2 => drop(requests::send(&call, &accid, &faccid, &message).await?),
        // Without a request the two become friends all the same, as they do with the vendor.
        3 => {
            requests::accept_or_befriend(&call, &faccid, &accid, &message, &extension).await?;
        }
        4 => drop(requests::reject(&call, &faccid, &accid, &message).await?),
        _ => return Err(NetEaseError::parameter("type must be 1, 2, 3 or 4")),
    }
    Ok(json!({ "code": 200 }))
}

pub(super) fn add_form() -> Schema {
    object([
        ("accid", accid_schema()),
        ("faccid", accid_schema()),
        ("type", integer().with("minimum", 1).with("maximum", 4)),
        ("msg?", text(RequestMessage::MAX_CHARS)),
        ("serverex?", text(Extension::MAX_CHARS)),
    ])
}

/// Updates the owner's entry: members that are absent stay, members that are empty are cleared.
pub(super) async fn update(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let (accid, faccid) = pair(&form)?;
    let extension =
        |name: &'static str| form.get(name).map(|text| Extension::parse(name, text)).transpose();
    let change = EntryChange {
        remark: form.get("alias").map(|alias| Remark::parse_alias("alias", alias)).transpose()?,
        extension: extension("ex")?,
        server_extension: extension("serverex")?,
    };
    friends::update(&call, &accid, &faccid, &change).await?;
    Ok(json!({ "code": 200 }))
}

pub(super) fn update_form() -> Schema {
    object([
        ("accid", accid_schema()),
        ("faccid", accid_schema()),
        ("alias?", text(Remark::MAX_ALIAS_CHARS)),
        ("ex?", text(Extension::MAX_CHARS)),
        ("serverex?", text(Extension::MAX_CHARS)),
    ])
}

pub(super) async fn delete(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let (accid, faccid) = pair(&form)?;
    let clear_remark = form.flag("isDeleteAlias")?;
    friends::remove(&call, &accid, &faccid, clear_remark).await?;
    Ok(json!({ "code": 200 }))
}

pub(super) fn delete_form() -> Schema {
    object([("accid", accid_schema()), ("faccid", accid_schema()), ("isDeleteAlias?", boolean())])
}

/// All entries that changed after `updatetime`, which the vendor's own sample calls `createtime`;
/// without either, all entries.
pub(super) async fn get(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let accid = form.user("accid")?;
    let since = if form.get("updatetime").is_some() { "updatetime" } else { "createtime" };
    // No entry is older than the epoch.
    let millis = form.number_or(since, 0)?.max(0);
    let after = from_unix_millis(millis).ok_or_else(|| {
        NetEaseError::parameter(format!("{since} must be a time in milliseconds"))
    })?;
    let changed = friends::updated_after(&call, &accid, after).await?;
    let entries: Vec<Value> = changed.iter().map(entry).collect();
    Ok(json!({ "code": 200, "size": entries.len(), "friends": entries }))
}

pub(super) fn get_form() -> Schema {
    object([
        ("accid", accid_schema()),
        ("updatetime?", integer()),
        ("createtime?", integer().described("In place of updatetime.")),
    ])
}

pub(super) fn list_schema() -> Schema {
    let entry = closed_object([
        ("createtime", milliseconds()),
        ("bidirection", boolean()),
        ("faccid", string()),
        ("alias?", string()),
        ("ex?", string()),
        ("serverex?", string()),
        ("updatetime?", milliseconds()),
    ]);
    response_schema([("size", integer()), ("friends", array(entry))]).named("NFriends")
}

/// An entry of a list. Members without a value are left out.
fn entry(friend: &Friend) -> Value {
    let mut entry = json!({
        "createtime": unix_millis(friend.created_at),
        "bidirection": friend.bidirectional,
        "faccid": friend.username.as_str(),
    });
    let texts = [
        ("alias", &friend.remark),
        ("ex", &friend.extension),
        ("serverex", &friend.server_extension),
    ];
    for (name, text) in texts {
        if !text.is_empty() {
            entry[name] = text.as_str().into();
        }
    }
    if friend.updated_at != friend.created_at {
        entry["updatetime"] = unix_millis(friend.updated_at).into();
    }
    entry
}

pub(super) async fn get_by_accid(form: Form, call: Call) -> Result<Value, NetEaseError> {
    let (accid, faccid) = pair(&form)?;
    let friend = match friends::get(&call, &accid, &faccid).await {
        Err(Error::NotFriends { .. }) => return Err(NetEaseError::not_friends()),
        other => other?,
    };
    let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut entry = json!({
        "createtime": unix_millis(friend.created_at),
        "ex": set(&friend.extension),
        "bidirection": friend.bidirectional,
        "faccid": friend.username.as_str(),
        "serverex": set(&friend.server_extension),
        "updatetime": unix_millis(friend.updated_at),
    });
    if let Some(alias) = set(&friend.remark) {
        entry["alias"] = alias.into();
    }
    Ok(json!({ "code": 200, "friend": entry }))
}

pub(super) fn get_by_accid_form() -> Schema {
    object([("accid", accid_schema()), ("faccid", accid_schema())])
}

pub(super) fn friend_schema() -> Schema {
    let entry = closed_object([
        ("createtime", milliseconds()),
        ("ex", nullable_string()),
        ("bidirection", boolean()),
        ("faccid", string()),
        ("serverex", nullable_string()),
        ("updatetime", milliseconds()),
        ("alias?", string()),
    ]);
    let not_friends = closed_object([("code", constant(404))]);
    one_of([
        success_schema([("friend", entry)]),
        error_schema(),
        not_friends.described("They are not friends."),
    ])
    .named("NFriend")
}

fn pair(form: &Form) -> Result<(Username, Username), NetEaseError> {
    Ok((form.user("accid")?, form.user("faccid")?))
}
