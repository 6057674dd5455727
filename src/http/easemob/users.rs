//! Users: to register, to look up, to delete.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    answer::{Asked, entity},
    refusal::Refusal,
};
use crate::{
    domain::{Error, Nickname, User, Username},
    ops::{Call, users},
    page_token::{self, Binding},
};

/// Creates the user of an object, or the users of an array: all or none.
pub(super) async fn create(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let max = call.core.bounds.batch_users;
    let body = asked.json()?;
    let wanted = match &body {
        Value::Array(list) if list.len() > max => {
            return Err(Refusal::illegal(format!(
                "Request body array size[{}] had almost reached or been greater than the upper \
                 range value[{max}]",
                list.len()
            )));
        }
        Value::Array(list) if list.is_empty() => {
            return Err(Refusal::illegal("the array must not be empty"));
        }
        Value::Array(list) => list.iter().map(new_user).collect::<Result<Vec<_>, _>>()?,
        one => vec![new_user(one)?],
    };
    let created = users::create(&call, &wanted).await?;
    let mut answer = done(&asked, &call, "post", &created);
    if body.is_array() {
        // Where the vendor tells who was left out: nobody is. It stands before the duration.
        if let Some(members) = answer.as_object_mut() {
            let at = members.keys().position(|name| name == "duration").unwrap_or(0);
            members.shift_insert(at, "data".to_owned(), json!([]));
        }
    }
    Ok(answer)
}

/// The answer that most changes of users have.
fn done(asked: &Asked, call: &Call, action: &str, changed: &[User]) -> Value {
    let entities: Vec<Value> = changed.iter().map(entity).collect();
    let mut answer = asked.done(call, action, "/users", &entities);
    answer["count"] = entities.len().into();
    answer
}

/// Takes a password for an existing user, and forgets it.
pub(super) async fn set_password(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let username = asked.user("username")?;
    if !asked.object()?.get("newpassword").is_some_and(Value::is_string) {
        return Err(Refusal::illegal("newpassword is required"));
    }
    users::get(&call, &username).await?;
    Ok(json!({
        "action": "set user password",
        "timestamp": asked.timestamp(),
        "duration": asked.duration(),
    }))
}

/// A user to create. A password is taken and forgotten: nobody logs in here.
fn new_user(user: &Value) -> Result<(Username, Nickname), Refusal> {
    let Value::Object(members) = user else {
        return Err(Refusal::illegal("a user must be a JSON object"));
    };
    let username = match members.get("username") {
        Some(Value::String(name)) => Username::parse("username", name)?,
        None | Some(Value::Null) => return Err(Refusal::illegal("username must be provided")),
        Some(_) => return Err(Refusal::illegal("username must be a string")),
    };
    Ok((username, nickname(members)?.unwrap_or_default()))
}

fn nickname(members: &Map<String, Value>) -> Result<Option<Nickname>, Refusal> {
    match members.get("nickname") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(nickname)) => Ok(Some(Nickname::parse("nickname", nickname)?)),
        Some(_) => Err(Refusal::illegal("nickname must be a string")),
    }
}

pub(super) async fn get(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let username = asked.user("username")?;
    let (user, _) = users::get(&call, &username).await?;
    Ok(json!({
        "action": "get",
        "path": "/users",
        "uri": asked.own_uri(),
        "entities": [entity(&user)],
        "timestamp": asked.timestamp(),
        "duration": asked.duration(),
        "count": 1,
    }))
}

pub(super) async fn list(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let (found, cursor) = page(&asked, &call).await?;
    let entities: Vec<Value> = found.iter().map(entity).collect();
    let mut answer = json!({ "action": "get" });
    let given = |name: &str| asked.param(name).map(|value| (name.to_owned(), json!([value])));
    let params: Map<String, Value> = ["cursor", "limit"].into_iter().filter_map(given).collect();
    if !params.is_empty() {
        answer["params"] = params.into();
    }
    answer["path"] = "/users".into();
    answer["uri"] = asked.own_uri().into();
    let count = entities.len();
    answer["entities"] = entities.into();
    answer["timestamp"] = asked.timestamp().into();
    answer["duration"] = asked.duration().into();
    // There is none on the last page: clients go on until then.
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    answer["count"] = count.into();
    Ok(answer)
}

