//! Callback rules: where an app's events are sent, in which format, and with which secret they are signed.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Uri;
use time::{Duration, OffsetDateTime};
use url::Url;
use uuid::Uuid;

use super::{EventType, Invalid};

/// A rule that sends events of an app to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackRule {
    /// Identifies the rule.
    pub id: Uuid,
    /// The app whose events are sent.
    pub app_id: Uuid,
    /// The receiver.
    pub url: CallbackUrl,
    /// The types of events that are sent.
    pub event_types: Vec<EventType>,
    /// The format of the body.
    pub body_format: BodyFormat,
    /// A disabled rule gets no new events; its pending events wait.
    pub enabled: bool,
    /// Why the service disabled the rule; empty if it did not.
    pub disabled_reason: String,
    /// The authorities that may certify the receiver (PEM); empty for those of the system.
    pub ca_certificates: String,
    /// The secret that signs.
    pub secret: SigningSecret,
    /// The secret before the last rotation, and until when it signs as well.
    pub old_secret: Option<(SigningSecret, OffsetDateTime)>,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub modified_at: OffsetDateTime,
}

/// What the operator chooses for a new rule.
#[derive(Clone, Debug)]
pub struct RuleChoice {
    /// The receiver.
    pub url: CallbackUrl,
    /// The types of events that are sent.
    pub event_types: Vec<EventType>,
    /// The format of the body.
    pub body_format: BodyFormat,
    /// The authorities that may certify the receiver.
    pub ca_certificates: String,
}

/// A change of a rule: members that are `None` stay.
#[derive(Clone, Debug, Default)]
pub struct RuleChange {
    /// The receiver.
    pub url: Option<CallbackUrl>,
    /// The types of events that are sent.
    pub event_types: Option<Vec<EventType>>,
    /// The format of the body.
    pub body_format: Option<BodyFormat>,
    /// Whether the rule is enabled.
    pub enabled: Option<bool>,
    /// The authorities that may certify the receiver.
    pub ca_certificates: Option<String>,
}

impl RuleChange {
    /// Applies the change. Enabling or disabling a rule clears the reason for which the service had
    /// disabled it.
    pub fn apply(self, rule: &mut CallbackRule) {
        if let Some(url) = self.url {
            rule.url = url;
        }
        if let Some(event_types) = self.event_types {
            rule.event_types = event_types;
        }
        if let Some(body_format) = self.body_format {
            rule.body_format = body_format;
        }
        if let Some(enabled) = self.enabled {
            rule.enabled = enabled;
            rule.disabled_reason = String::new();
        }
        if let Some(ca_certificates) = self.ca_certificates {
            rule.ca_certificates = ca_certificates;
        }
    }
}

/// The format of a callback's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// Standard Webhooks.
    Standard,
    /// Easemob's envelope.
    Easemob,
}

impl BodyFormat {
    /// The format's name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Easemob => "easemob",
        }
    }

    /// A format from its name in the store, whose constraint allows these two.
    pub(crate) fn from_store(name: &str) -> Self {
        if name == "easemob" { Self::Easemob } else { Self::Standard }
    }
}

/// The URL of a receiver: http or https, with a host, without user, password and fragment. It is ASCII: an
/// international host name stands as punycode, and other characters of the path are percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackUrl(Uri);

impl CallbackUrl {
    /// The longest URL, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Reads a URL that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`].
    pub fn parse(field: impl fmt::Display, url: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| Err(Invalid::argument(&field, why));
        if url.len() > Self::MAX_BYTES {
            return refuse("must be at most 2048 bytes long");
        }
        // hyper's type takes a path with other characters too, and would send them as they are.
        let as_it_stands = url.parse::<Uri>().ok().filter(|_| url.is_ascii());
        let Some(uri) = as_it_stands.or_else(|| ascii(url)) else {
            return refuse("must be a URL, as https://example.com/callbacks");
        };
        let Some(authority) = uri.authority() else {
            return refuse("must name a host");
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return refuse("must start with http:// or https://");
        }
        if authority.as_str().contains('@') {
            return refuse("must not hold a user or password");
        }
        if authority.host().is_empty() || url.contains('#') {
            return refuse("must name a host and have no fragment");
        }
        // hyper would use port 80 or 443 in place of one that it can't read.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !port.is_empty() && !port[1..].parse::<u16>().is_ok_and(|port| port > 0) {
            return refuse("must have a port between 1 and 65535, or none");
        }
        if uri.to_string().len() > Self::MAX_BYTES {
            return refuse("must be at most 2048 bytes long, also when it is percent-encoded");
        }
        Ok(Self(uri))
    }

    /// The URL.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

