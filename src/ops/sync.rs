//! Following a list: what changed since a version.

use std::sync::Arc;

use super::{
    batch::{
        Batchers,
        batcher::Batcher,
        sync_list::{FollowedList, SyncList},
    },
    call::Call,
    found,
};
use crate::{
    domain::{Error, PageSize, SyncPage, SyncPosition, Username},
    store::changes::Since,
};

pub use super::batch::sync_list::{Blocks, Friends};

/// A list of a user's that can be followed.
pub trait List: FollowedList {
    /// The batcher by which such lists are read.
    #[doc(hidden)]
    fn batcher(batchers: &Batchers) -> &Arc<Batcher<SyncList<Self>>>;
}

impl List for Friends {
    fn batcher(batchers: &Batchers) -> &Arc<Batcher<SyncList<Self>>> {
        &batchers.friend_changes
    }
}

impl List for Blocks {
    fn batcher(batchers: &Batchers) -> &Arc<Batcher<SyncList<Self>>> {
        &batchers.block_changes
    }
}

/// What changed in a user's list since a position.
///
/// Versions are taken under the owner's lock, so they become visible in their order: a caller who has
/// read up to a version has missed nothing below it.
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
    let read = async |list: L, version: i64| {
        let since = Since { owner: call.key(owner), version, rows: size.rows_to_read() };
        let item = SyncList { context: call.context.clone(), list, since };
        found(L::batcher(&call.batchers).submit(item).await?, owner)
    };
    let list = if position.in_resync { list.whole() } else { list };
    let (mut head, mut changes) = read(list, position.version).await?;
    let (_, full_resync) = position.read_on(head)?;
    if full_resync {
        (head, changes) = read(list.whole(), 0).await?;
    }
    Ok(SyncPage::cut(changes, size.entries(), head, position, full_resync))
}
