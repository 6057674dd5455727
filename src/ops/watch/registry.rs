//! Which users this instance watches, and the last version that it knows of each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    domain::{Error, Held, Holders, Outage, OwnerKey, Places, TakenPlace},
    measure::Limit,
};

/// How watching works.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// How many watchers this instance serves at once.
    pub max_watchers: usize,
    /// The time between two reads of the versions of all watched users.
    pub poll_interval: Duration,
    /// How long a message may wait for its reader before the stream ends.
    pub send_timeout: Duration,
    /// How often to check that the caller's token is still valid.
    pub token_check_interval: Duration,
    /// After how long a stream ends, so that its caller authenticates again.
    pub max_duration: Duration,
}

/// The watched users.
#[derive(Debug)]
pub struct Watches {
    pub(super) settings: WatchSettings,
    /// A place for each watcher.
    places: Arc<Places>,
    /// How many places each app holds.
    held: Holders<Uuid, Held>,
    /// The last known version of each watched user.
    versions: Mutex<HashMap<OwnerKey, watch::Sender<i64>>>,
    /// Cancelled when the instance shuts down.
    pub(super) shutdown: CancellationToken,
}

impl Watches {
    /// Starts without watchers.
    #[must_use]
    pub fn new(settings: WatchSettings) -> Self {
        Self {
            settings,
            places: Arc::new(Places::new(settings.max_watchers)),
            held: Holders::default(),
            versions: Mutex::new(HashMap::new()),
            shutdown: CancellationToken::new(),
        }
    }

    /// Ends all streams, now and from now on.
    pub fn end(&self) {
        self.shutdown.cancel();
    }

    /// How many watchers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.taken()
    }

    /// Counts one more watcher of an app until the place is dropped.
    pub(super) fn place(&self, app_id: Uuid) -> Result<TakenPlace, Error> {
        let place = TakenPlace::of(&self.places, self.held.of(app_id));
        place.ok_or_else(|| {
            Limit::Watchers.refused();
            Error::Unavailable(Outage::Overloaded)
        })
    }

    fn versions(&self) -> MutexGuard<'_, HashMap<OwnerKey, watch::Sender<i64>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self, owner: OwnerKey) -> watch::Receiver<i64> {
        self.versions().entry(owner).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Wakes the watchers of users whose lists this instance has just changed.
    pub(crate) fn changed(&self, owners: impl IntoIterator<Item = OwnerKey>) {
        if self.count() == 0 {
            return;
        }
        let versions = self.versions();
        for owner in owners {
            if let Some(known) = versions.get(&owner) {
                known.send_modify(|_| {});
            }
        }
    }

    /// Wakes the watchers of a user if `version` differs from the last known one.
    pub(super) fn set_version(&self, owner: OwnerKey, version: i64) {
        if let Some(known) = self.versions().get(&owner) {
            known.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
    }

    /// How many watchers there may be.
    #[must_use]
    pub fn max(&self) -> usize {
        self.settings.max_watchers
    }

    /// How many users are watched, or were until a moment ago.
    #[must_use]
    pub fn users(&self) -> usize {
        self.versions().len()
    }

    /// The watched users. Forgets those whose last watcher has gone.
    pub(super) fn owners(&self) -> Vec<OwnerKey> {
        let mut versions = self.versions();
        versions.retain(|_, known| known.receiver_count() > 0);
        versions.keys().copied().collect()
    }
}
