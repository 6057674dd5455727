//! Users: who can have friends.

use std::fmt;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Invalid, text};

/// The name of a user: 1-64 bytes of `a-z 0-9 _ . - @`. Upper case is folded when it is parsed, so
/// that "Bob" and "bob" are one user (as with Easemob).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

impl Username {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Reads a name that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Username`] for an empty or overlong name or any other character.
    pub fn parse(field: impl fmt::Display, name: &str) -> Result<Self, Invalid> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@');
        if name.is_empty() || name.len() > Self::MAX_BYTES || !name.bytes().all(legal) {
            return Err(Invalid::Username { field: field.to_string() });
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// A name as the store gave it back.
    pub(crate) fn from_store(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Under which key a user's rows are kept: the first 16 bytes of
/// SHA-256(app uuid, 0x00, username).
///
/// Computed, so that no directory is asked and every statement on the hot path touches one user's
/// rows only; and the one order in which two users' rows are ever locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerKey(Uuid);

impl OwnerKey {
    /// The key of a user of an app.
    #[must_use]
    pub fn of(app_id: Uuid, username: &Username) -> Self {
        let digest = Sha256::new()
            .chain_update(app_id.as_bytes())
            .chain_update([0])
            .chain_update(username.as_str())
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(Uuid::from_bytes(key))
    }

    /// A key as the store gave it back.
    pub(crate) fn from_store(key: Uuid) -> Self {
        Self(key)
    }

    /// The key as the database keeps it.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

/// A user's key with their name, for rows that hold both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserRef<'a> {
    /// Under which key the user's rows are kept.
    pub key: OwnerKey,
    /// The name.
    pub name: &'a Username,
}

impl<'a> UserRef<'a> {
    /// A user of an app.
    #[must_use]
    pub fn of(app_id: Uuid, name: &'a Username) -> Self {
        Self { key: OwnerKey::of(app_id, name), name }
    }
}

/// What a user is called by others: at most 100 characters, may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nickname(String);

impl Nickname {
    /// The longest nickname, in characters.
    pub const MAX_CHARS: usize = 100;

    /// Reads a nickname that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] when it is too long or holds NUL.
    pub fn parse(field: impl fmt::Display, nickname: &str) -> Result<Self, Invalid> {
        match text::objection(nickname, Self::MAX_CHARS) {
            None => Ok(Self(nickname.to_owned())),
            Some(why) => Err(Invalid::argument(field, why)),
        }
    }

    /// The nickname.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What others see of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Our own identifier of this user; a new one when the name is used again after a deletion.
    pub uuid: Uuid,
    /// The name.
    pub username: Username,
    /// The nickname, empty when none is set.
    pub nickname: String,
    /// False for a banned user.
    pub activated: bool,
    /// When the user was created.
    pub created_at: OffsetDateTime,
    /// When nickname or activation changed last.
    pub modified_at: OffsetDateTime,
}

/// The head of a user's lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListHead {
    /// How many friends.
    pub friend_count: i32,
    /// How many blocked users.
    pub block_count: i32,
    /// Goes up by one with every change of a list of this user.
    pub version: i64,
    /// Requests that wait for the user's answer.
    pub incoming_requests: i32,
    /// The user's requests that wait for an answer.
    pub outgoing_requests: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_folded_and_its_alphabet_is_closed() {
        let parse = |name: &str| Username::parse("owner", name);
        assert_eq!(parse("Bob.O_1-x@Y").unwrap().as_str(), "bob.o_1-x@y");
        assert!(parse(&"a".repeat(64)).is_ok());
        for bad in ["", " ", "a b", "a/b", "ä", "a\0", "Ｂob", "a#b", &"a".repeat(65)] {
            assert!(parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn the_owner_key_is_the_documented_hash_for_ever() {
        // Every row of every installation lies under such a key: it must never change.
        let app = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let key = OwnerKey::of(app, &Username::parse("", "alice").unwrap());
        assert_eq!(key.as_uuid().to_string(), "bf68affe-5b1d-4ea3-f12b-78e456869d53");
    }
}
