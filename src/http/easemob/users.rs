//! Users: create, look up, change, delete.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    description::username_schema,
    error::{EasemobError, duration_schema},
    request::EasemobRequest,
    response::{changed, cursor_schema, entity, entity_schema},
};
use crate::{
    domain::{Error, Nickname, PageSizes, User, Username},
    http::{
        openapi::Parameter,
        schema::{
            Schema, array, bounded_array, closed_object, constant, integer, map, milliseconds,
            nullable_string, object, one_of, one_value_of, string, text,
        },
    },
    ops::{Call, users},
    page_token,
};

/// Creates the user of an object, or the users of an array: all or none.
pub(super) async fn create(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let max = call.core.bounds.batch_users;
    let body = request.json()?;
    let wanted = match &body {
        Value::Array(list) if list.len() > max => {
            return Err(EasemobError::illegal_argument(format!(
                "Request body array size[{}] had almost reached or been greater than the upper \
                 range value[{max}]",
                list.len()
            )));
        }
        Value::Array(list) if list.is_empty() => {
            return Err(EasemobError::illegal_argument("the array must not be empty"));
        }
        Value::Array(list) => list.iter().map(new_user).collect::<Result<Vec<_>, _>>()?,
        one => vec![new_user(one)?],
    };
    let created = users::create(&call, &wanted).await?;
    let mut answer = users_changed(&request, &call, "post", &created);
    if body.is_array() {
        // The vendor lists the users that were not created here, before the duration: there are
        // none.
        if let Some(members) = answer.as_object_mut() {
            let at = members.keys().position(|name| name == "duration").unwrap_or(0);
            members.shift_insert(at, "data".to_owned(), json!([]));
        }
    }
    Ok(answer)
}

/// One user or several.
pub(super) fn create_body_schema(max: usize) -> Schema {
    one_of([new_user_schema(), bounded_array(new_user_schema(), max)])
}

fn new_user_schema() -> Schema {
    let password =
        nullable_string().described("Accepted and not stored: end users do not log in here.");
    let members = [
        ("username", username_schema()),
        ("password?", password),
        ("nickname?", nullable_string().with("maxLength", Nickname::MAX_CHARS)),
    ];
    object(members).named("NewUser")
}

/// The response that most changes of users have.
fn users_changed(request: &EasemobRequest, call: &Call, action: &str, users: &[User]) -> Value {
    let entities: Vec<Value> = users.iter().map(entity).collect();
    let mut answer = changed(request, call, action, "/users", &entities);
    answer["count"] = entities.len().into();
    answer
}

/// Accepts a password for an existing user and does not store it: end users do not log in to
/// befriend.
pub(super) async fn set_password(
    request: EasemobRequest,
    call: Call,
) -> Result<Value, EasemobError> {
    let username = request.user("username")?;
    if !request.object()?.get("newpassword").is_some_and(Value::is_string) {
        return Err(EasemobError::illegal_argument("newpassword is required"));
    }
    users::get(&call, &username).await?;
    Ok(json!({
        "action": "set user password",
        "timestamp": request.timestamp(),
        "duration": request.duration(),
    }))
}

pub(super) fn password_body_schema() -> Schema {
    object([("newpassword", string())])
}

pub(super) fn password_set_schema() -> Schema {
    closed_object([
        ("action", constant("set user password")),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
    ])
    .named("Done")
}

/// A user to create. A password is accepted and not stored: end users do not log in to befriend.
fn new_user(user: &Value) -> Result<(Username, Nickname), EasemobError> {
    let Value::Object(members) = user else {
        return Err(EasemobError::illegal_argument("a user must be a JSON object"));
    };
    let username = match members.get("username") {
        Some(Value::String(name)) => Username::parse("username", name)?,
        None | Some(Value::Null) => {
            return Err(EasemobError::illegal_argument("username must be provided"));
        }
        Some(_) => return Err(EasemobError::illegal_argument("username must be a string")),
    };
    if !matches!(members.get("password"), None | Some(Value::Null | Value::String(_))) {
        return Err(EasemobError::illegal_argument("password must be a string"));
    }
    Ok((username, nickname(members)?.unwrap_or_default()))
}

fn nickname(members: &Map<String, Value>) -> Result<Option<Nickname>, EasemobError> {
    match members.get("nickname") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(nickname)) => Ok(Some(Nickname::parse("nickname", nickname)?)),
        Some(_) => Err(EasemobError::illegal_argument("nickname must be a string")),
    }
}

pub(super) async fn get(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let username = request.user("username")?;
    let (user, _) = users::get(&call, &username).await?;
    Ok(json!({
        "action": "get",
        "path": "/users",
        "uri": request.own_uri(),
        "entities": [entity(&user)],
        "timestamp": request.timestamp(),
        "duration": request.duration(),
        "count": 1,
    }))
}

pub(super) fn found_schema() -> Schema {
    closed_object([
        ("action", constant("get")),
        ("path", string()),
        ("uri", string()),
        ("entities", one_entity()),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("count", constant(1)),
    ])
    .named("UserFound")
}

fn one_entity() -> Schema {
    bounded_array(entity_schema(), 1)
}

