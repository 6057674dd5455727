//! App tokens.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{answer::Asked, refusal::Refusal};
use crate::{
    domain::{Credential, Error, Secret, TokenLifetimes},
    gate::Admitted,
    http::Surface,
    ops::access::{apps, login_throttle::Login, tokens},
};

pub(super) async fn issue(
    asked: Asked,
    surface: Arc<Surface>,
    admitted: Admitted,
) -> Result<Value, Refusal> {
    let members = asked.object()?;
    if text(&members, "grant_type") != Some("client_credentials") {
        return Err(Refusal::illegal("grant_type must be client_credentials"));
    }
    let client_id = text(&members, "client_id")
        .ok_or_else(|| Refusal::illegal("client_id must be provided."))?;
    let secret = text(&members, "client_secret")
        .ok_or_else(|| Refusal::illegal("client_secret must be provided"))?;
    let core = surface.gate.core();
    let ttl = life(members.get("ttl"), &core.lifetimes)?;
    let login = Login { from: asked.from, client_id: Some(client_id.to_owned()) };
    let (key, secret) = (Some(&asked.key), Secret::presented(secret));
    let issued = tokens::issue(core, admitted.deadline, login, key, &secret, ttl).await;
    let issued = match issued {
        Err(why @ Error::InvalidCredentials(Credential::ClientId)) => {
            // The vendor tells a wrong address before wrong credentials.
            apps::get(core, &asked.key).await?;
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

/// A member that holds a text which is not empty.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The life that was asked for, in seconds. The vendor takes any, and 0 for a token that never ends:
/// what is too long or too short for us is told by the answer's `expires_in`, and not refused.
fn life(asked: Option<&Value>, lifetimes: &TokenLifetimes) -> Result<Duration, Refusal> {
    let seconds = match asked {
        None | Some(Value::Null) => return Ok(Duration::ZERO),
        Some(Value::Number(seconds)) => seconds.as_u64(),
        // Some clients write it as a text.
        Some(Value::String(seconds)) => seconds.parse().ok(),
        Some(_) => None,
    };
    match seconds {
        Some(0) => Ok(lifetimes.max),
        Some(seconds) => Ok(Duration::from_secs(seconds).clamp(TokenLifetimes::MIN, lifetimes.max)),
        None => Err(Refusal::illegal("ttl must be a whole number of seconds, 0 or more")),
    }
}
