//! Following lists: the changes of sync and watch as the wire has them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, future::ready, stream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{
    domain::{BlockChange, Change as _, FriendChange, SyncPage},
    ops::watch::Messages,
    proto,
};

/// A stream of a watch call.
pub(super) type Watching<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The messages of a watcher as a stream of the wire's messages.
pub(super) fn watching<C: Send + 'static, T: Send + 'static>(
    messages: Messages<C>,
    render: impl Fn(SyncPage<C>) -> T + Send + 'static,
) -> Watching<T> {
    let pages = ReceiverStream::new(messages.pages).map(move |page| Ok(render(page)));
    // A watch that ended in good order has sent no reason.
    let end = stream::once(messages.end);
    let end = end.filter_map(|reason| ready(reason.ok().map(|error| Err(Status::from(error)))));
    Box::pin(pages.chain(end))
}

impl From<FriendChange> for proto::FriendChange {
    fn from(change: FriendChange) -> Self {
        use proto::friend_change::Change;
        let version = change.version();
        let change = match change {
            FriendChange::Upserted(friend) => Change::Upserted(friend.into()),
            FriendChange::Removed { username, .. } => Change::Removed(username.into_string()),
        };
        Self { change: Some(change), version }
    }
}

impl From<BlockChange> for proto::BlockChange {
    fn from(change: BlockChange) -> Self {
        use proto::block_change::Change;
        let name = change.username.into_string();
        let told = if change.blocked { Change::Blocked(name) } else { Change::Unblocked(name) };
        Self { change: Some(told), version: change.version }
    }
}

/// Changes as the wire has them.
pub(super) fn changes<C, T: From<C>>(changes: Vec<C>) -> Vec<T> {
    changes.into_iter().map(T::from).collect()
}
