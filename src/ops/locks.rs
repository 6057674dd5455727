//! Locking users in the one order that can't deadlock: ascending by key, one statement each.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    domain::{Error, OwnerKey},
    store::users::{self, Account},
};

/// Users whose rows this transaction has locked.
pub(super) struct Locked(BTreeMap<OwnerKey, Account>);

impl Locked {
    /// Locks the users of `keys`; one named twice is locked once, one who does not exist is left out.
    pub(super) async fn all(
        db: &mut PgConnection,
        keys: impl IntoIterator<Item = OwnerKey>,
    ) -> Result<Self, Error> {
        let ascending: std::collections::BTreeSet<OwnerKey> = keys.into_iter().collect();
        let mut locked = BTreeMap::new();
        for key in ascending {
            if let Some(account) = users::lock(db, key).await? {
                locked.insert(key, account);
            }
        }
        Ok(Self(locked))
    }

    /// One of them, as it was when it was locked; nothing when there is no such user.
    pub(super) fn get(&self, key: OwnerKey) -> Option<&Account> {
        self.0.get(&key)
    }
}
