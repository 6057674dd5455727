//! Contacts: friends, remarks, imports.

use serde_json::{Value, json};

use super::answer::{Asked, entity, texts, usernames};
use super::refusal::Refusal;
use crate::{
    domain::{EntryChange, Error, Extension, Invalid, Remark, User, Username},
    ops::{Call, friends, imports, relations, users},
    page_token::{self, Binding},
};

pub(super) async fn add(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let (owner, friend) = (asked.user("owner")?, asked.user("friend")?);
    let path = contacts_path(&call, &owner).await?;
    let added = friends::add(&call, &owner, &friend, &Extension::default()).await?;
    Ok(asked.done(&call, "post", &path, &[entity(&added)]))
}

pub(super) async fn remove(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let (owner, friend) = (asked.user("owner")?, asked.user("friend")?);
    let path = contacts_path(&call, &owner).await?;
    let removed = friends::remove(&call, &owner, &friend, false).await?;
    Ok(asked.done(&call, "delete", &path, &[entity(&removed)]))
}

pub(super) async fn remove_all(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let (user, _) = users::get(&call, &owner).await?;
    friends::remove_all(&call, &owner).await?;
    let path = path_of(&user);
    Ok(asked.done(&call, "delete", &path, &[entity(&user)]))
}

/// The path that the vendor tells of an owner's contacts: by the owner's uuid.
async fn contacts_path(call: &Call, owner: &Username) -> Result<String, Refusal> {
    let (user, _) = users::get(call, owner).await?;
    Ok(path_of(&user))
}

fn path_of(owner: &User) -> String {
    format!("/users/{}/contacts", owner.uuid)
}

pub(super) async fn set_remark(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let (owner, friend) = (asked.user("owner")?, asked.user("friend")?);
    let members = asked.object()?;
    let remark = match members.get("remark") {
        Some(Value::String(remark)) => remark.as_str(),
        // What a page shows for none clears it.
        Some(Value::Null) => "",
        Some(_) => return Err(Refusal::illegal("remark must be a string")),
        None => return Err(Refusal::illegal("remark must be provided")),
    };
    let remark = Some(Remark::parse("remark", remark)?);
    let change = EntryChange { remark, ..EntryChange::default() };
    friends::update(&call, &owner, &friend, &change).await?;
    Ok(json!({
        "action": "put",
        "duration": asked.duration(),
        "status": "ok",
        "timestamp": asked.timestamp(),
        "uri": asked.own_uri(),
    }))
}

pub(super) async fn list(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let size = asked.page_size("limit", call.core.bounds.friend_pages)?;
    let with_remarks = asked.flag("needReturnRemark")?;
    let binding = Binding {
        call: "FriendService/ListFriends",
        app: Some(call.app.id),
        owner: owner.as_str(),
    };
    let after: String = page_token::read(binding, asked.param("cursor").unwrap_or_default())?;
    let page = friends::list(&call, &owner, &after, size).await?;
    let contact = |(remark, username): (String, Username)| {
        // The vendor tells "none" and "not asked for" alike.
        let remark = Some(remark).filter(|remark| with_remarks && !remark.is_empty());
        json!({ "remark": remark, "username": username.as_str() })
    };
    let entries = page.items.into_iter().map(|entry| (entry.remark, entry.username));
    let contacts: Vec<Value> = entries.map(contact).collect();
    let count = contacts.len();
    let mut data = json!({ "contacts": contacts });
    // The last page has no cursor at all.
    if page.next.is_some() {
        data["cursor"] = page_token::write(binding, page.next).into();
    }
    Ok(json!({
        "uri": asked.uri(&format!("/users/{owner}/rostersByPage")),
        "timestamp": asked.timestamp(),
        "entities": [],
        "count": count,
        "action": "get",
        "data": data,
        "duration": asked.duration(),
    }))
}

pub(super) async fn list_all(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let names = friends::list_all(&call, &owner).await?;
    let names: Vec<&str> = names.iter().map(Username::as_str).collect();
    Ok(json!({
        "action": "get",
        "uri": asked.own_uri(),
        "entities": [],
        "data": names,
        "timestamp": asked.timestamp(),
        "duration": asked.duration(),
        "count": names.len(),
    }))
}

pub(super) async fn import(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let notify = asked.flag("isSendNotice")?;
    let names = texts(&asked.object()?, "usernames")?;
    let max = call.core.bounds.import_names;
    if names.is_empty() {
        return Err(Refusal::illegal("usernames must not be empty"));
    }
    if names.len() > max {
        return Err(Invalid::BatchTooLarge { field: "usernames", max }.into());
    }
    let outcome = imports::import(&call, &owner, &names, notify).await;
    let outcome = outcome.map_err(|error| match error {
        Error::FriendLimitExceeded { .. } => Refusal::inviter_is_full(),
        other => other.into(),
    })?;
    Ok(json!({
        "status": "ok",
        "timestamp": asked.timestamp(),
        "action": "post",
        "data": {
            "UnKnowFailed": outcome.failed,
            "success": outcome.succeeded,
            "NotExistFailed": outcome.not_found,
            "maxLimitFailed": outcome.limit_exceeded,
        },
        "duration": asked.duration(),
    }))
}

pub(super) async fn check(asked: Asked, call: Call) -> Result<Value, Refusal> {
    check_list(&asked, &call, |relation| if relation.is_friend { "friend" } else { "not_friend" })
        .await
}

/// Answers how a user stands to each of a list, in the words of `relation`.
pub(super) async fn check_list(
    asked: &Asked,
    call: &Call,
    relation: impl Fn(crate::domain::Relation) -> &'static str,
) -> Result<Value, Refusal> {
    let members = asked.object()?;
    let Some(username) =
        members.get("username").and_then(Value::as_str).filter(|name| !name.is_empty())
    else {
        return Err(Refusal::illegal("username cannot be blank"));
    };
    let user = Username::parse("username", username)?;
    let names = texts(&members, "check_list")?;
    let max = call.core.bounds.check_names;
    if names.is_empty() || names.len() > max {
        return Err(Refusal::illegal(format!("check_list size must be between 1 and {max}")));
    }
    let others = usernames("check_list", &names)?;
    let relations = relations::check(call, &user, &others).await?;
    let entities: Vec<Value> = others
        .iter()
        .zip(relations)
        .map(|(other, found)| json!({ "username": other.as_str(), "relation": relation(found) }))
        .collect();
    Ok(asked.done(call, "post", asked.own_path(), &entities))
}
