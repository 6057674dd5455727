//! Making and ending a block: the one place of these rules.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    list_changes::{Events, ListChanges},
    request,
};
use crate::{
    domain::{App, Error, EventType, NewEvent, UserRef, Username},
    store::blocks::{self, NewBlock, RemovedBlock},
};

/// Reads which of these blocks, each an owner and a blocked user, are live. The owners are locked.
pub(in crate::ops) async fn read_blocks(
    changes: &mut ListChanges<'_>,
    tx: &mut PgConnection,
    wanted: &[[UserRef<'_>; 2]],
) -> Result<(), Error> {
    let keys = |pair: &[UserRef<'_>; 2]| pair.map(|user| user.key);
    let live = blocks::find(tx, wanted).await?;
    changes.blocks.extend(wanted.iter().map(|pair| (keys(pair), false)));
    changes.blocks.extend(live.iter().map(|pair| (keys(pair), true)));
    Ok(())
}

/// Reads what decides whether these owners block these users, all of them locked: the blocks, and the
/// requests that wait between the two.
pub(in crate::ops) async fn read_pairs(
    changes: &mut ListChanges<'_>,
    tx: &mut PgConnection,
    pairs: &[[UserRef<'_>; 2]],
) -> Result<(), Error> {
    read_blocks(changes, tx, pairs).await?;
    request::read_waiting(changes, tx, pairs).await
}

/// Whether the owner blocks a user, after the changes so far.
pub(in crate::ops) fn is_blocked(
    changes: &ListChanges<'_>,
    owner: UserRef<'_>,
    user: UserRef<'_>,
) -> bool {
    let blocked = changes.blocks.get(&[owner.key, user.key]);
    debug_assert!(blocked.is_some(), "the block was not read");
    blocked.copied().unwrap_or_default()
}

/// Whose block list has no room for all of the users, and the limit.
pub(in crate::ops) struct BlockListFull {
    pub(in crate::ops) username: Username,
    pub(in crate::ops) limit: i32,
}

impl From<BlockListFull> for Error {
    fn from(BlockListFull { username, limit }: BlockListFull) -> Self {
        Self::BlockLimitExceeded { username, limit }
    }
}

/// Blocks those users whom the owner does not block yet, all or none. All are locked and were read by
/// [`read_pairs`]. Requests that a blocked user sent to the owner are cancelled.
///
/// # Errors
/// When the list has no room for all of them; nothing is changed then.
pub(in crate::ops) fn make<'a>(
    changes: &mut ListChanges<'a>,
    app: &App,
    owner: UserRef<'a>,
    users: impl Iterator<Item = UserRef<'a>>,
    created_at: OffsetDateTime,
    events: Events,
) -> Result<(), BlockListFull> {
    let new: Vec<UserRef<'a>> = users.filter(|user| !is_blocked(changes, owner, *user)).collect();
    let limit = app.limits.block_limit;
    // A limit that was lowered may be below the count.
    let room = limit.saturating_sub(changes.heads.head(owner.key).block_count);
    if !new.is_empty() && usize::try_from(room).map_or(true, |room| new.len() > room) {
        return Err(BlockListFull { username: owner.name.clone(), limit });
    }
    for blocked in new {
        let version = changes.heads.count_blocks(owner.key, 1);
        changes.blocks.insert([owner.key, blocked.key], true);
        changes.new_blocks.push(NewBlock { owner, blocked, version, created_at });
        if events == Events::Record {
            let event = NewEvent::new(EventType::BlockAdded, owner, version, blocked);
            changes.record(app.id, event);
        }
        request::cancel_incoming(changes, app.id, owner, blocked, events);
    }
    Ok(())
}

/// Ends a live block of a locked owner.
pub(in crate::ops) fn end<'a>(
    changes: &mut ListChanges<'a>,
    app_id: Uuid,
    owner: UserRef<'a>,
    blocked: UserRef<'a>,
) {
    let version = changes.heads.count_blocks(owner.key, -1);
    changes.blocks.insert([owner.key, blocked.key], false);
    changes.removed_blocks.push(RemovedBlock { owner, blocked, version });
    changes.record(app_id, NewEvent::new(EventType::BlockRemoved, owner, version, blocked));
}
