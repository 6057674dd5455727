//! Watching a list: its changes as they happen, also those that other instances make.
//!
//! A watcher is a task that syncs whenever the owner's version has changed. It is woken at once by the
//! commits of this instance, and at the next poll of [`versions`] for all others. The poll alone makes
//! sure that no change is missed. The database sends no notifications, because a NOTIFY in a transaction
//! serialises all commits.

pub mod registry;
pub mod versions;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Call, Core,
    access::authenticate,
    sync::{List, changes},
};
use crate::domain::{
    Error, Outage, PageSize, PageSizes, Secret, SyncPage, SyncPosition, TakenPlace, Username,
};

/// Changes in one message.
const PAGE: PageSizes = PageSizes { max: 100, default: 100 };

/// Messages that wait for a slow reader. Together with [`PAGE`] this bounds a watcher's memory.
const QUEUE: usize = 2;

/// What a watcher receives. `end` holds the reason why the pages ended, unless the stream has lasted
/// for its longest duration or the instance shuts down. The reason has a channel of its own, so that
/// it gets past pages that the reader has not read.
#[derive(Debug)]
pub struct Messages<C> {
    /// The pages.
    pub pages: mpsc::Receiver<SyncPage<C>>,
    /// Why they ended.
    pub end: oneshot::Receiver<Error>,
}

/// Sends what changed in a user's list since a version, and from then on each change.
///
/// # Errors
/// `UserNotFound`, `VersionAhead`; `Unavailable` when this instance has too many watchers.
pub async fn watch<L: List>(
    call: Call,
    bearer: Secret,
    list: L,
    owner: Username,
    since_version: i64,
) -> Result<Messages<L::Change>, Error> {
    let watches = &call.core.watches;
    let place = watches.place(call.app.id)?;
    // Subscribed before the first read, so that no change between the two is missed.
    let changed = watches.subscribe(call.key(&owner));
    let size = PAGE.choose(0)?;
    let position = SyncPosition::at(since_version);
    let first = changes(&call, list, &owner, position, size).await?;
    let (sender, pages) = mpsc::channel(QUEUE);
    let (reason, end) = oneshot::channel();
    let watcher = Watcher { call, list, owner, size, sender, changed, _place: place };
    tokio::spawn(watcher.run(bearer, first, reason));
    Ok(Messages { pages, end })
}

/// Waits until the token is revoked, has expired, or its app was deleted. While the database is away
/// the token can't be checked; no changes are sent in that time either.
async fn until_refused(core: &Core, bearer: &Secret) -> Error {
    loop {
        tokio::time::sleep(core.watches.settings.token_check_interval).await;
        let app = authenticate::app(core, Some(bearer), None).await;
        if let Err(refused @ (Error::Unauthenticated | Error::TokenScope { .. })) = app {
            return refused;
        }
    }
}

struct Watcher<L: List> {
    call: Call,
    list: L,
    owner: Username,
    size: PageSize,
    sender: mpsc::Sender<SyncPage<L::Change>>,
    changed: watch::Receiver<i64>,
    _place: TakenPlace,
}

impl<L: List> Watcher<L> {
    async fn run(
        mut self,
        bearer: Secret,
        first: SyncPage<L::Change>,
        reason: oneshot::Sender<Error>,
    ) {
        let core = Arc::clone(&self.call.core);
        let ends_at = Instant::now() + core.watches.settings.max_duration;
        let sender = self.sender.clone();
        tokio::select! {
            () = core.watches.shutdown.cancelled() => {}
            () = tokio::time::sleep_until(ends_at) => {}
            () = sender.closed() => {}
            refused = until_refused(&core, &bearer) => {
                let _ = reason.send(refused);
            }
            ended = AssertUnwindSafe(self.follow(first)).catch_unwind() => {
                // Without a reason the stream would look as if it ended in order.
                let panicked = |_| Error::Internal("a watcher panicked".to_owned());
                // Fails when the reader has gone, which needs no reason.
                let _ = reason.send(ended.unwrap_or_else(panicked));
            }
        }
    }

    /// Sends page after page. Returns the reason why it can't go on.
    async fn follow(&mut self, first: SyncPage<L::Change>) -> Error {
        let mut page = first;
        let mut is_first = true;
        loop {
            let (next, has_more) = (page.next, page.has_more);
            // The first message is sent even if it is empty: it tells the caller that nothing was
            // missed.
            if (!page.changes.is_empty() || page.full_resync || is_first)
                && let Err(error) = self.send(page).await
            {
                return error;
            }
            is_first = false;
            if !has_more && self.changed.changed().await.is_err() {
                return Error::Unavailable(Outage::ShuttingDown);
            }
            // Each read has a deadline of its own: the call's passes soon after the watch began.
            self.call.context.deadline = Instant::now() + self.call.core.db.longest_read();
            page = match changes(&self.call, self.list, &self.owner, next, self.size).await {
                Ok(page) => page,
                // Tried again at the next poll: the reader need not notice a short outage.
                Err(Error::Unavailable(_) | Error::DeadlineExceeded) => {
                    tokio::time::sleep(self.call.core.watches.settings.poll_interval).await;
                    let changes = Vec::new();
                    SyncPage { changes, next, has_more: true, full_resync: false }
                }
                Err(error) => return error,
            };
        }
    }

    async fn send(&self, page: SyncPage<L::Change>) -> Result<(), Error> {
        let timeout = self.call.core.watches.settings.send_timeout;
        self.sender.send_timeout(page, timeout).await.map_err(|_| Error::WatcherTooSlow)
    }
}
