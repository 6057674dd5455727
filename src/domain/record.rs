//! Records: users, friends and blocks as files hold them, one record a line.
//!
//! `None` stands for a field that a record leaves out: an import keeps the value that is there. An empty
//! text clears the value.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Invalid, Nickname, Username};

/// The place of a record in the files of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the file, from 0.
    pub file: u16,
    /// The line, from 1. A record over several lines has the number of the first.
    pub line: u64,
}

impl Place {
    const LINE_BITS: u32 = 40;

    /// The place as a number that sorts by file, then by line.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        let line = i64::try_from(self.line).unwrap_or(i64::MAX).min((1 << Self::LINE_BITS) - 1);
        (i64::from(self.file) << Self::LINE_BITS) | line
    }

    /// The place that [`Self::as_i64`] made into this number.
    #[must_use]
    pub fn from_i64(number: i64) -> Self {
        let line = u64::try_from(number & ((1 << Self::LINE_BITS) - 1)).unwrap_or(0);
        Self { file: u16::try_from(number >> Self::LINE_BITS).unwrap_or(u16::MAX), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// The name.
    pub username: Username,
    /// The nickname.
    pub nickname: Option<Nickname>,
    /// False for a banned user.
    pub activated: Option<bool>,
    /// The user's identifier. A new user without one gets a new one.
    pub uuid: Option<Uuid>,
    /// When the user was created.
    pub created_at: Option<OffsetDateTime>,
    /// When nickname or activation changed last.
    pub modified_at: Option<OffsetDateTime>,
}

/// One direction of a friendship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendRecord {
    /// The owner of the list.
    pub owner: Username,
    /// The friend.
    pub friend: Username,
    /// The texts of the entry.
    pub texts: EntryTexts,
    /// When the friendship began.
    pub created_at: Option<OffsetDateTime>,
    /// When the entry changed last. Exports write it; an import ignores it, because for the followers of
    /// the list the entry changes at the import.
    pub updated_at: Option<OffsetDateTime>,
}

/// The texts of an entry of a friend list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryTexts {
    /// The owner's remark, at most [`Remark::MAX_ALIAS_CHARS`](super::Remark::MAX_ALIAS_CHARS)
    /// characters.
    pub remark: Option<String>,
    /// The field for the owner's client.
    pub extension: Option<String>,
    /// The field for the calling service.
    pub server_extension: Option<String>,
}

impl EntryTexts {
    /// Whether a record with these texts would leave an entry as it is.
    #[must_use]
    pub fn agree_with(&self, remark: &str, extension: &str, server_extension: &str) -> bool {
        let agrees = |wanted: &Option<String>, has| wanted.as_ref().is_none_or(|text| text == has);
        agrees(&self.remark, remark)
            && agrees(&self.extension, extension)
            && agrees(&self.server_extension, server_extension)
    }
}

/// An entry of a block list. The later of two records of one owner is the newer block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRecord {
    /// The owner of the list.
    pub owner: Username,
    /// The blocked user.
    pub blocked: Username,
    /// When the block began.
    pub created_at: Option<OffsetDateTime>,
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A user.
    User(UserRecord),
    /// One direction of a friendship.
    Friend(FriendRecord),
    /// An entry of a block list.
    Block(BlockRecord),
}

/// Why a record was not imported, or only in part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The app has no such user.
    #[error("there is no user {0}")]
    NoUser(Username),
    /// A deleted user of this name is still being removed from lists.
    #[error("the deleted user {0} is still being removed from lists: import again in a moment")]
    StillLeaving(Username),
    /// A friend list is full.
    #[error("the friend list of {username} is full: the limit is {limit}")]
    FriendLimit {
        /// The owner of the list.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// A block list is full.
    #[error("the block list of {username} is full: the limit is {limit}")]
    BlockLimit {
        /// The owner of the list.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// The entry exists with other texts, which are kept.
    #[error("is there already with other texts, which stay")]
    OtherTexts,
    /// An earlier record of the same entry has other texts, and was imported.
    #[error("says otherwise than {0}")]
    Contradicts(Place),
}

/// A line that holds no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLine(pub String);

impl From<Invalid> for BadLine {
    fn from(invalid: Invalid) -> Self {
        Self(Error::Invalid(invalid).to_string())
    }
}

/// A difference between the records of a file and the lists in the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A user of the records does not exist.
    #[error("user {0} is missing")]
    MissingUser(Username),
    /// A user differs from the record.
    #[error("{username}: {field} differs")]
    OtherUser {
        /// The user.
        username: Username,
        /// The field: "nickname", "activated" or "uuid".
        field: &'static str,
    },
    /// An entry of the records does not exist.
    #[error("{owner} has no friend {friend}")]
    MissingFriend {
        /// The owner of the list.
        owner: Username,
        /// The friend.
        friend: Username,
    },
    /// An entry exists for which there is no record in either direction.
    #[error("{owner} has a friend {friend} for whom there is no record")]
    ExtraFriend {
        /// The owner of the list.
        owner: Username,
        /// The friend.
        friend: Username,
    },
    /// An entry has other texts.
    #[error("{owner} -> {friend}: {field} differs")]
    OtherText {
        /// The owner of the list.
        owner: Username,
        /// The friend.
        friend: Username,
        /// The field: "remark", "extension" or "server_extension".
        field: &'static str,
    },
    /// The records hold one direction only, though both users are among them.
    #[error("{owner} has the friend {friend}, who has no friend {owner} in return")]
    OneSided {
        /// The user who has the other in the list.
        owner: Username,
        /// The user who has not.
        friend: Username,
    },
    /// A block of the records does not exist.
    #[error("{owner} does not block {blocked}")]
    MissingBlock {
        /// The owner of the list.
        owner: Username,
        /// The blocked user.
        blocked: Username,
    },
    /// A block exists for which there is no record.
    #[error("{owner} blocks {blocked}, for which there is no record")]
    ExtraBlock {
        /// The owner of the list.
        owner: Username,
        /// The blocked user.
        blocked: Username,
    },
    /// The same blocks are in another order.
    #[error("the block list of {0} is in another order")]
    OtherBlockOrder(Username),
}

impl Difference {
    /// The kind as a report names and counts it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MissingUser(_) => "users missing",
            Self::OtherUser { .. } => "users that differ",
            Self::MissingFriend { .. } => "friends missing",
            Self::ExtraFriend { .. } => "friends too many",
            Self::OtherText { .. } => "texts that differ",
            Self::OneSided { .. } => "one-sided friendships",
            Self::MissingBlock { .. } => "blocks missing",
            Self::ExtraBlock { .. } => "blocks too many",
            Self::OtherBlockOrder(_) => "block lists in another order",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_in_the_order_of_files_and_lines() {
        let place = |file, line| Place { file, line };
        let ascending = [place(0, 1), place(0, 2), place(1, 1), place(65535, (1 << 40) - 1)];
        for pair in ascending.windows(2) {
            assert!(pair[0].as_i64() < pair[1].as_i64());
        }
        for place in ascending {
            assert_eq!(Place::from_i64(place.as_i64()), place);
        }
    }

    #[test]
    fn a_text_that_is_left_out_agrees_with_any() {
        let texts = EntryTexts { remark: Some("x".to_owned()), ..EntryTexts::default() };
        assert!(texts.agree_with("x", "any", "any"));
        assert!(!texts.agree_with("y", "any", "any"));
    }
}
