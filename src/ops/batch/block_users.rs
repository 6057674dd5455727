//! BlockUsers: the calls of a batch block in one transaction.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{Audited, Author, Error, UserRef, Username, facts},
    ops::{
        audits,
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
    /// Who calls, unless it is the app itself.
    pub(in crate::ops) author: Option<Arc<Author>>,
}

impl BlockUsers {
    fn owner(&self) -> UserRef<'_> {
        self.context.user(&self.owner)
    }

    fn change(&self) -> Audited {
        let change = Audited::new("BlockService/BlockUsers").in_app(&self.context.app);
        let usernames: Vec<&str> = self.users.iter().map(Username::as_str).collect();
        change.of(&self.owner).after(facts(json!({ "usernames": usernames })))
    }

    fn decide<'a>(
        &'a self,
        changes: &mut ListChanges<'a>,
        owner: UserRef<'a>,
        pairs: &[[UserRef<'a>; 2]],
    ) -> Result<(), Error> {
        changes.on_behalf_of(&self.context.trace);
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

    fn app_id(&self) -> Uuid {
        self.context.app.id
    }

    async fn run(items: &[Self], batch: Batch) -> Result<Vec<Outcome<()>>, Error> {
        let Some(first) = items.first() else { return Ok(Vec::new()) };
        let core = &first.context.core;
        let fits = |item: &Self| !batch.brief || item.users.len() <= MAX_USERS_IN_BRIEF_BATCH;
        if !items.iter().any(fits) {
            return Ok(items.iter().map(|_| Outcome::RunAlone).collect());
        }
        let mut tx = core.db.begin_batch(batch.deadline, batch.brief).await?;
        let mut pairs: Vec<[UserRef<'_>; 2]> = Vec::with_capacity(items.len());
        let mut owners: Vec<Option<UserRef<'_>>> = Vec::with_capacity(items.len());
        for item in items {
            let owner = fits(item).then(|| item.owner());
            if let Some(owner) = owner {
                pairs.extend(item.users.iter().map(|user| [owner, item.context.user(user)]));
            }
            owners.push(owner);
        }
        // The blocked users are locked too: none of them can be deleted meanwhile, and the requests
        // that they sent to the owner are cancelled.
        let users = owners.iter().flatten().chain(pairs.iter().map(|[_, user]| user));
        let heads = Heads::lock(&mut tx, users.map(|user| user.key)).await?;
        let mut changes = ListChanges::new(core, heads);
        block::read_pairs(&mut changes, &mut tx, &pairs).await?;
        let (mut outcomes, mut recorded) = (Vec::with_capacity(items.len()), Vec::new());
        let mut pairs = &*pairs;
        for (item, owner) in items.iter().zip(owners) {
            let Some(owner) = owner else {
                outcomes.push(Outcome::RunAlone);
                continue;
            };
            let (of_item, rest) = pairs.split_at(item.users.len());
            let decided = item.decide(&mut changes, owner, of_item);
            if decided.is_ok() {
                let author = item.author.as_deref();
                let change = || item.change();
                recorded.extend(audits::record_unless_app(core, &mut tx, author, change).await?);
            }
            outcomes.push(Outcome::Done(decided));
            pairs = rest;
        }
        if !changes.is_empty() || !recorded.is_empty() {
            changes.commit(tx, core).await?;
            audits::log(recorded);
        }
        Ok(outcomes)
    }
}