/// Deletes the users of a page, as many as the call has time for: the cursor goes on behind the last
/// of them.
pub(super) async fn delete_page(asked: Asked, call: Call) -> Result<Value, Refusal> {
    // A client that lost a user's name on the way must not delete whoever comes first.
    if asked.param("limit").is_none() {
        return Err(Refusal::illegal("limit must be provided"));
    }
    let (found, mut cursor) = page(&asked, &call).await?;
    // Each user may take half of what is left; so much is kept for the answer.
    let enough = Instant::now() + call.deadline.saturating_duration_since(Instant::now()) / 2;
    let mut deleted = Vec::with_capacity(found.len());
    let mut last = None;
    for user in &found {
        if last.is_some() && Instant::now() >= enough {
            cursor = last.map(|last| cursor_after(&call, last));
            break;
        }
        match users::delete(&call, &user.username).await {
            Ok(user) => deleted.push(user),
            // Somebody else was faster.
            Err(Error::UserNotFound(_)) => {}
            Err(error) if last.is_none() => return Err(error.into()),
            // Who is deleted is told; whoever repeats the call with the cursor learns what is wrong.
            Err(error) => {
                tracing::warn!(%error, "a page of users was deleted in part");
                cursor = last.map(|last| cursor_after(&call, last));
                break;
            }
        }
        last = Some(&user.username);
    }
    let mut answer = done(&asked, &call, "delete", &deleted);
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    Ok(answer)
}

/// A page of users, and the cursor of the next one; there is none on the last page.
async fn page(asked: &Asked, call: &Call) -> Result<(Vec<User>, Option<String>), Refusal> {
    let sizes = call.core.bounds.user_pages;
    // The vendor gives its largest page to whoever asks for more, and its clients do; for 0 its
    // default.
    let limit = asked.size("limit", sizes)?.unwrap_or(0);
    let size = sizes.choose(limit.min(sizes.max))?;
    let cursor = asked.param("cursor").unwrap_or_default();
    let after: String = page_token::read(binding(call), cursor)?;
    let page = users::list(call, &after, size).await?;
    Ok((page.items, page.next.map(|next| page_token::write(binding(call), Some(next)))))
}

fn binding(call: &Call) -> Binding<'static> {
    Binding { call: "UserService/ListUsers", app: Some(call.app.id), owner: "" }
}

/// The cursor of the page behind a user.
fn cursor_after(call: &Call, username: &Username) -> String {
    page_token::write(binding(call), Some(username.as_str().to_owned()))
}

pub(super) async fn set_nickname(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let username = asked.user("username")?;
    let nickname =
        nickname(&asked.object()?)?.ok_or_else(|| Refusal::illegal("nickname must be provided"))?;
    let user = users::set_nickname(&call, &username, &nickname).await?;
    Ok(done(&asked, &call, "put", &[user]))
}

pub(super) async fn delete(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let user = users::delete(&call, &asked.user("username")?).await?;
    Ok(done(&asked, &call, "delete", &[user]))
}

pub(super) async fn activate(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let user = users::set_activated(&call, &asked.user("username")?, true).await?;
    Ok(switched(&asked, "activate user", &user))
}

pub(super) async fn deactivate(asked: Asked, call: Call) -> Result<Value, Refusal> {
    let user = users::set_activated(&call, &asked.user("username")?, false).await?;
    Ok(switched(&asked, "Deactivate user", &user))
}

/// The answer to a user's being let in or shut out.
fn switched(asked: &Asked, action: &str, user: &User) -> Value {
    json!({
        "action": action,
        "entities": [entity(user)],
        "timestamp": asked.timestamp(),
        "duration": asked.duration(),
        "count": 1,
    })
}
