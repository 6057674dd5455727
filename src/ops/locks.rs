//! Locking users in the one order that can't deadlock, ascending by key; and what a transaction takes
//! from those it has locked.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::{
    domain::{Error, OwnerKey},
    store::{
        heads::{self, Taken},
        users::Account,
    },
};

/// Users whose rows this transaction has locked.
pub(super) struct Locked(BTreeMap<OwnerKey, Account>);

impl Locked {
    /// Locks the users of `keys`; one named twice is locked once, one who does not exist is left out.
    pub(super) async fn all(
        db: &mut PgConnection,
        keys: impl IntoIterator<Item = OwnerKey>,
    ) -> Result<Self, Error> {
        let ascending: BTreeSet<OwnerKey> = keys.into_iter().collect();
        let ascending: Vec<OwnerKey> = ascending.into_iter().collect();
        Ok(Self(heads::lock(db, &ascending).await?.into_iter().collect()))
    }

    /// One of them, as it was when it was locked; nothing when there is no such user.
    pub(super) fn get(&self, key: OwnerKey) -> Option<&Account> {
        self.0.get(&key)
    }
}

/// What a transaction takes from the heads of users whom it has locked: versions, and places for
/// friends and for blocked users. It is counted here, and written at once by [`heads::advance`].
pub(super) struct Ledger<'a> {
    locked: &'a Locked,
    taken: BTreeMap<OwnerKey, Taken>,
}

impl<'a> Ledger<'a> {
    /// Nothing is taken yet.
    pub(super) fn new(locked: &'a Locked) -> Self {
        Self { locked, taken: BTreeMap::new() }
    }

    /// How many friends a user has, with those who were counted here.
    pub(super) fn friend_count(&self, key: OwnerKey) -> i32 {
        let before = self.locked.get(key).map_or(0, |account| account.head.friend_count);
        before + self.taken.get(&key).map_or(0, |taken| taken.friends)
    }

    /// How many users a user blocks, with those who were counted here.
    pub(super) fn block_count(&self, key: OwnerKey) -> i32 {
        let before = self.locked.get(key).map_or(0, |account| account.head.block_count);
        before + self.taken.get(&key).map_or(0, |taken| taken.blocks)
    }

    /// Counts a friend more of a user who may have up to `limit`, and returns the new version.
    pub(super) fn take_friend(&mut self, key: OwnerKey, limit: i32) -> i64 {
        let taken = self.of(key);
        taken.friends += 1;
        taken.friend_limit = taken.friend_limit.max(limit);
        self.take_version(key)
    }

    /// Counts a blocked user more of one who may have up to `limit`, and returns the new version.
    pub(super) fn take_block(&mut self, key: OwnerKey, limit: i32) -> i64 {
        let taken = self.of(key);
        taken.blocks += 1;
        taken.block_limit = taken.block_limit.max(limit);
        self.take_version(key)
    }

    /// Takes a user's next version.
    pub(super) fn take_version(&mut self, key: OwnerKey) -> i64 {
        let taken = self.of(key);
        taken.versions += 1;
        taken.before + taken.versions
    }

    fn of(&mut self, key: OwnerKey) -> &mut Taken {
        let before = self.locked.get(key).map_or(0, |account| account.head.version);
        self.taken.entry(key).or_insert(Taken {
            owner: key,
            before,
            versions: 0,
            friends: 0,
            friend_limit: 0,
            blocks: 0,
            block_limit: 0,
        })
    }

    /// Whether a version was taken here.
    pub(super) fn took(&self, key: OwnerKey, version: i64) -> bool {
        self.taken.get(&key).is_some_and(|taken| version > taken.before)
    }

    /// What was taken of whom, in key order.
    pub(super) fn taken(&self) -> Vec<Taken> {
        self.taken.values().copied().collect()
    }
}
