//! Tombstones of friends and blocks: their purge after the retention.
//!
//! A follower who has not synced since the purge gets the whole list again: the head of the user's
//! lists keeps up to which version tombstones were purged.

use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::did;
use crate::{
    background_work::Work,
    domain::{Error, OwnerKey},
    ops::{changes::heads::Heads, core::Core},
    store::{blocks, friend_changes, users},
};

/// For how many users tombstones are looked up at once.
const BATCH: i64 = 200;

/// Which of a user's lists.
#[derive(Clone, Copy)]
enum List {
    Friends,
    Blocks,
}

/// Removes tombstones that are older than the retention until none are left, a transaction for each
/// user and list.
///
/// # Errors
/// Those of the database.
pub async fn purge(core: &Core, deadline: Instant) -> Result<(), Error> {
    let before = core.clock.now() - core.tombstone_retention;
    for list in [List::Friends, List::Blocks] {
        loop {
            let owners = core.db.read(async |db| list.owners(db, before).await).await?;
            for owner in &owners {
                let mut tx = core.db.begin(deadline).await?;
                Heads::lock_with_deleted(&mut tx, [*owner]).await?;
                list.purge(&mut tx, *owner, before).await?;
                tx.commit().await?;
                did(Work::Tombstones, 1);
            }
            if owners.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

impl List {
    /// Owners of some tombstones of `before` or earlier, the oldest first.
    async fn owners(
        self,
        db: &mut PgConnection,
        before: OffsetDateTime,
    ) -> Result<Vec<OwnerKey>, Error> {
        match self {
            Self::Friends => friend_changes::owners_of_tombstones(db, before, BATCH).await,
            Self::Blocks => blocks::owners_of_tombstones(db, before, BATCH).await,
        }
    }

    /// Removes a locked user's tombstones of `before` or earlier, and records their highest version in
    /// the head.
    async fn purge(
        self,
        db: &mut PgConnection,
        owner: OwnerKey,
        before: OffsetDateTime,
    ) -> Result<(), Error> {
        match self {
            Self::Friends => {
                if let Some(version) = friend_changes::purge(db, owner, before).await? {
                    users::purged_friends_to(db, owner, version).await?;
                }
            }
            Self::Blocks => {
                if let Some(version) = blocks::purge(db, owner, before).await? {
                    users::purged_blocks_to(db, owner, version).await?;
                }
            }
        }
        Ok(())
    }
}
