//! AddFriend: the calls of a batch make their friends in one transaction.
//!
//! All users are locked first, then each call is decided in memory as if it came after the one before
//! it, and then each table is written by one statement.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{Audited, Author, Error, Extension, Friend, User, UserRef, Username, facts},
    ops::{
        audits,
        changes::{
            friendship::{self, NewTexts, Side},
            heads::Heads,
            list_changes::{Events, ListChanges},
        },
        core::Context,
    },
    store::Db,
};

/// Two users who are to become friends, on behalf of the owner.
pub(in crate::ops) struct AddFriend {
    pub(in crate::ops) context: Context,
    pub(in crate::ops) owner: Username,
    pub(in crate::ops) friend: Username,
    pub(in crate::ops) server_extension: Extension,
    /// Who calls, unless it is the app itself.
    pub(in crate::ops) author: Option<Arc<Author>>,
}

/// Two users who are friends.
#[derive(Clone, Debug)]
pub struct Added {
    /// The owner's identifier, as [`User::uuid`].
    pub owner_uuid: Uuid,
    /// The friend's profile.
    pub friend: User,
    /// The owner's entry of the friend.
    pub entry: Friend,
}

impl AddFriend {
    fn pair(&self) -> [UserRef<'_>; 2] {
        [self.context.user(&self.owner), self.context.user(&self.friend)]
    }

    fn change(&self) -> Audited {
        let change = Audited::new("FriendService/AddFriend").in_app(&self.context.app);
        change.of(&self.owner).after(facts(json!({ "friend": self.friend.as_str() })))
    }

    fn decide<'a>(
        &'a self,
        changes: &mut ListChanges<'a>,
        [owner, friend]: [UserRef<'a>; 2],
    ) -> Result<Added, Error> {
        changes.on_behalf_of(&self.context.trace);
        let owner_uuid = changes.heads.user(owner)?.uuid;
        let profile = changes.heads.user(friend)?.clone();
        if !friendship::are_friends(changes, owner, friend) {
            let server_extension = self.server_extension.as_str();
            let owners = Side::new(owner, NewTexts { server_extension, ..NewTexts::default() });
            let friends = Side::new(friend, NewTexts::default());
            friendship::make(changes, &self.context.app, [owners, friends], Events::Record)?;
        }
        let entry = friendship::entry(changes, owner, friend);
        let entry = entry.ok_or_else(|| Error::Internal("a new friend is missing".to_owned()))?;
        Ok(Added { owner_uuid, friend: profile, entry })
    }
}

impl BatchItem for AddFriend {
    type Answer = Added;

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

    async fn run(items: &[Self], batch: Batch) -> Result<Vec<Outcome<Added>>, Error> {
        let Some(first) = items.first() else { return Ok(Vec::new()) };
        let core = &first.context.core;
        let mut tx = core.db.begin_batch(batch.deadline, batch.brief).await?;
        let pairs: Vec<[UserRef<'_>; 2]> = items.iter().map(Self::pair).collect();
        let heads = Heads::lock(&mut tx, pairs.iter().flatten().map(|user| user.key)).await?;
        let mut changes = ListChanges::new(core, heads);
        friendship::read_pairs(&mut changes, &mut tx, &pairs).await?;
        let (mut outcomes, mut recorded) = (Vec::with_capacity(items.len()), Vec::new());
        for (item, pair) in items.iter().zip(pairs) {
            let decided = item.decide(&mut changes, pair);
            if decided.is_ok() {
                let author = item.author.as_deref();
                let change = || item.change();
                recorded.extend(audits::record_unless_app(core, &mut tx, author, change).await?);
            }
            outcomes.push(Outcome::Done(decided));
        }
        if !changes.is_empty() || !recorded.is_empty() {
            changes.commit(tx, core).await?;
            audits::log(recorded);
        }
        Ok(outcomes)
    }
}
