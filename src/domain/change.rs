//! Following a list: its changes since a version, and the position of a follower.

use time::OffsetDateTime;

use super::{Error, Friend, Invalid, Username};

/// A change of a friend list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FriendChange {
    /// The entry was added or changed; this is its present state.
    Upserted(Friend),
    /// The entry was removed.
    Removed {
        /// The former friend.
        username: Username,
        /// The owner's version of the removal.
        version: i64,
    },
}

impl FriendChange {
    /// The entry, unless it was removed.
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
    /// The other user.
    pub username: Username,
    /// Whether the owner blocks the other user now.
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

/// How far a follower of a list has read: up to a version, perhaps in the middle of several pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPosition {
    /// Up to which version the changes were read.
    pub version: i64,
    /// Up to which version tombstones had been purged when the follower read the first of these pages;
    /// `None` when there are no more pages.
    pub purged_to: Option<i64>,
    /// The follower is in the middle of a full resync, of which nothing may be left out.
    pub in_resync: bool,
}

impl SyncPosition {
    /// The position of a follower that has the list as of `version`.
    #[must_use]
    pub const fn at(version: i64) -> Self {
        Self { version, purged_to: None, in_resync: false }
    }
}

/// The versions of a list that a follower needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListVersion {
    /// The owner's version.
    pub version: i64,
    /// Up to which version tombstones of the list were purged.
    pub purged_to: i64,
}

/// A page of changes for a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage<C> {
    /// Changes in version order.
    pub changes: Vec<C>,
    /// The position after these changes, where the next page begins.
    pub next: SyncPosition,
    /// More changes can be read now.
    pub has_more: bool,
    /// The follower has missed purged tombstones and must drop its copy: these changes are the beginning
    /// of the whole list.
    pub full_resync: bool,
}

impl SyncPosition {
    /// The version after which a follower at this position reads on, and whether this is a full resync:
    /// from version 0, because tombstones that the follower has not read were purged.
    ///
    /// A follower with an empty copy, at version 0, needs no tombstones. Neither does a follower in the
    /// middle of several pages, unless tombstones beyond its version were purged since the first page.
    ///
    /// # Errors
    /// [`Invalid::VersionAhead`] for a version that the list has not reached; [`Invalid::Argument`] for a
    /// negative version.
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
    /// Cuts changes to a page of `size`. One change more than fits was read, to see whether more follow.
    #[must_use]
    pub fn cut(
        mut changes: Vec<C>,
        size: usize,
        head: ListVersion,
        position: SyncPosition,
        full_resync: bool,
    ) -> Self {
        let has_more = changes.len() > size;
        changes.truncate(size);
        let purged_to = position.purged_to.filter(|_| !full_resync).unwrap_or(head.purged_to);
        let next = match changes.last() {
            Some(last) if has_more => SyncPosition {
                version: last.version(),
                purged_to: Some(purged_to),
                in_resync: full_resync || position.in_resync,
            },
            // On the last page the head's version: versions beyond the last change belong to the user's
            // other lists, and need not be read again.
            _ => SyncPosition::at(head.version),
        };
        Self { changes, next, has_more, full_resync }
    }
}

/// Leaves entries out of a sync that were not changed after this time, if there is one.
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
    fn only_a_follower_who_missed_purged_tombstones_resyncs() {
        assert_eq!(read_on(at(4), 9, 5), Some((0, true)));
        assert_eq!(read_on(at(5), 9, 5), Some((5, false)));
        assert_eq!(read_on(at(0), 9, 5), Some((0, false)), "nothing was missed");
        let in_pages = |version| SyncPosition { version, purged_to: Some(5), in_resync: false };
        let paging = in_pages(2);
        assert_eq!(read_on(paging, 9, 5), Some((2, false)), "the purge came before the first page");
        assert_eq!(read_on(paging, 9, 6), Some((0, true)), "more was purged between the pages");
        assert_eq!(read_on(in_pages(7), 9, 6), Some((7, false)), "what was purged had been read");
    }
}
