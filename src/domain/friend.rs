//! Friend lists: directed entries, always added in pairs.

use std::fmt;

use time::OffsetDateTime;

use super::{Invalid, Username, text};

/// The name that an owner gives to a friend. Others do not see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark(String);

impl Remark {
    /// The longest remark, in characters (Easemob's bound).
    pub const MAX_CHARS: usize = 100;

    /// The longest alias, in characters (NetEase's bound).
    pub const MAX_ALIAS_CHARS: usize = 128;

    /// Reads a remark that came in as the request's `field`. An empty one clears the remark.
    ///
    /// # Errors
    /// [`Invalid::Remark`] when it is too long or holds NUL.
    pub fn parse(field: impl fmt::Display, remark: &str) -> Result<Self, Invalid> {
        Self::within(Self::MAX_CHARS, field, remark)
    }

    /// Reads a remark from a NetEase client. NetEase calls it an alias, and allows more characters.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_alias(field: impl fmt::Display, alias: &str) -> Result<Self, Invalid> {
        Self::within(Self::MAX_ALIAS_CHARS, field, alias)
    }

    fn within(max_chars: usize, field: impl fmt::Display, remark: &str) -> Result<Self, Invalid> {
        text::check(remark, max_chars)
            .map_err(|why| Invalid::Remark { field: field.to_string(), why })?;
        Ok(Self(remark.to_owned()))
    }

    /// The remark.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A field of an entry with a free use, of at most 256 characters (NetEase's `ex` and `serverex`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension(String);

impl Extension {
    /// The longest extension, in characters.
    pub const MAX_CHARS: usize = 256;

    /// Reads an extension that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Extension`] when it is too long or holds NUL.
    pub fn parse(field: impl fmt::Display, extension: &str) -> Result<Self, Invalid> {
        text::check(extension, Self::MAX_CHARS)
            .map_err(|why| Invalid::Extension { field: field.to_string(), why })?;
        Ok(Self(extension.to_owned()))
    }

    /// The extension.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change of an entry. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryChange {
    /// The remark.
    pub remark: Option<Remark>,
    /// The field for the owner's client.
    pub extension: Option<Extension>,
    /// The field for the calling service.
    pub server_extension: Option<Extension>,
}

/// An entry of a friend list with all fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    /// The friend.
    pub username: Username,
    /// The owner's remark, empty when none is set.
    pub remark: String,
    /// A field for the owner's client.
    pub extension: String,
    /// A field for the calling service.
    pub server_extension: String,
    /// True when the owner is in the friend's list too.
    pub bidirectional: bool,
    /// When the friendship began.
    pub created_at: OffsetDateTime,
    /// When the entry changed last.
    pub updated_at: OffsetDateTime,
    /// The owner's version of the entry's last change.
    pub version: i64,
}

/// An entry of a friend list as ListFriends shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendEntry {
    /// The friend.
    pub username: Username,
    /// The owner's remark, empty when none is set.
    pub remark: String,
}

/// The result of an import: each name of the call is in one of these lists, in the order of the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    /// Those who are friends now, also those who were before.
    pub succeeded: Vec<String>,
    /// Those who do not exist.
    pub not_found: Vec<String>,
    /// Those for whom one of the two friend lists is full.
    pub limit_exceeded: Vec<String>,
    /// The owner, and names that no user can have.
    pub failed: Vec<String>,
}
