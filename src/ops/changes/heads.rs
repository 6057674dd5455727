//! The heads of users' lists: locked in the one order that can't deadlock, and the only accounting of
//! counts and versions.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::{
    domain::{Error, ListHead, OwnerKey, User, UserRef},
    store::heads::{self, HeadUpdate, LockedHead},
};

/// The heads that a transaction has locked, with what it adds to them. Updates are counted here and
/// written by [`Heads::apply`].
pub(in crate::ops) struct Heads {
    of: BTreeMap<OwnerKey, Head>,
    /// True after an update of a user who is not locked, because the user's row is gone.
    row_missing: bool,
}

struct Head {
    locked: LockedHead,
    update: HeadUpdate,
}

impl Heads {
    /// Locks the users of `keys`, ascending by key, each once. Users who do not exist are left out.
    pub(in crate::ops) async fn lock(
        tx: &mut PgConnection,
        keys: impl IntoIterator<Item = OwnerKey>,
    ) -> Result<Self, Error> {
        Self::lock_rows(tx, keys, false).await
    }

    /// As [`Self::lock`], with deleted users, whose entries in lists of others may still be there.
    pub(in crate::ops) async fn lock_with_deleted(
        tx: &mut PgConnection,
        keys: impl IntoIterator<Item = OwnerKey>,
    ) -> Result<Self, Error> {
        Self::lock_rows(tx, keys, true).await
    }

    async fn lock_rows(
        tx: &mut PgConnection,
        keys: impl IntoIterator<Item = OwnerKey>,
        with_deleted: bool,
    ) -> Result<Self, Error> {
        let keys: BTreeSet<OwnerKey> = keys.into_iter().collect();
        let locked = heads::lock(tx, &keys, with_deleted).await?;
        let head = |(owner, locked): (OwnerKey, LockedHead)| {
            let update = HeadUpdate {
                owner,
                version_before: locked.account.head.version,
                versions: 0,
                friends: 0,
                blocks: 0,
                incoming_requests: 0,
                outgoing_requests: 0,
            };
            (owner, Head { locked, update })
        };
        Ok(Self { of: locked.into_iter().map(head).collect(), row_missing: false })
    }

    /// A locked user.
    ///
    /// # Errors
    /// `UserNotFound`, also for a deleted user.
    pub(in crate::ops) fn user(&self, user: UserRef<'_>) -> Result<&User, Error> {
        match self.of.get(&user.key) {
            Some(head) if !head.locked.deleted => Ok(&head.locked.account.user),
            _ => Err(Error::UserNotFound(user.name.clone())),
        }
    }

    /// Whether a locked user is deleted and still stands in lists of others.
    pub(in crate::ops) fn is_leaving(&self, key: OwnerKey) -> bool {
        self.of.get(&key).is_some_and(|head| head.locked.leaving)
    }

    /// A locked head with its updates; zeros for a user who is not locked.
    pub(super) fn head(&self, key: OwnerKey) -> ListHead {
        let head = |Head { locked, update }: &Head| {
            let before = locked.account.head;
            ListHead {
                friend_count: before.friend_count + update.friends,
                block_count: before.block_count + update.blocks,
                version: before.version + update.versions,
                incoming_requests: before.incoming_requests + update.incoming_requests,
                outgoing_requests: before.outgoing_requests + update.outgoing_requests,
            }
        };
        self.of.get(&key).map_or_else(ListHead::default, head)
    }

    /// Whether a locked user has sent or received requests that are pending.
    pub(super) fn has_requests(&self, key: OwnerKey) -> bool {
        let head = self.head(key);
        head.incoming_requests + head.outgoing_requests > 0
    }

    /// Takes a locked user's next version, for a change that changes no count.
    pub(in crate::ops) fn next_version(&mut self, key: OwnerKey) -> i64 {
        self.update(key, |_| {})
    }

    /// Counts `by` friends more (or less), and returns the new version.
    pub(super) fn count_friends(&mut self, key: OwnerKey, by: i32) -> i64 {
        self.update(key, |update| update.friends += by)
    }

    /// Counts `by` blocked users more (or less), and returns the new version.
    pub(super) fn count_blocks(&mut self, key: OwnerKey, by: i32) -> i64 {
        self.update(key, |update| update.blocks += by)
    }

    /// Counts `by` pending requests that the user received more (or less), and returns the new version.
    pub(super) fn count_incoming(&mut self, key: OwnerKey, by: i32) -> i64 {
        self.update(key, |update| update.incoming_requests += by)
    }

    /// Counts `by` pending requests that the user sent more (or less), and returns the new version.
    pub(super) fn count_outgoing(&mut self, key: OwnerKey, by: i32) -> i64 {
        self.update(key, |update| update.outgoing_requests += by)
    }

    fn update(&mut self, key: OwnerKey, change: impl FnOnce(&mut HeadUpdate)) -> i64 {
        let Some(head) = self.of.get_mut(&key) else {
            self.row_missing = true;
            return 0;
        };
        change(&mut head.update);
        head.update.versions += 1;
        head.update.version_before + head.update.versions
    }

    /// The users whose lists were changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = OwnerKey> {
        self.updates().map(|update| update.owner)
    }

    fn updates(&self) -> impl Iterator<Item = HeadUpdate> {
        self.of.values().map(|head| head.update).filter(|update| update.versions > 0)
    }

    /// Writes all updates.
    ///
    /// # Errors
    /// `Conflict` when a user's row is gone: a deleted app's rows are deleted batch by batch, while lists
    /// of its other users still name the user.
    pub(super) async fn apply(&self, tx: &mut PgConnection) -> Result<(), Error> {
        if self.row_missing {
            return Err(Error::Conflict);
        }
        let updates: Vec<HeadUpdate> = self.updates().collect();
        if updates.is_empty() {
            return Ok(());
        }
        heads::apply(tx, &updates).await
    }
}
