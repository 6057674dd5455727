//! Watching a list: changes as they happen, also those made by other instances.
//!
//! A watcher is a task that syncs whenever the owner's version has moved. It learns of that in two
//! ways: at once from the commits of this instance, and from one look a moment at the versions of all
//! watched users, in one statement, which is the guarantee. The database notifies nobody: a NOTIFY in
//! a transaction serialises all commits.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Call, Core,
    access::authenticate,
    sync::{List, changes},
};
use crate::{
    domain::{
        Error, Outage, OwnerKey, PageSize, PageSizes, Secret, SyncPage, SyncPosition, Username,
    },
    store::users,
};

/// How watching works.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// How many may watch this instance at once.
    pub max_watchers: usize,
    /// How often to look at the versions of watched users.
    pub poll: Duration,
    /// How long a watcher may take to read a message before it is given up.
    pub patience: Duration,
    /// How often to look whether the caller's token is still good.
    pub recheck: Duration,
    /// After how long a stream ends, so that its caller shows its token again.
    pub longest: Duration,
}

/// Changes in one message.
const PAGE: PageSizes = PageSizes { max: 100, default: 100 };

/// Messages that wait for a slow reader: with [`PAGE`] the bound of a watcher's memory.
const WAITING: usize = 2;

/// The version of a user who does not exist. Not 0, the version that we begin with: a user who is
/// deleted before our first look has moved too.
const NOBODY: i64 = -1;

/// The users who are watched, and their versions as far as we know.
#[derive(Debug)]
pub struct Watches {
    settings: WatchSettings,
    watched: Mutex<HashMap<OwnerKey, watch::Sender<i64>>>,
    watchers: AtomicUsize,
    /// Cancelled when the instance shuts down.
    stop: CancellationToken,
}

impl Watches {
    /// Nobody watches yet.
    #[must_use]
    pub fn new(settings: WatchSettings) -> Self {
        Self {
            settings,
            watched: Mutex::new(HashMap::new()),
            watchers: AtomicUsize::new(0),
            stop: CancellationToken::new(),
        }
    }

    /// Ends all streams, now and from now on.
    pub fn end(&self) {
        self.stop.cancel();
    }

