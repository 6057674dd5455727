//! SetRemark and UpdateFriend: the calls of a batch change their entries in one transaction.

use std::collections::HashSet;

use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::batcher::{Batch, BatchItem, Outcome};
use crate::{
    domain::{EntryChange, Error, Friend, OwnerKey, UserRef, Username},
    ops::{
        changes::{friendship, heads::Heads, list_changes::ListChanges},
        core::Context,
    },
    store::{Db, users},
};

/// A change of the owner's entry of a friend.
pub(in crate::ops) struct UpdateFriend {
    pub(in crate::ops) context: Context,
    pub(in crate::ops) owner: Username,
    pub(in crate::ops) friend: Username,
    pub(in crate::ops) change: EntryChange,
}

impl UpdateFriend {
    fn pair(&self) -> [UserRef<'_>; 2] {
        [self.context.user(&self.owner), self.context.user(&self.friend)]
    }
}

impl BatchItem for UpdateFriend {
    /// The entry after the change.
    type Answer = Friend;

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

    async fn run(items: &[Self], batch: Batch) -> Result<Vec<Outcome<Friend>>, Error> {
        let Some(first) = items.first() else { return Ok(Vec::new()) };
        let core = &first.context.core;
        let mut tx = core.db.begin_batch(batch.deadline, batch.brief).await?;
        let pairs: Vec<[UserRef<'_>; 2]> = items.iter().map(Self::pair).collect();
        let heads = Heads::lock(&mut tx, pairs.iter().map(|[owner, _]| owner.key)).await?;
        let mut changes = ListChanges::new(core, heads);
        friendship::read_entries(&mut changes, &mut tx, &pairs).await?;
        let strangers = strangers(&changes, &mut tx, &pairs).await?;
        let mut outcomes = Vec::with_capacity(items.len());
        for (item, [owner, friend]) in items.iter().zip(pairs) {
            changes.on_behalf_of(&item.context.trace);
            let updated = changes.heads.user(owner).map(drop).and_then(|()| {
                if strangers.missing(friend) {
                    return Err(Error::UserNotFound(friend.name.clone()));
                }
                let app_id = item.context.app.id;
                friendship::update(&mut changes, app_id, owner, friend, &item.change)
            });
            outcomes.push(Outcome::Done(updated));
        }
        if !changes.is_empty() {
            changes.commit(tx, core).await?;
        }
        Ok(outcomes)
    }
}

/// The users whom items name as friends and who are not, and which of these users exist.
#[derive(Default)]
struct Strangers {
    all: HashSet<OwnerKey>,
    existing: HashSet<OwnerKey>,
}

impl Strangers {
    fn missing(&self, user: UserRef<'_>) -> bool {
        self.all.contains(&user.key) && !self.existing.contains(&user.key)
    }
}

/// Finds the strangers of a batch, because an error says whether the named user does not exist or is no
/// friend. Nearly every item has its entry, so this statement hardly ever runs.
async fn strangers(
    changes: &ListChanges<'_>,
    tx: &mut PgConnection,
    pairs: &[[UserRef<'_>; 2]],
) -> Result<Strangers, Error> {
    let without_entry =
        pairs.iter().filter(|[owner, friend]| !friendship::are_friends(changes, *owner, *friend));
    let all: HashSet<OwnerKey> = without_entry.map(|[_, friend]| friend.key).collect();
    if all.is_empty() {
        return Ok(Strangers::default());
    }
    let keys: Vec<OwnerKey> = all.iter().copied().collect();
    let existing = users::versions(tx, &keys).await?.into_iter().map(|(key, _)| key).collect();
    Ok(Strangers { all, existing })
}
