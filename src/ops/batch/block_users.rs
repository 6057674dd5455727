//! BlockUsers: the calls of a batch block in one transaction.

use std::iter;

use tokio::time::Instant;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{Error, UserRef, Username},
    ops::{
        changes::{
            block,
            heads::Heads,
            list_changes::{Events, ListChanges},
        },
        core::Context,
    },
    store::Db,
};

/// How many users a call in a brief batch may block. A call with more of them runs alone, because the
/// other calls of the batch would wait for it.
const MAX_USERS_IN_BRIEF_BATCH: usize = 16;

/// Users whom the owner is to block, all or none. None of them is the owner, and each is there once.
pub(in crate::ops) struct BlockUsers {
    pub(in crate::ops) context: Context,
    pub(in crate::ops) owner: Username,
    pub(in crate::ops) users: Vec<Username>,
}

impl BlockUsers {
    fn owner(&self) -> UserRef<'_> {
        self.context.user(&self.owner)
    }

    fn pairs(&self) -> impl Iterator<Item = [UserRef<'_>; 2]> {
        iter::repeat(self.owner())
            .zip(&self.users)
            .map(|(owner, user)| [owner, self.context.user(user)])
    }

    fn decide<'a>(
        &'a self,
        changes: &mut ListChanges<'a>,
        pairs: &[[UserRef<'a>; 2]],
    ) -> Result<(), Error> {
        let owner = self.owner();
        changes.heads.user(owner)?;
        for [_, user] in pairs {
            changes.heads.user(*user)?;
        }
        let users = pairs.iter().map(|[_, user]| *user);
        let now = changes.now;
        Ok(block::make(changes, &self.context.app, owner, users, now, Events::Record)?)
    }
}

impl BatchItem for BlockUsers {
    type Answer = ();

    const INLINE: bool = false;

    fn db(&self) -> &Db {
        &self.context.core.db
    }

    fn deadline(&self) -> Instant {
        self.context.deadline
    }

    async fn run(items: &[Self], batch: Batch) -> Result<Vec<Outcome<()>>, Error> {
        let Some(first) = items.first() else { return Ok(Vec::new()) };
        let core = &first.context.core;
        let fits = |item: &Self| !batch.brief || item.users.len() <= MAX_USERS_IN_BRIEF_BATCH;
        if !items.iter().any(fits) {
            return Ok(items.iter().map(|_| Outcome::RunAlone).collect());
        }
        let mut tx = core.db.begin_batch(batch.deadline, batch.brief).await?;
        let pairs: Vec<Vec<[UserRef<'_>; 2]>> = items
            .iter()
            .map(|item| if fits(item) { item.pairs().collect() } else { Vec::new() })
            .collect();
        // The blocked users are locked too: none of them can be deleted meanwhile, and the requests
        // that they sent to the owner are cancelled.
        let owners = items.iter().filter(|item| fits(item)).map(|item| item.owner().key);
        let keys = pairs.iter().flatten().flatten().map(|user| user.key).chain(owners);
        let heads = Heads::lock(&mut tx, keys).await?;
        let mut changes = ListChanges::new(core, heads);
        block::read_pairs(&mut changes, &mut tx, &pairs.concat()).await?;
        let mut outcomes = Vec::with_capacity(items.len());
        for (item, pairs) in items.iter().zip(&pairs) {
            outcomes.push(if fits(item) {
                Outcome::Done(item.decide(&mut changes, pairs))
            } else {
                Outcome::RunAlone
            });
        }
        if !changes.is_empty() {
            changes.commit(tx, core).await?;
        }
        Ok(outcomes)
    }
}
