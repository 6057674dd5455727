//! Callbacks: whether a request comes from befriend, and what it says.
//!
//! ```
//! # fn receive(secret: &str, headers: &http::HeaderMap, body: &[u8]) -> Result<(), befriend_client::webhook::Rejected> {
//! use befriend_client::webhook::{Event, Verifier};
//!
//! let verifier = Verifier::new(secret)?; // once, with the secret of the callback rule
//! let delivery = verifier.verify(headers, body)?; // the body as it came
//! let event: Event = delivery.event()?;
//! println!("{}: {} and {}", event.kind, event.data.owner, event.data.friend);
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use serde::Deserialize;
use sha2::Sha256;

/// How far the time in a request may be from this machine's.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Checks the signatures of one callback rule.
#[derive(Clone)]
pub struct Verifier {
    key: Hmac<Sha256>,
}

/// Why a request is not taken for befriend's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The secret is not one of befriend's, which begin with "whsec_".
    Secret,
    /// A header is missing or can't be read.
    Header(&'static str),
    /// The request was sent more than five minutes ago, or the two clocks differ by as much.
    Timestamp,
    /// No signature is right.
    Signature,
    /// The signature is right, but the body is not an event in befriend's standard format.
    Body(String),
}

/// A genuine request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The same in all attempts to deliver an event: what was processed already can be left out by it.
    pub id: &'a str,
    /// When the attempt was made.
    pub sent: SystemTime,
    /// The body.
    pub body: &'a [u8],
}

/// An event in befriend's standard format (`BODY_FORMAT_STANDARD`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// What happened: "friend.added", "friend.remark_set", and so on. A receiver ignores a type that it does not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, in RFC 3339.
    pub timestamp: String,
    /// To whom.
    pub data: Data,
}

/// Whom an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Data {
    /// The app's key, as "acme#chat".
    #[serde(default)]
    pub app: String,
    /// The username of the owner of the list.
    #[serde(default)]
    pub owner: String,
    /// The username of the other user.
    #[serde(default)]
    pub friend: String,
    /// The owner's version after the change.
    #[serde(default)]
    pub version: i64,
    /// The new remark, of `friend.remark_set`.
    pub remark: Option<String>,
    /// The message, of the events of friend requests.
    pub message: Option<String>,
}

impl Verifier {
    /// A verifier with the secret of a callback rule, "whsec_…".
    ///
    /// # Errors
    /// [`Rejected::Secret`].
    pub fn new(secret: &str) -> Result<Self, Rejected> {
        let key = secret.strip_prefix("whsec_").ok_or(Rejected::Secret)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| Rejected::Secret)?;
        // Anybody can sign with the empty key.
        if key.is_empty() {
            return Err(Rejected::Secret);
        }
        let key = Hmac::new_from_slice(&key).map_err(|_| Rejected::Secret)?;
        Ok(Self { key })
    }

    /// Checks a request: its headers and its body as it came, not parsed and written again. Takes time from this
    /// machine's clock.
    ///
    /// # Errors
    /// [`Rejected::Header`], [`Rejected::Timestamp`], [`Rejected::Signature`].
    #[expect(
        clippy::disallowed_methods,
        reason = "a receiver has no other clock than its machine's"
    )]
    pub fn verify<'a>(
        &self,
        headers: &'a HeaderMap,
        body: &'a [u8],
    ) -> Result<Delivery<'a>, Rejected> {
        self.verify_at(headers, body, SystemTime::now())
    }

    /// The same at another time.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_at<'a>(
        &self,
        headers: &'a HeaderMap,
        body: &'a [u8],
        now: SystemTime,
    ) -> Result<Delivery<'a>, Rejected> {
        let header = |name: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(Rejected::Header(name))
        };
        let id = header("webhook-id")?;
        let timestamp = header("webhook-timestamp")?;
        let signatures = header("webhook-signature")?;
        let seconds = timestamp.parse().map_err(|_| Rejected::Header("webhook-timestamp"))?;
        let sent = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let sent = sent.ok_or(Rejected::Header("webhook-timestamp"))?;

        let mut mac = self.key.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        // While a secret is rotated, there are two.
        let right = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|one| {
            let bytes = BASE64_STANDARD.decode(one);
            bytes.is_ok_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
        });
        if !right {
            return Err(Rejected::Signature);
        }
        let away = now.duration_since(sent).unwrap_or_else(|early| early.duration());
        if away > TOLERANCE {
            return Err(Rejected::Timestamp);
        }
        Ok(Delivery { id, sent, body })
    }
}

