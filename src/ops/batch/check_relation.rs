//! CheckRelations of one other user: what a message service asks before every message.

use tokio::time::Instant;
use uuid::Uuid;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{Error, OwnerKey, Relation, Username},
    ops::core::Context,
    store::{Db, relations},
};

/// A check of how a user stands to one other.
pub(in crate::ops) struct CheckRelation {
    pub(in crate::ops) context: Context,
    pub(in crate::ops) user: OwnerKey,
    pub(in crate::ops) other: Username,
}

impl BatchItem for CheckRelation {
    /// `None` when there is no such user.
    type Answer = Option<Relation>;

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

    async fn run(items: &[Self], _: Batch) -> Result<Vec<Outcome<Option<Relation>>>, Error> {
        let Some(first) = items.first() else { return Ok(Vec::new()) };
        let relations = first.db().read_once(async |db| {
            relations::check_pairs(db, items.iter().map(|item| (item.user, &item.other))).await
        });
        Ok(relations.await?.into_iter().map(|relation| Outcome::Done(Ok(relation))).collect())
    }
}
