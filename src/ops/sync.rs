//! Following a list: what changed since a version, and the purge of old tombstones.

use tokio::time::Instant;

use super::{Call, Core, found};
use crate::{
    domain::{
        BlockChange, Change, Error, FriendChange, ListVersion, OwnerKey, PageSize, SyncPage,
        SyncPosition, UpdatedAfter, Username,
    },
    store::{blocks, friend_changes, users},
};

/// The head of a list and changes of it; nothing when there is no such user.
type Read<C> = Result<Option<(ListVersion, Vec<C>)>, Error>;

/// Which of a user's lists is followed.
pub trait List: Copy + Send + Sync {
    /// What changes in it.
    type Change: Change + Send;

    /// The list's head and changes after a version, in order; nothing when there is no such user.
    #[doc(hidden)]
    fn changes(
        self,
        db: &mut sqlx::PgConnection,
        owner: OwnerKey,
        after: i64,
        rows: i64,
    ) -> impl Future<Output = Read<Self::Change>> + Send;
}

/// The friend list; entries that were not changed after the time are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Friends(pub UpdatedAfter);

/// The block list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks;

impl List for Friends {
    type Change = FriendChange;

    async fn changes(
        self,
        db: &mut sqlx::PgConnection,
        owner: OwnerKey,
        after: i64,
        rows: i64,
    ) -> Read<FriendChange> {
        friend_changes::changes(db, owner, after, rows, self.0).await
    }
}

impl List for Blocks {
    type Change = BlockChange;

    async fn changes(
        self,
        db: &mut sqlx::PgConnection,
        owner: OwnerKey,
        after: i64,
        rows: i64,
    ) -> Read<BlockChange> {
        blocks::changes(db, owner, after, rows).await
    }
}

/// What changed in a user's list since a position.
///
/// Versions are taken under the owner's lock, so they become visible in their order: whoever has read
/// up to a version has missed nothing below it.
///
/// # Errors
/// `UserNotFound`, `VersionAhead`.
pub async fn changes<L: List>(
    call: &Call,
    list: L,
    owner: &Username,
    position: SyncPosition,
    size: PageSize,
) -> Result<SyncPage<L::Change>, Error> {
    call.core
        .db
        .retrying(|| async {
            let read = async |after: i64| {
                let mut db = call.core.db.read().await?;
                let rows = size.rows_to_read();
                let changes = list.changes(&mut db, call.key(owner), after, rows).await;
                found(db.done(changes)?, owner)
            };
            let (mut head, mut changes) = read(position.version).await?;
            let (_, full_resync) = position.read_on(head)?;
            if full_resync {
                (head, changes) = read(0).await?;
            }
            Ok(SyncPage::cut(changes, size.entries(), head, position, full_resync))
        })
        .await
}

/// Removes tombstones that are older than they are kept, a user at a time, until none are left.
///
/// # Errors
/// Those of the database; the next time goes on where this one stopped.
pub async fn purge_tombstones(core: &Core, deadline: Instant) -> Result<(), Error> {
    const BATCH: i64 = 200;
    let before = core.clock.now() - core.tombstone_retention;
    loop {
        let mut db = core.db.read().await?;
        let owners = friend_changes::owners_of_tombstones(&mut db, before, BATCH).await;
        let owners = db.done(owners)?;
        for owner in &owners {
            let mut tx = core.db.begin(deadline).await?;
            users::lock_even_deleted(&mut tx, *owner).await?;
            if let Some(version) = friend_changes::purge(&mut tx, *owner, before).await? {
                users::purged_friends_to(&mut tx, *owner, version).await?;
            }
            tx.commit().await?;
        }
        if owners.is_empty() {
            break;
        }
    }
    loop {
        let mut db = core.db.read().await?;
        let owners = blocks::owners_of_tombstones(&mut db, before, BATCH).await;
        let owners = db.done(owners)?;
        for owner in &owners {
            let mut tx = core.db.begin(deadline).await?;
            users::lock_even_deleted(&mut tx, *owner).await?;
            if let Some(version) = blocks::purge(&mut tx, *owner, before).await? {
                users::purged_blocks_to(&mut tx, *owner, version).await?;
            }
            tx.commit().await?;
        }
        if owners.is_empty() {
            return Ok(());
        }
    }
}