pub(super) async fn list(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let (found, cursor) = page(&request, &call).await?;
    let entities: Vec<Value> = found.iter().map(entity).collect();
    let mut answer = json!({ "action": "get" });
    let given =
        |name: &str| request.query_value(name).map(|value| (name.to_owned(), json!([value])));
    let params: Map<String, Value> = ["cursor", "limit"].into_iter().filter_map(given).collect();
    if !params.is_empty() {
        answer["params"] = params.into();
    }
    answer["path"] = "/users".into();
    answer["uri"] = request.own_uri().into();
    let count = entities.len();
    answer["entities"] = entities.into();
    answer["timestamp"] = request.timestamp().into();
    answer["duration"] = request.duration().into();
    // The last page has none: clients read pages until the cursor is missing.
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    answer["count"] = count.into();
    Ok(answer)
}

pub(super) fn list_parameters(sizes: PageSizes) -> [Parameter; 2] {
    let PageSizes { max, default } = sizes;
    let limit = format!("How many at most: {default} unless given, {max} for more than that.");
    [Parameter::optional("limit", limit, limit_schema()), cursor_parameter()]
}

fn limit_schema() -> Schema {
    integer().with("minimum", 0)
}

fn cursor_parameter() -> Parameter {
    Parameter::optional("cursor", "The cursor of the page before.", string())
}

pub(super) fn page_schema() -> Schema {
    closed_object([
        ("action", constant("get")),
        ("params?", map(array(string()))),
        ("path", string()),
        ("uri", string()),
        ("entities", array(entity_schema())),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("cursor?", cursor_schema()),
        ("count", integer()),
    ])
    .named("UsersPage")
}

/// Deletes the users of a page, as many as the call has time for: the next page of the cursor
/// begins after the last of them.
pub(super) async fn delete_page(
    request: EasemobRequest,
    call: Call,
) -> Result<Value, EasemobError> {
    // "DELETE /users/" with an empty username must not delete the first page of users.
    if request.query_value("limit").is_none() {
        return Err(EasemobError::illegal_argument("limit must be provided"));
    }
    let (found, mut cursor) = page(&request, &call).await?;
    // No user is begun in the second half of the time that is left, so that the response is in
    // time.
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
            // Another call has deleted the user.
            Err(Error::UserNotFound(_)) => {}
            Err(error) if last.is_none() => return Err(error.into()),
            // The response lists the users that are deleted; a call with its cursor meets the error
            // again.
            Err(error) => {
                tracing::warn!(%error, "a page of users was deleted in part");
                cursor = last.map(|last| cursor_after(&call, last));
                break;
            }
        }
        last = Some(&user.username);
    }
    let mut answer = users_changed(&request, &call, "delete", &deleted);
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    Ok(answer)
}

pub(super) fn delete_page_parameters(sizes: PageSizes) -> [Parameter; 2] {
    let PageSizes { max, default } = sizes;
    let limit = format!("How many at most: {default} for 0, {max} for more than that.");
    [Parameter::required("query", "limit", limit, limit_schema()), cursor_parameter()]
}

/// A page of users, and the cursor of the next page, if there is one.
async fn page(
    request: &EasemobRequest,
    call: &Call,
) -> Result<(Vec<User>, Option<String>), EasemobError> {
    let sizes = call.core.bounds.user_pages;
    // Clients ask for more than the largest page, and the vendor gives them the largest; for 0 it
    // gives the default.
    let limit = request.size("limit", sizes)?.unwrap_or(0);
    let size = sizes.choose(limit.min(sizes.max))?;
    let cursor = request.query_value("cursor").unwrap_or_default();
    let tokens = page_token::users(call.app.id);
    let after = tokens.read(cursor)?;
    let page = users::list(call, &after, size).await?;
    Ok((page.items, page.next.map(|next| tokens.write(Some(next)))))
}

/// The cursor of the page after a user.
fn cursor_after(call: &Call, username: &Username) -> String {
    page_token::users(call.app.id).write(Some(username.as_str().to_owned()))
}

pub(super) async fn set_nickname(
    request: EasemobRequest,
    call: Call,
) -> Result<Value, EasemobError> {
    let username = request.user("username")?;
    let nickname = nickname(&request.object()?)?
        .ok_or_else(|| EasemobError::illegal_argument("nickname must be provided"))?;
    let user = users::set_nickname(&call, &username, &nickname).await?;
    Ok(users_changed(&request, &call, "put", &[user]))
}

pub(super) fn nickname_body_schema() -> Schema {
    object([("nickname", text(Nickname::MAX_CHARS))])
}

pub(super) async fn delete(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let user = users::delete(&call, &request.user("username")?).await?;
    Ok(users_changed(&request, &call, "delete", &[user]))
}

pub(super) async fn activate(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let user = users::set_activated(&call, &request.user("username")?, true).await?;
    Ok(activation(&request, "activate user", &user))
}

pub(super) async fn deactivate(request: EasemobRequest, call: Call) -> Result<Value, EasemobError> {
    let user = users::set_activated(&call, &request.user("username")?, false).await?;
    Ok(activation(&request, "Deactivate user", &user))
}

/// The response of activate and deactivate.
fn activation(request: &EasemobRequest, action: &str, user: &User) -> Value {
    json!({
        "action": action,
        "entities": [entity(user)],
        "timestamp": request.timestamp(),
        "duration": request.duration(),
        "count": 1,
    })
}

pub(super) fn activation_schema() -> Schema {
    closed_object([
        ("action", one_value_of(&["activate user", "Deactivate user"])),
        ("entities", one_entity()),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("count", constant(1)),
    ])
    .named("Switched")
}