impl Delivery<'_> {
    /// The event in the body.
    ///
    /// # Errors
    /// [`Rejected::Body`].
    pub fn event(&self) -> Result<Event, Rejected> {
        serde_json::from_slice(self.body).map_err(|error| Rejected::Body(error.to_string()))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => {
                f.write_str("the secret is not a callback rule's, which begins with whsec_")
            }
            Self::Header(name) => write!(f, "the header {name} is missing or can't be read"),
            Self::Timestamp => f.write_str("the request was sent more than five minutes from now"),
            Self::Signature => f.write_str("no signature is right"),
            Self::Body(why) => write!(f, "the body is no event: {why}"),
        }
    }
}

impl std::error::Error for Rejected {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "evt_69f101dc9c2a0c184c2b02f27f5252ff_7";
    const SENT: u64 = 1_795_262_400;
    const SIGNATURE: &str = "v1,A/c+XkOVBe568Um32oeb8nR2Wof5hrTS9uEU3hkQd9s=";
    const BODY: &[u8] = br#"{"type":"friend.added","timestamp":"2026-11-21T12:00:00.123Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","version":7}}"#;

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let timestamp = SENT.to_string();
        for (name, value) in [
            ("webhook-id", ID),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature),
        ] {
            headers.insert(name, value.parse().expect("a header"));
        }
        headers
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_documented_sample_is_genuine() {
        let verifier = Verifier::new(SECRET).expect("a secret");
        let headers = headers(SIGNATURE);
        let delivery = verifier.verify_at(&headers, BODY, at(SENT + 299)).expect("genuine");
        assert_eq!((delivery.id, delivery.sent), (ID, at(SENT)));
        let event = delivery.event().expect("an event");
        assert_eq!(event.kind, "friend.added");
        assert_eq!((event.data.owner.as_str(), event.data.friend.as_str()), ("alice", "bob"));
        assert_eq!((event.data.version, event.data.remark), (7, None));
    }

    #[test]
    fn one_right_signature_of_several_is_enough() {
        let verifier = Verifier::new(SECRET).expect("a secret");
        let headers = headers(&format!("v1,AAAA v1a,whatever {SIGNATURE}"));
        assert!(verifier.verify_at(&headers, BODY, at(SENT)).is_ok());
    }

    #[test]
    fn what_differs_is_rejected() {
        let verifier = Verifier::new(SECRET).expect("a secret");
        let good = headers(SIGNATURE);
        let rejected = |headers: &HeaderMap, body: &[u8], now| {
            verifier.verify_at(headers, body, at(now)).expect_err("not genuine")
        };
        assert_eq!(rejected(&good, b"{}", SENT), Rejected::Signature);
        assert_eq!(rejected(&good, BODY, SENT + 301), Rejected::Timestamp);
        assert_eq!(rejected(&good, BODY, SENT - 301), Rejected::Timestamp);
        assert_eq!(rejected(&headers("v1,"), BODY, SENT), Rejected::Signature);
        let mut other = good.clone();
        other.insert("webhook-id", "evt_1_8".parse().expect("a header"));
        assert_eq!(rejected(&other, BODY, SENT), Rejected::Signature);
        other.remove("webhook-id");
        assert_eq!(rejected(&other, BODY, SENT), Rejected::Header("webhook-id"));
        for secret in ["", "whsec_", "whsec_*", "MfKQ9r8G"] {
            assert!(matches!(Verifier::new(secret), Err(Rejected::Secret)), "{secret}");
        }
    }
}
