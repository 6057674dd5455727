//! Users: their names, keys and profiles.

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

    /// A name that was read from the database.
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

/// The key of a user's rows: the first 16 bytes of SHA-256(app uuid, 0x00, username).
///
/// The key is computed from the name, so that a statement finds a user's rows without a look-up first.
/// The rows of several users are always locked in ascending order of their keys.
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

    /// A key that was read from the database.
    pub(crate) fn from_store(key: Uuid) -> Self {
        Self(key)
    }

    /// The key as it is stored.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

/// A user's key with their name, for rows that hold both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserRef<'a> {
    /// The key of the user's rows.
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

/// A user's display name: at most 100 characters, may be empty.
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
        text::check(nickname, Self::MAX_CHARS).map_err(|why| Invalid::argument(field, why))?;
        Ok(Self(nickname.to_owned()))
    }

    /// The nickname.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The profile of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's identifier. A name that is used again after a deletion gets a new one.
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

/// The counts and the version of a user's lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListHead {
    /// How many friends the user has.
    pub friend_count: i32,
    /// How many users the user blocks.
    pub block_count: i32,
    /// Goes up by one with every change of a list of this user.
    pub version: i64,
    /// How many pending requests the user has received.
    pub incoming_requests: i32,
    /// How many pending requests the user has sent.
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
        // Every row of every installation has such a key: the hash must never change.
        let app = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let key = OwnerKey::of(app, &Username::parse("", "alice").unwrap());
        assert_eq!(key.as_uuid().to_string(), "bf68affe-5b1d-4ea3-f12b-78e456869d53");
    }
}
