//! What all operations of an instance share ([`Core`]), and for which app and until when one of them
//! works ([`Context`]).

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    access::{caller_cache::CallerCache, login_throttle::LoginThrottle, rate_limits::RateLimits},
    watch::registry::Watches,
};
use crate::{
    background_work::BackgroundWork,
    clock::Clock,
    domain::{
        App, Bounds, Error, Keyring, MessageIds, OwnerKey, Replaceable, SecretHash, TokenLifetimes,
        UserRef, Username,
    },
    outbox_signals::OutboxSignals,
    store::{Db, Tx},
    trace::Trace,
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
    /// How long records of changes are kept; `None`: for ever.
    pub audit_retention: Option<time::Duration>,
    /// How long removed entries are remembered for followers of a list.
    pub tombstone_retention: time::Duration,
    /// How long a friend request waits for its answer; `None`: requests never expire.
    pub request_life: Option<time::Duration>,
    /// The watched users of this instance.
    pub watches: Watches,
    /// How long tokens live.
    pub lifetimes: TokenLifetimes,
    /// What seals the secrets that must be readable.
    pub keyring: Replaceable<Arc<Keyring>>,
    /// The hash of the operator token of the settings.
    pub operator_token: Replaceable<Option<SecretHash>>,
    /// The callers that were verified a short time ago.
    pub callers: CallerCache,
    /// The failed logins.
    pub login_throttle: LoginThrottle,
    /// How often each app may call.
    pub rate_limits: RateLimits,
    /// What wakes the dispatcher of this process.
    pub outbox_signals: Arc<OutboxSignals>,
    /// Which background work of this process fails.
    pub background_work: Arc<BackgroundWork>,
    /// Numbers the events.
    pub message_ids: MessageIds,
}

impl Core {
    /// Commits changes of these users' lists, and wakes their watchers and the dispatcher of events.
    pub(super) async fn commit(
        &self,
        tx: Tx,
        changed: impl IntoIterator<Item = OwnerKey>,
    ) -> Result<(), Error> {
        tx.commit().await?;
        self.outbox_signals.events_added.notify_one();
        self.watches.changed(changed);
        Ok(())
    }
}

/// For which app and until when an operation works. It leads to no user of another app.
#[derive(Clone, Debug)]
pub struct Context {
    /// What the instance shares.
    pub core: Arc<Core>,
    /// The app.
    pub app: Arc<App>,
    /// Until when the caller waits.
    pub deadline: Instant,
    /// The span of the call, which its events are to be linked to.
    pub trace: Trace,
}

impl Context {
    /// The key of a user of this app.
    #[must_use]
    pub fn key(&self, username: &Username) -> OwnerKey {
        OwnerKey::of(self.app.id, username)
    }

    /// A user of this app, with their key.
    #[must_use]
    pub fn user<'a>(&self, username: &'a Username) -> UserRef<'a> {
        UserRef::of(self.app.id, username)
    }
}
