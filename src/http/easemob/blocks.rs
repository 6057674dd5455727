//! Block lists.

use serde_json::{Value, json};

use super::{
    description::username_schema,
    error::{EasemobError, duration_schema},
    request::{EasemobRequest, bounded_strings, page_size_schema, usernames},
    response::{changed, cursor_schema, entity},
};
use crate::{
    domain::{PageSizes, Username},
    http::{
        openapi::Parameter,
        schema::{
            Schema, array, bounded_array, closed_object, constant, empty_array, integer,
            milliseconds, object, string, uuid,
        },
    },
    ops::{Call, blocks, users},
    page_token,
};

pub(super) async fn block(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let names = names(&request, &call)?;
    let blocked = blocks::block(&call, &owner, &names).await?;
    let blocked: Vec<&str> = blocked.iter().map(Username::as_str).collect();
    Ok(json!({
        "action": "post",
        "application": call.app.id.to_string(),
        // The app's own address, as in the vendor's sample.
        "uri": request.uri(""),
        "entities": [],
        "data": blocked,
        "timestamp": request.timestamp(),
        "duration": request.duration(),
        "organization": request.key.org(),
        "applicationName": request.key.app(),
    }))
}

pub(super) fn blocked_schema() -> Schema {
    closed_object([
        ("action", constant("post")),
        ("application", uuid()),
        ("uri", string()),
        ("entities", empty_array()),
        ("data", array(string())),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("organization", string()),
        ("applicationName", string()),
    ])
    .named("Blocked")
}

pub(super) async fn unblock(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let (owner, blocked) = (request.user("owner")?, request.user("blocked")?);
    let (user, _) = users::get(&call, &owner).await?;
    let released = blocks::unblock(&call, &owner, &blocked).await?;
    let path = format!("/users/{}/blocks", user.uuid);
    Ok(changed(&request, &call, "delete", &path, &[entity(&released)]))
}

/// Unblocks several users, which only the vendor's first SDKs do.
pub(super) async fn unblock_all(
    request: EasemobRequest,
    call: Call,
) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let names = names(&request, &call)?;
    let (user, _) = users::get(&call, &owner).await?;
    let released = blocks::unblock_all(&call, &owner, &names).await?;
    let released: Vec<Value> = released.iter().map(entity).collect();
    let path = format!("/users/{}/blocks", user.uuid);
    Ok(changed(&request, &call, "delete", &path, &released))
}

/// The users whom the body names.
fn names(request: &EasemobRequest, call: &Call) -> Result<Vec<Username>, EasemobError> {
    let max = call.core.bounds.block_names;
    usernames("usernames", &bounded_strings(&request.object()?, "usernames", max)?)
}

pub(super) fn names_body_schema(max: usize) -> Schema {
    object([("usernames", bounded_array(username_schema(), max))]).named("NamesToBlock")
}

/// A page; without page size and cursor the newest of all.
pub(super) async fn list(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let owner = request.user("owner")?;
    let (size, cursor) = (request.query_value("pageSize"), request.query_value("cursor"));
    let (names, count, cursor) = if size.is_none() && cursor.is_none() {
        let blocked = blocks::list_all(&call, &owner).await?;
        (blocked.newest, usize::try_from(blocked.count).unwrap_or(0), None)
    } else {
        let size = request.page_size("pageSize", call.core.bounds.block_pages)?;
        let tokens = page_token::blocks(call.app.id, &owner);
        let before = tokens.read(cursor.unwrap_or_default())?;
        let page = blocks::list(&call, &owner, before, size).await?;
        let count = page.items.len();
        (page.items, count, page.next.map(|next| tokens.write(Some(next))))
    };
    let mut answer = json!({
        "uri": request.own_uri(),
        "timestamp": request.timestamp(),
        "entities": [],
    });
    // The vendor writes the cursor here, in the middle, and leaves it out on the last page.
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    answer["count"] = count.into();
    answer["action"] = "get".into();
    answer["data"] = names.iter().map(Username::as_str).collect();
    answer["duration"] = request.duration().into();
    Ok(answer)
}

pub(super) fn list_parameters(sizes: PageSizes) -> [Parameter; 2] {
    let page_size = format!("How many at most; {} unless given.", sizes.default);
    [
        Parameter::optional("pageSize", page_size, page_size_schema(sizes)),
        Parameter::optional("cursor", "The cursor of the page before.", string()),
    ]
}

pub(super) fn page_schema() -> Schema {
    closed_object([
        ("uri", string()),
        ("timestamp", milliseconds()),
        ("entities", empty_array()),
        ("cursor?", cursor_schema()),
        ("count", integer()),
        ("action", constant("get")),
        ("data", array(string()).described("The newest first.")),
        ("duration", duration_schema()),
    ])
    .named("BlocksPage")
}
