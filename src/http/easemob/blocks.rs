//! Block lists.

use serde_json::{Value, json};

use super::{
    error::EasemobError,
    request::{EasemobRequest, bounded_strings, usernames},
    response::{changed, entity},
};
use crate::{
    domain::Username,
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
