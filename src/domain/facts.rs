//! What is recorded of an app, a callback rule or an operator's token when it changes: everything but
//! secrets.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{App, CallbackRule, CallbackUrl, Facts, OperatorToken};

/// The facts whose values stay out of the log: names and texts of users, and by what callers and receivers can
/// be recognised.
const NOT_LOGGED: [&str; 6] =
    ["client_id", "friend", "netease_app_key", "nickname", "url", "usernames"];

/// What stands in place of a value that is replaced and must not be shown.
pub const REPLACED: &str = "replaced";

/// Facts from a JSON object.
#[must_use]
pub fn facts(object: Value) -> Facts {
    match object {
        Value::Object(facts) => facts,
        _ => Facts::new(),
    }
}

/// Facts as the log has them.
#[must_use]
pub fn for_log(facts: &Facts) -> String {
    let mut facts = facts.clone();
    for name in NOT_LOGGED {
        if let Some(value) = facts.get_mut(name).filter(|value| !value.is_null()) {
            *value = "…".into();
        }
    }
    Value::Object(facts).to_string()
}

/// A time as JSON has it: "2026-11-21T12:00:00Z".
#[must_use]
pub fn time_fact(time: OffsetDateTime) -> Value {
    time.format(&Rfc3339).map_or(Value::Null, Value::String)
}

impl App {
    /// The app's properties, without secrets.
    #[must_use]
    pub fn facts(&self) -> Facts {
        facts(json!({
            "client_id": self.client_id,
            "netease_app_key": self.netease_app_key,
            "friend_limit": self.limits.friend_limit,
            "block_limit": self.limits.block_limit,
            "requests_per_second": self.limits.requests_per_second,
        }))
    }
}

impl CallbackRule {
    /// The rule's properties, without secrets. Certificates stand by their SHA-256.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let types: Vec<&str> = self.event_types.iter().map(|of| of.as_str()).collect();
        let certificates = match self.ca_certificates.as_str() {
            "" => Value::Null,
            pem => Value::String(hex::encode(Sha256::digest(pem.as_bytes()))),
        };
        facts(json!({
            "url": shown(&self.url),
            "event_types": types,
            "body_format": self.body_format.as_str(),
            "enabled": self.enabled,
            "ca_certificates_sha256": certificates,
        }))
    }
}

/// A URL without its query, which receivers use for secrets.
fn shown(url: &CallbackUrl) -> String {
    let url = url.to_string();
    match url.split_once('?') {
        Some((front, _)) => format!("{front}?…"),
        None => url,
    }
}

impl OperatorToken {
    /// The token's properties.
    #[must_use]
    pub fn facts(&self) -> Facts {
        facts(json!({
            "role": self.role.as_str(),
            "expires_at": self.expires_at.map(time_fact),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_not_recorded_and_a_url_not_logged() {
        let url = CallbackUrl::parse("url", "https://example.com/a?token=secret").unwrap();
        let recorded = shown(&url);
        assert_eq!(recorded, "https://example.com/a?…");
        let rule = json!({ "url": recorded, "client_id": null, "enabled": true });
        let logged = for_log(&facts(rule));
        assert_eq!(logged, r#"{"url":"…","client_id":null,"enabled":true}"#);
    }
}
