//! Friend lists: directed entries, always made in pairs.

use std::fmt;

use time::OffsetDateTime;

use super::{Invalid, Username, text};

/// What an owner calls a friend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark(String);

impl Remark {
    /// The longest remark, in characters (Easemob's bound).
    pub const MAX_CHARS: usize = 100;

    /// The longest alias, in characters (NetEase's bound).
    pub const MAX_ALIAS_CHARS: usize = 128;

    /// Reads a remark that came in as the request's `field`; an empty one clears.
    ///
    /// # Errors
    /// [`Invalid::Remark`] when it is too long or holds NUL.
    pub fn parse(field: impl fmt::Display, remark: &str) -> Result<Self, Invalid> {
        Self::within(Self::MAX_CHARS, field, remark)
    }

    /// Reads a remark as NetEase's clients give one, who call it an alias and may write more.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_alias(field: impl fmt::Display, alias: &str) -> Result<Self, Invalid> {
        Self::within(Self::MAX_ALIAS_CHARS, field, alias)
    }

    fn within(max_chars: usize, field: impl fmt::Display, remark: &str) -> Result<Self, Invalid> {
        match text::objection(remark, max_chars) {
            None => Ok(Self(remark.to_owned())),
            Some(why) => Err(Invalid::Remark { field: field.to_string(), why }),
        }
    }

    /// The remark.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A field of an entry that belongs to the caller: at most 256 characters (NetEase's `ex` and
/// `serverex`).
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
        match text::objection(extension, Self::MAX_CHARS) {
            None => Ok(Self(extension.to_owned())),
            Some(why) => Err(Invalid::Extension { field: field.to_string(), why }),
        }
    }

    /// The extension.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change of the owner's entry of a friend: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryChange {
    /// The remark.
    pub remark: Option<Remark>,
    /// The field for the owner's client.
    pub extension: Option<Extension>,
    /// The field for the calling service.
    pub server_extension: Option<Extension>,
}

/// An entry of a friend list, whole.
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
    /// True when the owner stands in the friend's list too.
    pub bidirectional: bool,
    /// When the friendship began.
    pub created_at: OffsetDateTime,
    /// When the entry changed last.
    pub updated_at: OffsetDateTime,
    /// The owner's version of the entry's last change.
    pub version: i64,
}

/// An entry as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendEntry {
    /// The friend.
    pub username: Username,
    /// The owner's remark, empty when none is set.
    pub remark: String,
}

/// What became of each name of an import, each list in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    /// Friends now, or already before.
    pub succeeded: Vec<String>,
    /// No such user.
    pub not_found: Vec<String>,
    /// One of the two lists is full.
    pub limit_exceeded: Vec<String>,
    /// The owner themselves, or no possible username.
    pub failed: Vec<String>,
}
