//! What a vendor's API returns of an app: its users, and the lists of a user.

use crate::transfer::{FriendLine, UserLine};

/// Why the lists of a user are missing: the vendor does not know the user.
pub(super) const UNKNOWN: &str = "is unknown to the vendor";

/// Why the lists of a user are missing: the vendor knew the user when the first page was read.
pub(super) const VANISHED: &str = "became unknown to the vendor while the lists were read";

/// A page of the users of an app.
pub(super) struct UserPage {
    pub(super) users: Vec<UserLine>,
    /// How many users the vendor says there are in it, if it says so.
    pub(super) count: Option<u64>,
    /// Where the next page begins; `None` or empty on the last page.
    pub(super) next: Option<String>,
}

/// The answer to a question for the lists of a user.
pub(super) enum ListsAnswer {
    Lists(Lists),
    /// The vendor does not know the user; the text says more.
    Unknown(String),
    /// The vendor refuses to return the lists of this user; the text is the vendor's.
    Refused(String),
}

/// The lists of a user.
pub(super) struct Lists {
    pub(super) friends: Vec<FriendLine>,
    /// The newest first.
    pub(super) blocked: Vec<String>,
}
