//! SyncFriends, SyncBlocks and watchers: changes of several lists are read by one statement. Followers
//! read often, and mostly nothing has changed.

use std::fmt;

use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{BlockChange, Change, Error, FriendChange, UpdatedAfter},
    ops::core::Context,
    store::{
        Db, blocks,
        changes::{Headed, Since},
        friend_changes,
    },
};

/// The heads and the changes of many lists; `None` for a list whose owner does not exist.
type Lists<C> = Result<Vec<Option<Headed<C>>>, Error>;

/// A list whose changes can be read.
pub trait FollowedList: Copy + Send + Sync + fmt::Debug + 'static {
    /// A change of such a list.
    type Change: Change + Send + 'static;

    /// The list of which nothing is left out: a follower who drops their copy needs all of it.
    #[must_use]
    fn whole(self) -> Self;

    /// The heads of lists, and changes of each after a version, in the order of their versions.
    #[doc(hidden)]
    fn read(
        db: &mut PgConnection,
        items: &[SyncList<Self>],
    ) -> impl Future<Output = Lists<Self::Change>> + Send;
}

/// The friend list, without entries that were not changed after the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Friends(pub UpdatedAfter);

/// The block list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks;

impl FollowedList for Friends {
    type Change = FriendChange;

    fn whole(self) -> Self {
        Self::default()
    }

    async fn read(db: &mut PgConnection, items: &[SyncList<Self>]) -> Lists<FriendChange> {
        friend_changes::changes(db, items.iter().map(|item| (item.since, item.list.0))).await
    }
}

impl FollowedList for Blocks {
    type Change = BlockChange;

    fn whole(self) -> Self {
        self
    }

    async fn read(db: &mut PgConnection, items: &[SyncList<Self>]) -> Lists<BlockChange> {
        blocks::changes(db, items.iter().map(|item| item.since)).await
    }
}

/// A list, and the version after which its changes are wanted.
#[derive(Debug)]
pub struct SyncList<L> {
    pub(in crate::ops) context: Context,
    pub(in crate::ops) list: L,
    pub(in crate::ops) since: Since,
}

impl<L: FollowedList> BatchItem for SyncList<L> {
    /// `None` when there is no such user.
    type Answer = Option<Headed<L::Change>>;

    const INLINE: bool = true;

    fn db(&self) -> &Db {
        &self.context.core.db
    }

    fn deadline(&self) -> Instant {
        self.context.deadline
    }

    fn app_id(&self) -> Uuid {
        self.context.app.id
    }

    async fn run(items: &[Self], _: Batch) -> Result<Vec<Outcome<Self::Answer>>, Error> {
        let Some(first) = items.first() else { return Ok(Vec::new()) };
        let lists = first.db().read_once(async |db| L::read(db, items).await).await?;
        Ok(lists.into_iter().map(|list| Outcome::Done(Ok(list))).collect())
    }
}
