//! Following a list: what changed since a version.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::{
    Call, Turns,
    coalesce::{Coalescer, Outcome, Shared, Turn},
    found,
};
use crate::{
    domain::{
        BlockChange, Change, Error, FriendChange, PageSize, SyncPage, SyncPosition, UpdatedAfter,
        Username,
    },
    store::{
        Db, blocks,
        changes::{Headed, Since},
        friend_changes,
    },
};

/// Of many lists the heads and changes; nothing where there is no such user.
type Read<C> = Result<Vec<Option<Headed<C>>>, Error>;

/// Which of a user's lists is followed.
pub trait List: Copy + Send + Sync + fmt::Debug + 'static {
    /// What changes in it.
    type Change: Change + Send + 'static;

    /// Where those meet who ask for changes of such lists.
    #[doc(hidden)]
    fn turns(turns: &Turns) -> &Arc<Coalescer<Changes<Self>>>;

    /// The heads of lists, and changes of each after a version, in order.
    #[doc(hidden)]
    fn read(
        db: &mut sqlx::PgConnection,
        asked: &[Changes<Self>],
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

    fn turns(turns: &Turns) -> &Arc<Coalescer<Changes<Self>>> {
        &turns.friend_changes
    }

    async fn read(db: &mut sqlx::PgConnection, asked: &[Changes<Self>]) -> Read<FriendChange> {
        friend_changes::changes(db, asked.iter().map(|one| (one.since, one.list.0))).await
    }
}

impl List for Blocks {
    type Change = BlockChange;

    fn turns(turns: &Turns) -> &Arc<Coalescer<Changes<Self>>> {
        &turns.block_changes
    }

    async fn read(db: &mut sqlx::PgConnection, asked: &[Changes<Self>]) -> Read<BlockChange> {
        blocks::changes(db, asked.iter().map(|one| one.since)).await
    }
}

/// A look at what changed in a list: whoever follows one looks often, and mostly nothing has.
#[derive(Debug)]
pub struct Changes<L> {
    call: Call,
    list: L,
    since: Since,
}

impl<L: List> Shared for Changes<L> {
    /// Nothing when there is no such user.
    type Answer = Option<Headed<L::Change>>;

    const SHORT: bool = true;

    fn db(&self) -> &Db {
        &self.call.core.db
    }

    fn deadline(&self) -> Instant {
        self.call.deadline
    }

    async fn together(asked: &[Self], _: Turn) -> Result<Vec<Outcome<Self::Answer>>, Error> {
        let Some(first) = asked.first() else { return Ok(Vec::new()) };
        let lists = first.call.core.db.read_once(async |db| L::read(db, asked).await).await?;
        Ok(lists.into_iter().map(|list| Outcome::Done(Ok(list))).collect())
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
    let read = async |version: i64| {
        let since = Since { owner: call.key(owner), version, rows: size.rows_to_read() };
        let turns = L::turns(&call.core.turns);
        found(turns.join(Changes { call: call.clone(), list, since }).await?, owner)
    };
    let (mut head, mut changes) = read(position.version).await?;
    let (_, full_resync) = position.read_on(head)?;
    if full_resync {
        (head, changes) = read(0).await?;
    }
    Ok(SyncPage::cut(changes, size.entries(), head, position, full_resync))
}
