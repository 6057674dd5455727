//! Records: what moves into and out of an app in bulk, one line of a file each.
//!
//! A member that a record leaves out (`None`) says nothing: what is there stays. An empty text
//! clears.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Invalid, Nickname, Username};

/// Where a record stands: in which file of a run, and at which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the file, from 0.
    pub file: u16,
    /// The line, from 1; of a record over several lines the first.
    pub line: u64,
}

impl Place {
    const LINE_BITS: u32 = 40;

    /// The place as one number, in the order of files and lines.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        let line = i64::try_from(self.line).unwrap_or(i64::MAX).min((1 << Self::LINE_BITS) - 1);
        (i64::from(self.file) << Self::LINE_BITS) | line
    }

    /// The place of such a number.
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
    /// The user's identifier; left out, a new user gets a new one.
    pub uuid: Option<Uuid>,
    /// When the user was created.
    pub created_at: Option<OffsetDateTime>,
    /// When nickname or activation changed last.
    pub modified_at: Option<OffsetDateTime>,
}

/// One direction of a friendship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendRecord {
    /// In whose list.
    pub owner: Username,
    /// Who.
    pub friend: Username,
    /// What the owner wrote about the friend.
    pub texts: EntryTexts,
    /// When the friendship began.
    pub created_at: Option<OffsetDateTime>,
    /// When the entry changed last. Told by an export, and not taken in: for whoever follows the list
    /// an entry changes when it comes in.
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
    /// Whether an entry with these texts would stay as it is.
    #[must_use]
    pub fn agree_with(&self, remark: &str, extension: &str, server_extension: &str) -> bool {
        let agrees = |wanted: &Option<String>, has| wanted.as_ref().is_none_or(|text| text == has);
        agrees(&self.remark, remark)
            && agrees(&self.extension, extension)
            && agrees(&self.server_extension, server_extension)
    }
}

/// An entry of a block list. Of one owner's records a later one is the newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRecord {
    /// In whose list.
    pub owner: Username,
    /// Who.
    pub blocked: Username,
    /// Since when.
    pub created_at: Option<OffsetDateTime>,
}

/// Any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A user.
    User(UserRecord),
    /// One direction of a friendship.
    Friend(FriendRecord),
    /// An entry of a block list.
    Block(BlockRecord),
}

/// Why a record did not go in, or not as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such user.
    #[error("there is no user {0}")]
    NoUser(Username),
    /// The name's former holder is still being taken out of lists.
    #[error("the former user {0} still stands in lists: import again in a moment")]
    StillLeaving(Username),
    /// A friend list is full.
    #[error("the friend list of {username} is full: the limit is {limit}")]
    FriendLimit {
        /// Whose.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// A block list is full.
    #[error("the block list of {username} is full: the limit is {limit}")]
    BlockLimit {
        /// Whose.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// What is there already has other texts, and they stay.
    #[error("is there already with other texts, which stay")]
    OtherTexts,
    /// An earlier record of the same has other texts, and was taken.
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

/// How two lists differ: what the records say, and what is in befriend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A user of the records is not there.
    #[error("user {0} is missing")]
    MissingUser(Username),
    /// A user is something else than the records say.
    #[error("{username}: {field} differs")]
    OtherUser {
        /// Who.
        username: Username,
        /// In what: "nickname", "activated" or "uuid".
        field: &'static str,
    },
    /// An entry of the records is not there.
    #[error("{owner} has no friend {friend}")]
    MissingFriend {
        /// In whose list.
        owner: Username,
        /// Who.
        friend: Username,
    },
    /// An entry is there that no record speaks of, in neither direction.
    #[error("{owner} has a friend {friend} of whom the records know nothing")]
    ExtraFriend {
        /// In whose list.
        owner: Username,
        /// Who.
        friend: Username,
    },
    /// An entry has other texts.
    #[error("{owner} -> {friend}: {field} differs")]
    OtherText {
        /// In whose list.
        owner: Username,
        /// Who.
        friend: Username,
        /// Which: "remark", "extension" or "server_extension".
        field: &'static str,
    },
    /// The records have one direction only, though both users are among them.
    #[error("{owner} has the friend {friend}, who has no friend {owner} in return")]
    OneSided {
        /// Who has the other in the list.
        owner: Username,
        /// Who has not.
        friend: Username,
    },
    /// A block of the records is not there.
    #[error("{owner} does not block {blocked}")]
    MissingBlock {
        /// In whose list.
        owner: Username,
        /// Who.
        blocked: Username,
    },
    /// A block is there that no record speaks of.
    #[error("{owner} blocks {blocked}, of which the records know nothing")]
    ExtraBlock {
        /// In whose list.
        owner: Username,
        /// Who.
        blocked: Username,
    },
    /// The same blocks stand in another order.
    #[error("the block list of {0} stands in another order")]
    OtherBlockOrder(Username),
}

impl Difference {
    /// The kind, for counting, as a report names it.
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
