//! What a transaction is to write to users' lists: decided in memory, then written, all changes of one
//! kind by one statement.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{heads::Heads, record_events};
use crate::{
    domain::{Error, Friend, FriendRequest, NewEvent, OwnerKey},
    ops::core::Core,
    store::{
        Tx,
        blocks::{self, NewBlock, RemovedBlock},
        friends::{self, NewEntry, RemovedEntry},
        requests::{self, Between, ClosedRequest, OpenedRequest},
    },
    trace::Trace,
};

/// Two users: whose row it is, and the other one.
pub(super) type Pair = [OwnerKey; 2];

/// The changes of one transaction. The names that it writes are borrowed from the caller for `'a`.
pub(in crate::ops) struct ListChanges<'a> {
    /// The time of the changes.
    pub(in crate::ops) now: OffsetDateTime,
    /// How long a friend request waits for its answer; `None`: requests never expire.
    pub(super) request_life: Option<Duration>,
    /// The heads of all users whose lists may change.
    pub(in crate::ops) heads: Heads,
    /// The entries of friend lists that were read, as they are after the changes so far.
    pub(super) entries: HashMap<Pair, EntryState>,
    /// The blocks that were read, and whether each is live after the changes so far.
    pub(super) blocks: HashMap<Pair, bool>,
    /// The requests that were read, by requester and recipient, as they are after the changes so far.
    pub(super) requests: HashMap<Pair, FriendRequest>,
    pub(super) new_entries: Vec<NewEntry<'a>>,
    pub(super) removed_entries: Vec<RemovedEntry<'a>>,
    pub(super) new_blocks: Vec<NewBlock<'a>>,
    pub(super) removed_blocks: Vec<RemovedBlock<'a>>,
    pub(super) closed_requests: Vec<ClosedRequest<'a>>,
    pub(super) opened_request: Option<OpenedRequest<'a>>,
    pub(super) changed_message: Option<(Between<'a>, &'a str)>,
    pub(super) deleted_requests: Vec<Between<'a>>,
    events: Vec<(Uuid, NewEvent<'a>, Option<String>)>,
    /// The call whose changes are made now.
    cause: Trace,
}

/// An entry of a friend list as it is after the changes so far.
pub(super) enum EntryState {
    /// The two are friends.
    Live {
        entry: Friend,
        /// False while the friend is deleted and the entry waits to be removed.
        friend_exists: bool,
        /// True when this transaction has changed the entry's texts.
        changed: bool,
    },
    /// This transaction makes the entry: its index among the new ones, and the remark that its tombstone
    /// keeps, where it was read.
    New { at: usize, kept_remark: String },
    /// The two are not friends; the remark is kept.
    Tombstone { remark: String },
}

impl Default for EntryState {
    /// An entry that does not exist and keeps nothing.
    fn default() -> Self {
        Self::Tombstone { remark: String::new() }
    }
}

/// Whether changes are recorded as events, which callbacks carry to receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Events {
    Record,
    Skip,
}

impl<'a> ListChanges<'a> {
    /// No changes yet, of lists whose heads are locked.
    pub(in crate::ops) fn new(core: &Core, heads: Heads) -> Self {
        Self {
            now: core.clock.now(),
            request_life: core.request_life,
            heads,
            entries: HashMap::new(),
            blocks: HashMap::new(),
            requests: HashMap::new(),
            new_entries: Vec::new(),
            removed_entries: Vec::new(),
            new_blocks: Vec::new(),
            removed_blocks: Vec::new(),
            closed_requests: Vec::new(),
            opened_request: None,
            changed_message: None,
            deleted_requests: Vec::new(),
            events: Vec::new(),
            cause: Trace::current(),
        }
    }

    /// Whether nothing is to be written.
    pub(in crate::ops) fn is_empty(&self) -> bool {
        self.heads.changed().next().is_none() && self.deleted_requests.is_empty()
    }

    /// Goes on with the changes of another call, to which the next events belong.
    pub(in crate::ops) fn on_behalf_of(&mut self, call: &Trace) {
        self.cause.clone_from(call);
    }

    /// Records an event of an app, with the place in its trace of the call that has caused it.
    pub(in crate::ops) fn record(&mut self, app_id: Uuid, event: NewEvent<'a>) {
        self.events.push((app_id, event, self.cause.stored()));
    }

    /// Writes the changes, commits, and wakes the watchers of the changed lists and the dispatcher of
    /// events.
    ///
    /// # Errors
    /// Those of the database; `Internal` when rows are not what they were when they were read.
    pub(in crate::ops) async fn commit(self, mut tx: Tx, core: &Core) -> Result<(), Error> {
        self.heads.apply(&mut tx).await?;
        self.write_entries(&mut tx).await?;
        if !self.new_blocks.is_empty() {
            blocks::upsert(&mut tx, &self.new_blocks, self.now).await?;
        }
        if !self.removed_blocks.is_empty() {
            blocks::tombstone(&mut tx, &self.removed_blocks, self.now).await?;
        }
        self.write_requests(&mut tx).await?;
        record_events::record(&mut tx, core, self.events).await?;
        core.commit(tx, self.heads.changed()).await
    }

    async fn write_requests(&self, tx: &mut Tx) -> Result<(), Error> {
        if !self.closed_requests.is_empty() {
            requests::close(tx, &self.closed_requests, self.now).await?;
        }
        if let Some(opened) = self.opened_request {
            requests::open(tx, opened, self.now).await?;
        }
        if let Some((between, message)) = self.changed_message {
            requests::set_message(tx, between, message, self.now).await?;
        }
        if !self.deleted_requests.is_empty() {
            requests::delete(tx, &self.deleted_requests).await?;
        }
        Ok(())
    }

    async fn write_entries(&self, tx: &mut Tx) -> Result<(), Error> {
        if !self.new_entries.is_empty() {
            friends::upsert(tx, &self.new_entries, self.now).await?;
        }
        let changed: Vec<(OwnerKey, &Friend)> = self
            .entries
            .iter()
            .filter_map(|([owner, _], state)| match state {
                EntryState::Live { entry, changed: true, .. } => Some((*owner, entry)),
                _ => None,
            })
            .collect();
        if !changed.is_empty() {
            friends::update_texts(tx, &changed, self.now).await?;
        }
        if !self.removed_entries.is_empty() {
            friends::tombstone(tx, &self.removed_entries, self.now).await?;
        }
        Ok(())
    }
}
