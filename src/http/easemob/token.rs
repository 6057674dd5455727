//! App tokens.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{error::EasemobError, request::EasemobRequest};
use crate::{
    domain::{Credential, Error, Secret, TokenLifetimes},
    http::schema::{Schema, closed_object, constant, integer, object, of_types, string, uuid},
    ops::{
        Core,
        access::{apps, tokens},
    },
};

/// Issues a token to a caller who shows the app's credentials.
pub(super) async fn issue(
    request: EasemobRequest,
    core: Arc<Core>,
    deadline: Instant,
) -> Result<Value, EasemobError> {
    let members = request.object()?;
    if text(&members, "grant_type") != Some("client_credentials") {
        return Err(EasemobError::illegal_argument("grant_type must be client_credentials"));
    }
    let client_id = text(&members, "client_id")
        .ok_or_else(|| EasemobError::illegal_argument("client_id must be provided."))?;
    let secret = text(&members, "client_secret")
        .ok_or_else(|| EasemobError::illegal_argument("client_secret must be provided"))?;
    let ttl = lifetime(members.get("ttl"), &core.lifetimes)?;
    let (key, secret) = (Some(&request.key), Secret::presented(secret));
    let shown = (client_id, &secret);
    let issued = tokens::issue(&core, deadline, request.address(), key, shown, ttl).await;
    let issued = match issued {
        Err(why @ Error::InvalidCredentials(Credential::ClientId)) => {
            // The vendor reports an app that does not exist before wrong credentials.
            apps::get(&core, &request.key).await?;
            return Err(why.into());
        }
        issued => issued?,
    };
    Ok(json!({
        "access_token": issued.token.reveal(),
        "expires_in": issued.expires_in.as_secs(),
        "application": issued.app_id.to_string(),
    }))
}

pub(super) fn login_body_schema() -> Schema {
    let credential = || string().with("minLength", 1);
    let ttl = of_types(["integer", "string"]).with("minimum", 0);
    object([
        ("grant_type", constant("client_credentials")),
        ("client_id", credential()),
        ("client_secret", credential()),
        ("ttl?", ttl.described("Seconds; 0 for the longest lifetime.")),
    ])
    .named("Login")
}

pub(super) fn token_schema() -> Schema {
    let expires_in = integer().with("minimum", TokenLifetimes::MIN.as_secs());
    closed_object([
        ("access_token", string()),
        ("expires_in", expires_in.described("Seconds.")),
        ("application", uuid()),
    ])
    .named("Token")
}

/// A member of the body that is a string and not empty.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The lifetime for a `ttl`, in seconds. The vendor accepts any, and 0 for a token that never
/// expires: one out of befriend's range is clamped to it and not refused, and `expires_in` gives
/// the result.
fn lifetime(ttl: Option<&Value>, lifetimes: &TokenLifetimes) -> Result<Duration, EasemobError> {
    let seconds = match ttl {
        None | Some(Value::Null) => return Ok(Duration::ZERO),
        Some(Value::Number(seconds)) => seconds.as_u64(),
        // Some clients write it as a string.
        Some(Value::String(seconds)) => seconds.parse().ok(),
        Some(_) => None,
    };
    match seconds {
        Some(0) => Ok(lifetimes.max),
        Some(seconds) => Ok(Duration::from_secs(seconds).clamp(TokenLifetimes::MIN, lifetimes.max)),
        None => {
            Err(EasemobError::illegal_argument("ttl must be a whole number of seconds, 0 or more"))
        }
    }
}
