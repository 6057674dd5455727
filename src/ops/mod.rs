//! The operations: one function each, one transaction each, whatever surface called.
//!
//! An operation gets domain values that were checked at the edge, opens its transaction, locks the
//! users' rows it changes in ascending key order, decides, writes and commits. It knows no wire
//! format and holds no SQL.

pub mod access;
mod additions;
mod blockings;
pub mod blocks;
pub mod bulk;
mod changes;
mod coalesce;
mod entry_changes;
pub mod events;
pub mod friends;
pub mod imports;
mod locks;
pub mod maintenance;
pub mod relations;
pub mod requests;
pub mod sync;
pub mod users;
pub mod watch;

use std::sync::Arc;

use tokio::time::Instant;

use self::{
    access::{caller_cache::CallerCache, login_throttle::LoginThrottle, rate_limits::RateLimits},
    coalesce::Coalescer,
    watch::registry::Watches,
};
use crate::{
    clock::Clock,
    domain::{
        App, Bounds, Error, Keyring, MessageIds, OwnerKey, SecretHash, TokenLifetimes, UserRef,
        Username,
    },
    outbox_signals::OutboxSignals,
    store::{Db, Tx},
};

/// What all operations of an instance share.
#[derive(Debug)]
pub struct Core {
    /// The database.
    pub db: Db,
    /// The time of day.
    pub clock: Clock,
    /// The bounds of requests.
    pub bounds: Bounds,
    /// How long delivered and failed events are kept.
    pub event_retention: time::Duration,
    /// How long removed entries are remembered for followers of a list.
    pub tombstone_retention: time::Duration,
    /// How long a friend request waits for its answer; nothing for ever.
    pub request_life: Option<time::Duration>,
    /// Which users are watched.
    pub watches: Watches,
    /// How long tokens live.
    pub lifetimes: TokenLifetimes,
    /// What seals the secrets that must be readable.
    pub keyring: Keyring,
    /// The operator's token; without one nobody can call AppService.
    pub operator_token: Option<SecretHash>,
    /// The callers that were verified a short time ago.
    pub callers: CallerCache,
    /// The failed logins.
    pub login_throttle: LoginThrottle,
    /// How often each app may call.
    pub rate_limits: RateLimits,
    /// What wakes the dispatcher of this process.
    pub outbox_signals: Arc<OutboxSignals>,
    /// Numbers the events.
    pub message_ids: MessageIds,
    /// Calls that share their work.
    pub turns: Turns,
}

/// The kinds of calls that share their work with others that are under way.
#[derive(Debug)]
pub struct Turns {
    checks: Arc<Coalescer<relations::Check>>,
    pages: Arc<Coalescer<friends::ListPage>>,
    friend_changes: Arc<Coalescer<sync::Changes<sync::Friends>>>,
    block_changes: Arc<Coalescer<sync::Changes<sync::Blocks>>>,
    additions: Arc<Coalescer<additions::Addition>>,
    updates: Arc<Coalescer<entry_changes::Update>>,
    blockings: Arc<Coalescer<blockings::Blocking>>,
}

/// How many calls share a statement or a transaction at the most.
const TOGETHER: usize = 64;

/// How many groups of a kind may be under way at once: as many as there are cores, which keeps them all
/// busy with groups as large as can be; two at the least, so that one works while another waits for the
/// disk; eight at the most, so that no kind of call takes all connections.
fn turns() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            checks: Coalescer::new(turns(), TOGETHER),
            pages: Coalescer::new(turns(), TOGETHER),
            friend_changes: Coalescer::new(turns(), TOGETHER),
            block_changes: Coalescer::new(turns(), TOGETHER),
            additions: Coalescer::new(turns(), TOGETHER),
            updates: Coalescer::new(turns(), TOGETHER),
            blockings: Coalescer::new(turns(), TOGETHER),
        }
    }
}

/// One call in the name of an app.
#[derive(Clone, Debug)]
pub struct Call {
    /// What the instance shares.
    pub core: Arc<Core>,
    /// The app whose token the caller showed. Nothing of any other app can be reached with it.
    pub app: Arc<App>,
    /// Until when the caller waits.
    pub deadline: Instant,
}

impl Call {
    /// Commits a change of these users' lists, and wakes who watches them and who delivers its events.
    async fn commit(
        &self,
        tx: Tx,
        changed: impl IntoIterator<Item = OwnerKey>,
    ) -> Result<(), Error> {
        tx.commit().await?;
        self.core.outbox_signals.events_added.notify_one();
        self.core.watches.changed(changed);
        Ok(())
    }

    /// The key of a user of this call's app.
    #[must_use]
    pub fn key(&self, username: &Username) -> OwnerKey {
        OwnerKey::of(self.app.id, username)
    }

    /// A user of this call's app.
    fn user<'a>(&self, username: &'a Username) -> UserRef<'a> {
        UserRef::of(self.app.id, username)
    }
}

/// The value, or [`Error::UserNotFound`].
fn found<T>(value: Option<T>, username: &Username) -> Result<T, Error> {
    value.ok_or_else(|| Error::UserNotFound(username.clone()))
}