    /// How many watch.
    #[must_use]
    pub fn count(&self) -> usize {
        self.watchers.load(Ordering::Relaxed)
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, HashMap<OwnerKey, watch::Sender<i64>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, owner: OwnerKey) -> watch::Receiver<i64> {
        self.watched().entry(owner).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Wakes the watchers of users whose lists this instance has just changed.
    pub(super) fn changed(&self, owners: impl IntoIterator<Item = OwnerKey>) {
        if self.watchers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let watched = self.watched();
        for owner in owners {
            if let Some(known) = watched.get(&owner) {
                known.send_modify(|_| {});
            }
        }
    }

    /// Wakes the watchers of a user if the version is another than the one that we know.
    fn moved(&self, owner: OwnerKey, version: i64) {
        if let Some(known) = self.watched().get(&owner) {
            known.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
    }

    /// The users who are watched; those whom nobody watches any more are forgotten.
    fn owners(&self) -> Vec<OwnerKey> {
        let mut watched = self.watched();
        watched.retain(|_, known| known.receiver_count() > 0);
        watched.keys().copied().collect()
    }
}

/// Looks at the versions of watched users until the instance shuts down.
pub async fn follow_versions(core: Arc<Core>) {
    const AT_ONCE: usize = 5000;
    let looks = async {
        let mut blind = false;
        loop {
            tokio::time::sleep(core.watches.settings.poll).await;
            for owners in core.watches.owners().chunks(AT_ONCE) {
                let looked = look(&core, owners).await;
                // Told once, not at every look.
                if let Err(error) = &looked
                    && !blind
                {
                    tracing::warn!(%error, "the versions of watched users can't be read");
                }
                blind = looked.is_err();
            }
        }
    };
    tokio::select! {
        () = core.watches.stop.cancelled() => {}
        () = looks => {}
    }
}

async fn look(core: &Core, owners: &[OwnerKey]) -> Result<(), Error> {
    let versions = core.db.read_once(async |db| users::versions(db, owners).await).await?;
    let versions: HashMap<OwnerKey, i64> = versions.into_iter().collect();
    for owner in owners {
        // One who is missing was deleted: the watcher finds that out by itself.
        core.watches.moved(*owner, versions.get(owner).copied().unwrap_or(NOBODY));
    }
    Ok(())
}

/// What a watcher gets: pages, and when they end the reason, if it is not that the stream has lasted
/// for its time or the instance shuts down. The reason goes its own way, past pages that nobody reads.
#[derive(Debug)]
pub struct Messages<C> {
    /// The pages.
    pub pages: mpsc::Receiver<SyncPage<C>>,
    /// Why they ended.
    pub end: oneshot::Receiver<Error>,
}

/// Sends what changed in a user's list since a version, and then what changes.
///
/// # Errors
/// `UserNotFound`, `VersionAhead`; `Unavailable` when too many watch.
pub async fn watch<L: List>(
    call: Call,
    bearer: Secret,
    list: L,
    owner: Username,
    since_version: i64,
) -> Result<Messages<L::Change>, Error> {
    let watches = &call.core.watches;
    let place = Place::take(&call.core)?;
    // Subscribed before the first read: what happens meanwhile is told.
    let moved = watches.subscribe(call.key(&owner));
    let size = PAGE.choose(0)?;
    let position = SyncPosition { version: since_version, purged_to: None };
    let first = changes(&call, list, &owner, position, size).await?;
    let (sender, pages) = mpsc::channel(WAITING);
    let (reason, end) = oneshot::channel();
    let watcher = Watcher { call, list, owner, size, sender, moved, _place: place };
    tokio::spawn(watcher.run(bearer, first, reason));
    Ok(Messages { pages, end })
}

/// A place among the watchers of this instance.
struct Place(Arc<Core>);

impl Place {
    fn take(core: &Arc<Core>) -> Result<Self, Error> {
        let place = Self(Arc::clone(core));
        let before = core.watches.watchers.fetch_add(1, Ordering::Relaxed);
        if before >= core.watches.settings.max_watchers {
            return Err(Error::Unavailable(Outage::Overloaded));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.watches.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until the token is revoked, has expired, or its app is gone. While the database is away
/// nobody can tell, and nothing new is told either.
async fn until_refused(core: &Core, bearer: &Secret) -> Error {
    loop {
        tokio::time::sleep(core.watches.settings.recheck).await;
        let shown = authenticate::app(core, Some(bearer)).await;
        if let Err(refused @ (Error::Unauthenticated | Error::TokenScope { .. })) = shown {
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
    moved: watch::Receiver<i64>,
    _place: Place,
}

impl<L: List> Watcher<L> {
    async fn run(
        mut self,
        bearer: Secret,
        first: SyncPage<L::Change>,
        reason: oneshot::Sender<Error>,
    ) {
        let core = Arc::clone(&self.call.core);
        let stop = self.call.core.watches.stop.clone();
        let ends = Instant::now() + self.call.core.watches.settings.longest;
        let sender = self.sender.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep_until(ends) => {}
            () = sender.closed() => {}
            refused = until_refused(&core, &bearer) => {
                let _ = reason.send(refused);
            }
            ended = AssertUnwindSafe(self.follow(first)).catch_unwind() => {
                // Without a reason the stream would end as if all were well.
                let panicked = |_| Error::Internal("a watcher panicked".to_owned());
                // The reader may be gone.
                let _ = reason.send(ended.unwrap_or_else(panicked));
            }
        }
    }

    /// Sends page after page; ends with the reason why it can't go on.
    async fn follow(&mut self, first: SyncPage<L::Change>) -> Error {
        let mut page = first;
        let mut greeted = false;
        loop {
            let (next, more) = (page.next, page.has_more);
            // The first message tells even a caller who has missed nothing that they have not.
            if (!page.changes.is_empty() || page.full_resync || !greeted)
                && let Err(error) = self.send(page).await
            {
                return error;
            }
            greeted = true;
            if !more && self.moved.changed().await.is_err() {
                return Error::Unavailable(Outage::ShuttingDown);
            }
            // Each look has a time of its own: the call's is over soon after it began.
            self.call.deadline = Instant::now() + self.call.core.db.longest_read();
            page = match changes(&self.call, self.list, &self.owner, next, self.size).await {
                Ok(page) => page,
                // The database may be back before the reader has noticed anything.
                Err(Error::Unavailable(_) | Error::DeadlineExceeded) => {
                    tokio::time::sleep(self.call.core.watches.settings.poll).await;
                    let changes = Vec::new();
                    SyncPage { changes, next, has_more: true, full_resync: false }
                }
                Err(error) => return error,
            };
        }
    }

    async fn send(&self, page: SyncPage<L::Change>) -> Result<(), Error> {
        let patience = self.call.core.watches.settings.patience;
        match self.sender.send_timeout(page, patience).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::WatcherTooSlow),
        }
    }
}
