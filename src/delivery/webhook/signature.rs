//! Signatures of callbacks: the headers of Standard Webhooks, and Easemob's `security`. No I/O.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;
use time::OffsetDateTime;

use crate::domain::{CallbackRule, SigningSecret};

/// The Standard Webhooks headers of a request. All attempts to deliver an event have the same id; each has its own
/// timestamp. While a secret is being rotated, the header carries two signatures.
#[must_use]
pub fn signed_headers(
    rule: &CallbackRule,
    webhook_id: &str,
    now: OffsetDateTime,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let timestamp = now.unix_timestamp();
    let old = rule.old_secret.iter().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
    let signatures: Vec<String> = std::iter::once(&rule.secret)
        .chain(old)
        .map(|secret| sign(secret, webhook_id, timestamp, body))
        .collect();
    [
        ("webhook-id", webhook_id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

/// "v1," and the base64 of HMAC-SHA256 over "{id}.{timestamp}.{body}".
#[must_use]
pub fn sign(secret: &SigningSecret, webhook_id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.key()).expect("HMAC takes any key");
    mac.update(format!("{webhook_id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Easemob's `security`: the lower-case hexadecimal MD5 of call id, secret and timestamp in
/// milliseconds.
#[must_use]
pub fn security(call_id: &str, secret: &str, timestamp_ms: i64) -> String {
    hex::encode(Md5::digest(format!("{call_id}{secret}{timestamp_ms}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_published_example_of_standard_webhooks() {
        let secret =
            SigningSecret::parse("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(
            sign(&secret, id, 1_614_265_330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn security_is_easemobs_md5() {
        assert_eq!(
            security("org#app_966725184268539960", "s3cret", 1_642_648_046_912),
            "71745ab848072deb30659854792e7ce4"
        );
    }
}