/// Turns a URL with other characters than a request may hold into one without, as browsers do. Leaves what
/// browsers would silently mend: spaces around it, line ends and backslashes.
fn ascii(url: &str) -> Option<Uri> {
    let mended = |c: char| c.is_control() || c == '\\';
    if url.trim() != url || url.contains(mended) {
        return None;
    }
    Url::parse(url).ok()?.as_str().parse().ok()
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A secret that signs callbacks: "whsec_" and the base64 of 24-64 bytes (Standard Webhooks).
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    text: String,
    key: Vec<u8>,
}

impl SigningSecret {
    const PREFIX: &'static str = "whsec_";

    /// The longest time for which the old secret signs after a rotation.
    pub const MAX_GRACE: Duration = Duration::days(30);

    /// Generates a secret of 256 random bits.
    #[must_use]
    pub fn generate() -> Self {
        let mut key = vec![0; 32];
        getrandom::fill(&mut key).expect("the system has a random generator");
        Self { text: format!("{}{}", Self::PREFIX, BASE64_STANDARD.encode(&key)), key }
    }

    /// Reads a secret that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`].
    pub fn parse(field: impl fmt::Display, text: &str) -> Result<Self, Invalid> {
        let key = text.strip_prefix(Self::PREFIX).and_then(|b| BASE64_STANDARD.decode(b).ok());
        match key {
            Some(key) if (24..=64).contains(&key.len()) => Ok(Self { text: text.to_owned(), key }),
            _ => {
                Err(Invalid::argument(field, "must be \"whsec_\" and the base64 of 24 to 64 bytes"))
            }
        }
    }

    /// The secret as text: the operator sees it once, and Easemob's `security` is computed with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The key of the HMAC.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_url_is_http_with_a_host_and_nothing_secret() {
        for good in ["http://localhost:8080/x", "https://example.com", "https://[::1]:9/p?q=1"] {
            assert!(CallbackUrl::parse("url", good).is_ok(), "{good:?} was refused");
        }
        for bad in [
            "",
            "/path",
            "ftp://x/",
            "https://",
            "https://u:p@x/",
            "https://x/#f",
            "file:///etc",
            "https://a b/",
            "https://x:/",
            "https://x:0/",
            "https://x:65536/",
            "https://[::1]:x/",
            &format!("https://x/{}", "a".repeat(2048)),
        ] {
            assert!(CallbackUrl::parse("url", bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn an_international_callback_url_is_taken_as_ascii() {
        for (given, taken) in [
            ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
            ("https://例え.テスト:8443/", "https://xn--r8jz45g.xn--zckzah:8443/"),
            ("https://example.com/a b/ü?q=ö c", "https://example.com/a%20b/%C3%BC?q=%C3%B6%20c"),
            ("https://example.com/a%20b", "https://example.com/a%20b"),
        ] {
            assert_eq!(CallbackUrl::parse("url", given).unwrap().to_string(), taken);
        }
        let longer_encoded = format!("https://x/{}", "ü".repeat(400));
        for bad in [
            " https://x/ü",
            "https://x/ü\n",
            "https:\\\\x/ü",
            "https://ü:p@x/",
            "https://x/ü#f",
            "https://x:0/ü",
            "ftp://bücher.example/",
            &longer_encoded,
        ] {
            assert!(CallbackUrl::parse("url", bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_signing_secret_has_its_form() {
        let made = SigningSecret::generate();
        assert_eq!(SigningSecret::parse("s", made.reveal()).unwrap(), made);
        let of = |n: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; n]));
        assert!(SigningSecret::parse("s", &of(24)).is_ok());
        assert!(SigningSecret::parse("s", &of(64)).is_ok());
        for bad in [&of(23), &of(65), "whsec_", "secret", "whsec_%%%"] {
            assert!(SigningSecret::parse("s", bad).is_err(), "{bad:?} was taken");
        }
        assert!(!format!("{made:?}").contains(made.reveal()));
    }
}
