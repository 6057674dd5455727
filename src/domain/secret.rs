//! Secrets: generated ones, such as app tokens, are shown once and stored only as hashes.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

/// What a secret is for. Each kind has a prefix of its own, so that scanners of logs and repositories
/// recognise a leaked secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// Authenticates the calls of an app.
    AppToken,
    /// Authenticates an app that asks for a token.
    ClientSecret,
    /// Authenticates an operator.
    OperatorToken,
    /// Seals secrets that the service must read again: see [`Keyring`](super::Keyring).
    CredentialsKey,
}

impl SecretKind {
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::AppToken => "bft_",
            Self::ClientSecret => "bfs_",
            Self::OperatorToken => "bfo_",
            Self::CredentialsKey => "bfk_",
        }
    }
}

/// A secret in plain text. Its `Debug` hides it, so that it is never logged.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Generates a secret of 256 random bits.
    #[must_use]
    pub fn generate(kind: SecretKind) -> Self {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).expect("the system has a random generator");
        Self(format!("{}{}", kind.prefix(), BASE64_URL_SAFE_NO_PAD.encode(bits)))
    }

    /// A secret that came from outside: from a request, a setting or a file.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The plain text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether the secret has the prefix and the length of a kind: a cheap check before the database is
    /// asked.
    #[must_use]
    pub fn has_form_of(&self, kind: SecretKind) -> bool {
        self.0.strip_prefix(kind.prefix()).is_some_and(|rest| rest.len() == 43)
    }

    /// The hash that is stored. One round of SHA-256 is enough for 256 random bits, which can't be
    /// guessed. A secret that its owner chose is as strong as the owner's choice.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A hash that was read from the database; `None` for bytes that are no hash.
    pub(crate) fn from_store(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The first 12 hexadecimal digits: they tell tokens apart in records, and are no secret.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }

    /// Reads what `Display` wrote: 64 hexadecimal digits. `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Compares with a stored hash, in constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A token of an app, as it is known to the service: by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The hash, which names the token and can't be used in its place.
    pub hash: SecretHash,
    /// When the token was issued.
    pub created_at: OffsetDateTime,
    /// Until when it is valid.
    pub expires_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_have_their_form_and_match_only_themselves() {
        let (a, b) =
            (Secret::generate(SecretKind::AppToken), Secret::generate(SecretKind::AppToken));
        assert!(a.has_form_of(SecretKind::AppToken));
        assert!(!a.has_form_of(SecretKind::ClientSecret));
        assert!(a.hash().matches(Secret::presented(a.reveal()).hash().as_bytes()));
        assert!(!a.hash().matches(b.hash().as_bytes()));
        assert!(!a.hash().matches(b""));
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = Secret::generate(SecretKind::OperatorToken);
        assert!(!format!("{secret:?}").contains(secret.reveal()));
    }
}
