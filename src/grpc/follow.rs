//! Following lists: the changes of sync and watch as the wire has them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, future::ready, stream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{
    domain::{BlockChange, Change as _, FriendChange, Invalid, SyncPage, SyncPosition, Username},
    ops::{Call, watch::Messages},
    page_token::{self, Binding},
    proto,
};

/// A stream of a watch call.
pub(super) type Watching<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where a sync call goes on: at its page token, else at the version it names. A token goes on with
/// the conditions that it was given out for.
pub(super) struct Walk {
    call: &'static str,
    app: uuid::Uuid,
    conditions: String,
}

impl Walk {
    pub(super) fn new(
        name: &'static str,
        call: &Call,
        owner: &Username,
        since_version: i64,
        more: &str,
    ) -> Self {
        let conditions = format!("{owner}/{since_version}/{more}");
        Self { call: name, app: call.app.id, conditions }
    }

    fn binding(&self) -> Binding<'_> {
        Binding { call: self.call, app: Some(self.app), owner: &self.conditions }
    }

    pub(super) fn read(
        &self,
        since_version: i64,
        page_token: &str,
    ) -> Result<SyncPosition, Invalid> {
        if page_token.is_empty() {
            return Ok(SyncPosition { version: since_version, purged_to: None });
        }
        page_token::read(self.binding(), page_token)
    }

    pub(super) fn write<C>(&self, page: &SyncPage<C>) -> String {
        page_token::write(self.binding(), page.has_more.then_some(page.next))
    }
}

/// The messages of a watcher as a stream of the wire's messages.
pub(super) fn watching<C: Send + 'static, T: Send + 'static>(
    messages: Messages<C>,
    render: impl Fn(SyncPage<C>) -> T + Send + 'static,
) -> Watching<T> {
    let pages = ReceiverStream::new(messages.pages).map(move |page| Ok(render(page)));
    // No reason was given for an end in good order.
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
