//! ListFriends: pages of several friend lists are read by one statement.

use tokio::time::Instant;
use uuid::Uuid;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{Error, OwnerKey, PageSize},
    ops::core::Context,
    store::{
        Db,
        friend_lists::{self, Entries},
    },
};

/// A page of a friend list, after the name `after`.
pub(in crate::ops) struct ListFriends {
    pub(in crate::ops) context: Context,
    pub(in crate::ops) owner: OwnerKey,
    pub(in crate::ops) after: String,
    pub(in crate::ops) size: PageSize,
}

impl BatchItem for ListFriends {
    /// `None` when there is no such user.
    type Answer = Option<Entries>;

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
        let pages = first.db().read_once(async |db| {
            let wanted = items.iter().map(|item| (item.owner, item.after.as_str(), item.size));
            friend_lists::pages(db, wanted).await
        });
        Ok(pages.await?.into_iter().map(|page| Outcome::Done(Ok(page))).collect())
    }
}
