//! Contacts: friends, remarks, imports.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    error::{EasemobError, duration_schema},
    request::{EasemobRequest, bounded_strings, page_size_schema},
    response::{changed, cursor_schema, entity},
};
use crate::{
    domain::{EntryChange, Error, Extension, PageSizes, Remark, Username},
    http::{
        openapi::Parameter,
        schema::{
            Schema, array, boolean, bounded_array, closed_object, constant, empty_array, integer,
            milliseconds, nullable_string, object, string,
        },
    },
    ops::{Call, friends, imports, users},
    page_token,
};

pub(super) async fn add(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let (owner, friend) = (request.user("owner")?, request.user("friend")?);
    let added = friends::add(&call, &owner, &friend, &Extension::default()).await?;
    let path = path_of(added.owner_uuid);
    Ok(changed(&request, &call, "post", &path, &[entity(&added.friend)]))
}

pub(super) async fn remove(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let (owner, friend) = (request.user("owner")?, request.user("friend")?);
    let removed = friends::remove(&call, &owner, &friend, false).await?;
    let path = path_of(removed.owner_uuid);
    Ok(changed(&request, &call, "delete", &path, &[entity(&removed.friend)]))
}

pub(super) async fn remove_all(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let (user, _) = users::get(&call, &owner).await?;
    friends::remove_all(&call, &owner).await?;
    let path = path_of(user.uuid);
    Ok(changed(&request, &call, "delete", &path, &[entity(&user)]))
}

/// The path of an owner's contacts in the vendor's responses, which hold the owner's uuid.
fn path_of(owner: Uuid) -> String {
    format!("/users/{owner}/contacts")
}

pub(super) async fn set_remark(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let (owner, friend) = (request.user("owner")?, request.user("friend")?);
    let members = request.object()?;
    let remark = match members.get("remark") {
        Some(Value::String(remark)) => remark.as_str(),
        // Listings show null for no remark, so null clears it.
        Some(Value::Null) => "",
        Some(_) => return Err(EasemobError::illegal_argument("remark must be a string")),
        None => return Err(EasemobError::illegal_argument("remark must be provided")),
    };
    let remark = Some(Remark::parse("remark", remark)?);
    let change = EntryChange { remark, ..EntryChange::default() };
    friends::update(&call, &owner, &friend, &change).await?;
    Ok(json!({
        "action": "put",
        "duration": request.duration(),
        "status": "ok",
        "timestamp": request.timestamp(),
        "uri": request.own_uri(),
    }))
}

pub(super) fn remark_body_schema() -> Schema {
    let remark = nullable_string().with("maxLength", Remark::MAX_CHARS);
    object([("remark", remark.described("An empty one clears it."))]).named("Remark")
}

pub(super) fn remark_set_schema() -> Schema {
    closed_object([
        ("action", constant("put")),
        ("duration", duration_schema()),
        ("status", constant("ok")),
        ("timestamp", milliseconds()),
        ("uri", string()),
    ])
    .named("RemarkSet")
}

pub(super) async fn list(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let size = request.page_size("limit", call.core.bounds.friend_pages)?;
    let with_remarks = request.flag("needReturnRemark")?;
    let tokens = page_token::friends(call.app.id, &owner);
    let after = tokens.read(request.query_value("cursor").unwrap_or_default())?;
    let page = friends::list(&call, &owner, &after, size).await?;
    let contact = |(remark, username): (String, Username)| {
        // The vendor's listings show null both for no remark and for remarks that were not requested.
        let remark = Some(remark).filter(|remark| with_remarks && !remark.is_empty());
        json!({ "remark": remark, "username": username.as_str() })
    };
    let entries = page.items.into_iter().map(|entry| (entry.remark, entry.username));
    let contacts: Vec<Value> = entries.map(contact).collect();
    let count = contacts.len();
    let mut data = json!({ "contacts": contacts });
    // The last page has no cursor at all.
    if page.next.is_some() {
        data["cursor"] = tokens.write(page.next).into();
    }
    Ok(json!({
        "uri": request.uri(&format!("/users/{owner}/rostersByPage")),
        "timestamp": request.timestamp(),
        "entities": [],
        "count": count,
        "action": "get",
        "data": data,
        "duration": request.duration(),
    }))
}

pub(super) fn list_parameters(sizes: PageSizes) -> [Parameter; 3] {
    let limit = format!("How many at most; {} unless given.", sizes.default);
    [
        Parameter::optional("limit", limit, page_size_schema(sizes)),
        Parameter::optional("cursor", "The cursor of the page before.", string()),
        Parameter::optional("needReturnRemark", "Whether to return remarks.", boolean()),
    ]
}

pub(super) fn page_schema() -> Schema {
    let contact = closed_object([("remark", nullable_string()), ("username", string())]);
    let data = closed_object([("contacts", array(contact)), ("cursor?", cursor_schema())]);
    closed_object([
        ("uri", string()),
        ("timestamp", milliseconds()),
        ("entities", empty_array()),
        ("count", integer()),
        ("action", constant("get")),
        ("data", data),
        ("duration", duration_schema()),
    ])
    .named("ContactsPage")
}

pub(super) async fn list_all(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let names = friends::list_all(&call, &owner).await?;
    let names: Vec<&str> = names.iter().map(Username::as_str).collect();
    Ok(json!({
        "action": "get",
        "uri": request.own_uri(),
        "entities": [],
        "data": names,
        "timestamp": request.timestamp(),
        "duration": request.duration(),
        "count": names.len(),
    }))
}

pub(super) fn all_schema() -> Schema {
    closed_object([
        ("action", constant("get")),
        ("uri", string()),
        ("entities", empty_array()),
        ("data", array(string())),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("count", integer()),
    ])
    .named("AllContacts")
}

pub(super) async fn import(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let notify = request.flag("isSendNotice")?;
    let max = call.core.bounds.import_names;
    let names = bounded_strings(&request.object()?, "usernames", max)?;
    let outcome = imports::import(&call, &owner, &names, notify).await;
    let outcome = outcome.map_err(|error| match error {
        Error::FriendLimitExceeded { .. } => EasemobError::inviter_is_full(),
        other => other.into(),
    })?;
    Ok(json!({
        "status": "ok",
        "timestamp": request.timestamp(),
        "action": "post",
        "data": {
            "UnKnowFailed": outcome.failed,
            "success": outcome.succeeded,
            "NotExistFailed": outcome.not_found,
            "maxLimitFailed": outcome.limit_exceeded,
        },
        "duration": request.duration(),
    }))
}

pub(super) fn notice_parameter() -> Parameter {
    Parameter::optional("isSendNotice", "Whether to send callbacks.", boolean())
}

pub(super) fn import_body_schema(max: usize) -> Schema {
    let name = string().described("One that no user can have is reported in UnKnowFailed.");
    object([("usernames", bounded_array(name, max))]).named("NamesToImport")
}

pub(super) fn imported_schema() -> Schema {
    let data = ["UnKnowFailed", "success", "NotExistFailed", "maxLimitFailed"];
    closed_object([
        ("status", constant("ok")),
        ("timestamp", milliseconds()),
        ("action", constant("post")),
        ("data", closed_object(data.map(|name| (name, array(string()))))),
        ("duration", duration_schema()),
    ])
    .named("Imported")
}
