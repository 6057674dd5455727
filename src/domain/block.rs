//! Block lists: directed entries, apart from friendships.

use super::Username;

/// The newest entries of a block list and the size of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedUsers {
    /// The newest first.
    pub newest: Vec<Username>,
    /// How many there are in all.
    pub count: i32,
}
