//! Block lists.

use serde_json::{Value, json};

use super::answer::{Asked, entity, texts, usernames};
use super::contacts::check_list;
use super::refusal::Refusal;
use crate::{
    domain::{Invalid, Username},
    ops::{Call, blocks, users},
    page_token::{self, Binding},
};

pub(super) async fn block(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let names = names(&asked, &call)?;
    let blocked = blocks::block(&call, &owner, &names).await?;
    let blocked: Vec<&str> = blocked.iter().map(Username::as_str).collect();
    Ok(json!({
        "action": "post",
        "application": call.app.id.to_string(),
        // As the vendor's sample has it: the app's own address.
        "uri": asked.uri(""),
        "entities": [],
        "data": blocked,
        "timestamp": asked.timestamp(),
        "duration": asked.duration(),
        "organization": asked.org(),
        "applicationName": asked.app_name(),
    }))
}

pub(super) async fn unblock(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let (owner, blocked) = (asked.user("owner")?, asked.user("blocked")?);
    let (user, _) = users::get(&call, &owner).await?;
    let released = blocks::unblock(&call, &owner, &blocked).await?;
    let path = format!("/users/{}/blocks", user.uuid);
    Ok(asked.done(&call, "delete", &path, &[entity(&released)]))
}

/// Unblocks the users of a list, as the vendor's first SDKs ask for it.
pub(super) async fn unblock_all(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let names = names(&asked, &call)?;
    let (user, _) = users::get(&call, &owner).await?;
    let released = blocks::unblock_all(&call, &owner, &names).await?;
    let released: Vec<Value> = released.iter().map(entity).collect();
    let path = format!("/users/{}/blocks", user.uuid);
    Ok(asked.done(&call, "delete", &path, &released))
}

/// The users that the body names.
fn names(asked: &Asked, call: &Call) -> Result<Vec<Username>, Refusal> {
    let names = texts(&asked.object()?, "usernames")?;
    let max = call.core.bounds.block_names;
    if names.is_empty() {
        return Err(Refusal::illegal("usernames must not be empty"));
    }
    if names.len() > max {
        return Err(Invalid::BatchTooLarge { field: "usernames", max }.into());
    }
    usernames("usernames", &names)
}

/// A page, or the newest of all when neither a page's size nor a cursor is given.
pub(super) async fn list(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let owner = asked.user("owner")?;
    let (names, count, cursor) = match (asked.param("pageSize"), asked.param("cursor")) {
        (None, None) => {
            let blocked = blocks::list_all(&call, &owner).await?;
            (blocked.newest, usize::try_from(blocked.count).unwrap_or(0), None)
        }
        (_, cursor) => {
            let size = asked.page_size("pageSize", call.core.bounds.block_pages)?;
            let binding = Binding {
                call: "BlockService/ListBlockedUsers",
                app: Some(call.app.id),
                owner: owner.as_str(),
            };
            let before: i64 = page_token::read(binding, cursor.unwrap_or_default())?;
            let page = blocks::list(&call, &owner, before, size).await?;
            let cursor = page.next.map(|next| page_token::write(binding, Some(next)));
            let count = page.items.len();
            (page.items, count, cursor)
        }
    };
    let mut answer = json!({
        "uri": asked.own_uri(),
        "timestamp": asked.timestamp(),
        "entities": [],
    });
    // It stands here, in the middle, and is not there on the last page.
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    answer["count"] = count.into();
    answer["action"] = "get".into();
    answer["data"] = names.iter().map(Username::as_str).collect();
    answer["duration"] = asked.duration().into();
    Ok(answer)
}

pub(super) async fn check(asked: Asked, call: Call) -> Result<Value, Refusal> {
    check_list(
        &asked,
        &call,
        |relation| {
            if relation.blocks { "blacklist" } else { "not_blacklist" }
        },
    )
    .await
}
