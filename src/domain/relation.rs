//! The relation of two users, which a message service checks before it delivers a message.

/// The relation of a user to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// The two are friends.
    pub is_friend: bool,
    /// The user blocks the other.
    pub blocks: bool,
    /// The other blocks the user.
    pub blocked_by: bool,
}
