//! Block lists: directed entries, independent of friendships.

use super::Username;

/// The newest entries of a block list, and the size of the whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedUsers {
    /// The blocked users, the newest block first.
    pub newest: Vec<Username>,
    /// How many users are blocked in all.
    pub count: i32,
}
