//! Following a list: what changed since a version.

use time::OffsetDateTime;

use super::{Error, Friend, Invalid, Username};

/// A change of a friend list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FriendChange {
    /// The entry is in the list, like this.
    Upserted(Friend),
    /// The entry is gone.
    Removed {
        /// Whose.
        username: Username,
        /// The owner's version of the removal.
        version: i64,
    },
}

impl FriendChange {
    /// The entry, if it is in the list.
    #[must_use]
    pub fn into_upserted(self) -> Option<Friend> {
        match self {
            Self::Upserted(friend) => Some(friend),
            Self::Removed { .. } => None,
        }
    }
}

/// A change of a block list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockChange {
    /// Who.
    pub username: Username,
    /// Whether they are blocked, or not any more.
    pub blocked: bool,
    /// The owner's version of the change.
    pub version: i64,
}

/// A change of either list.
pub trait Change {
    /// The owner's version of the change.
    fn version(&self) -> i64;
}

impl Change for FriendChange {
    fn version(&self) -> i64 {
        match self {
            Self::Upserted(friend) => friend.version,
            Self::Removed { version, .. } => *version,
        }
    }
}

impl Change for BlockChange {
    fn version(&self) -> i64 {
        self.version
    }
}

/// Where a follower of a list is: at a version, and on a walk over the pages that lead there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPosition {
    /// Up to which version the changes were read.
    pub version: i64,
    /// Up to which version tombstones had been purged when the walk began; nothing outside a walk.
    pub purged_to: Option<i64>,
}

impl SyncPosition {
    /// The position of a follower that has the list as of `version`.
    #[must_use]
    pub const fn at(version: i64) -> Self {
        Self { version, purged_to: None }
    }
}

/// The head of a list as a follower needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListVersion {
    /// The owner's version.
    pub version: i64,
    /// Up to which version tombstones of the list were purged.
    pub purged_to: i64,
}

/// What a follower gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage<C> {
    /// Changes in version order.
    pub changes: Vec<C>,
    /// Up to where they go; where to go on.
    pub next: SyncPosition,
    /// More follow at once.
    pub has_more: bool,
    /// What the follower has is worth nothing: these changes are the beginning of the whole.
    pub full_resync: bool,
}

impl SyncPosition {
    /// Where to read on for a follower at this position of a list with that head, and whether from the
    /// very beginning because tombstones that the follower has not seen are gone.
    ///
    /// A follower who begins with nothing needs no tombstones; nor does one on a walk, unless more
    /// were purged since the walk began, beyond where it is.
    ///
    /// # Errors
    /// [`Invalid::VersionAhead`] for a version that the list has not reached; [`Invalid::Argument`] for
    /// one that no list ever has.
    pub fn read_on(self, head: ListVersion) -> Result<(i64, bool), Error> {
        if self.version < 0 {
            return Err(Invalid::argument("since_version", "must not be negative").into());
        }
        if self.version > head.version {
            return Err(Invalid::VersionAhead { version: head.version }.into());
        }
        let known = self.purged_to.unwrap_or(if self.version == 0 { head.purged_to } else { 0 });
        let missed = head.purged_to > self.version.max(known);
        Ok(if missed { (0, true) } else { (self.version, false) })
    }
}

impl<C: Change> SyncPage<C> {
    /// Cuts changes, of which one more than wanted was read, to a page.
    #[must_use]
    pub fn cut(
        mut changes: Vec<C>,
        held: usize,
        head: ListVersion,
        position: SyncPosition,
        full_resync: bool,
    ) -> Self {
        let has_more = changes.len() > held;
        changes.truncate(held);
        let walking_since = position.purged_to.filter(|_| !full_resync).unwrap_or(head.purged_to);
        let next = match changes.last() {
            Some(last) if has_more => {
                SyncPosition { version: last.version(), purged_to: Some(walking_since) }
            }
            // At the end the head: changes of other lists need not be asked for again.
            _ => SyncPosition::at(head.version),
        };
        Self { changes, next, has_more, full_resync }
    }
}

/// Which entries to leave out of a sync: those not changed after a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpdatedAfter(pub Option<OffsetDateTime>);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(version: i64) -> SyncPosition {
        SyncPosition::at(version)
    }

    fn read_on(position: SyncPosition, version: i64, purged_to: i64) -> Option<(i64, bool)> {
        position.read_on(ListVersion { version, purged_to }).ok()
    }

    #[test]
    fn a_follower_reads_on_from_their_version_and_not_ahead_of_the_list() {
        assert_eq!(read_on(at(0), 9, 0), Some((0, false)));
        assert_eq!(read_on(at(9), 9, 0), Some((9, false)));
        assert_eq!(read_on(at(10), 9, 0), None);
        assert_eq!(read_on(at(-1), 9, 0), None);
    }

    #[test]
    fn who_missed_purged_tombstones_begins_anew_and_nobody_else() {
        assert_eq!(read_on(at(4), 9, 5), Some((0, true)));
        assert_eq!(read_on(at(5), 9, 5), Some((5, false)));
        assert_eq!(read_on(at(0), 9, 5), Some((0, false)), "nothing was missed");
        let walking = SyncPosition { version: 2, purged_to: Some(5) };
        assert_eq!(read_on(walking, 9, 5), Some((2, false)), "its walk began after the purge");
        assert_eq!(read_on(walking, 9, 6), Some((0, true)), "more was purged during its walk");
        let beyond = SyncPosition { version: 7, purged_to: Some(5) };
        assert_eq!(read_on(beyond, 9, 6), Some((7, false)), "purged before where it is");
    }
}
