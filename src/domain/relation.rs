//! How two users stand to each other: what a message service asks before it delivers.

/// The relation of a user to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// They are friends.
    pub is_friend: bool,
    /// The user blocks the other.
    pub blocks: bool,
    /// The other blocks the user.
    pub blocked_by: bool,
}
