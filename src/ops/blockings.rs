//! BlockUsers: as many callers as are there block in one transaction, in the manner of
//! [`super::additions`].

use std::{collections::HashSet, iter};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    Call,
    changes::record_events,
    coalesce::{Outcome, Shared, Turn},
    found,
    locks::{Ledger, Locked},
    requests,
};
use crate::{
    domain::{Error, EventType, NewEvent, OwnerKey, Username},
    store::{
        self, Db,
        blocks::{self, NewBlock},
        heads,
    },
};

/// How many users a call may block in a turn. With more it would last long, and others wait for its end.
const IN_A_TURN: usize = 16;

/// Users whom the owner is to block, all or none: others than the owner, each once.
pub(super) struct Blocking {
    pub(super) call: Call,
    pub(super) owner: (OwnerKey, Username),
    pub(super) blocked: Vec<(OwnerKey, Username)>,
}

impl Blocking {
    /// The owner, and the blocked ones: nobody can be deleted meanwhile, and what they asked of the
    /// owner is cancelled on both sides.
    fn keys(&self) -> impl Iterator<Item = OwnerKey> {
        iter::once(self.owner.0).chain(self.blocked.iter().map(|(key, _)| *key))
    }

    /// The places of the blocked ones in the owner's list.
    fn places(&self) -> impl Iterator<Item = (OwnerKey, &Username)> {
        self.blocked.iter().map(|(_, name)| (self.owner.0, name))
    }

    /// Others ask to be the owner's friends.
    fn is_asked(&self, locked: &Locked) -> bool {
        locked.get(self.owner.0).is_some_and(|owner| owner.head.incoming_requests > 0)
    }
}

impl Shared for Blocking {
    type Answer = ();

    const SHORT: bool = false;

    fn db(&self) -> &Db {
        &self.call.core.db
    }

    fn deadline(&self) -> Instant {
        self.call.deadline
    }

    async fn together(members: &[Self], turn: Turn) -> Result<Vec<Outcome<()>>, Error> {
        let Some(first) = members.first() else { return Ok(Vec::new()) };
        let core = &first.call.core;
        let fits = |member: &Self| !turn.brief || member.blocked.len() <= IN_A_TURN;
        let fitting = || members.iter().filter(|member| fits(member));
        if fitting().next().is_none() {
            return Ok(members.iter().map(|_| Outcome::Alone).collect());
        }
        let mut tx = core.db.begin_shared(turn.brief, turn.deadline).await?;
        let locked = Locked::all(&mut tx, fitting().flat_map(Self::keys)).await?;
        let places: Vec<(OwnerKey, &Username)> = fitting().flat_map(Self::places).collect();
        let blocked = blocks::standing(&mut tx, &places).await?;
        let now = core.clock.now();
        let mut plan = Plan::new(&locked, blocked, now);
        let mut outcomes = Vec::with_capacity(members.len());
        for member in members {
            // What is pending between two users is cancelled with it; that is not for a group.
            let left_out = !fits(member) || (members.len() > 1 && member.is_asked(&locked));
            outcomes.push(if left_out { Outcome::Alone } else { Outcome::Done(plan.add(member)) });
        }
        if !plan.entries.is_empty() {
            heads::advance(&mut tx, &plan.ledger.taken()).await?;
            let made = blocks::put(&mut tx, &plan.entries, now).await?;
            store::all_changed(made, plan.entries.len())?;
            let told =
                plan.entries.iter().zip(&plan.by).map(|(entry, by)| (by.app.id, added(entry)));
            record_events::record_all(&mut tx, core, told.collect()).await?;
            if let [single] = members
                && single.is_asked(&locked)
            {
                let fresh: Vec<&Username> =
                    plan.entries.iter().map(|entry| entry.blocked.1).collect();
                requests::cancel_from(&mut tx, &single.call, &single.owner.1, &fresh).await?;
            }
            let changed = plan.entries.iter().flat_map(|entry| [entry.owner.0, entry.blocked.0]);
            first.call.commit(tx, changed).await?;
        }
        Ok(outcomes)
    }
}

/// What a group writes.
struct Plan<'a> {
    locked: &'a Locked,
    ledger: Ledger<'a>,
    /// Places that are taken, by an entry that stands or is to be made.
    blocked: HashSet<(OwnerKey, &'a Username)>,
    /// The new ones, and by whose call.
    entries: Vec<NewBlock<'a>>,
    by: Vec<&'a Call>,
    now: OffsetDateTime,
}

impl<'a> Plan<'a> {
    fn new(
        locked: &'a Locked,
        blocked: HashSet<(OwnerKey, &'a Username)>,
        now: OffsetDateTime,
    ) -> Self {
        let (entries, by) = (Vec::new(), Vec::new());
        Self { locked, ledger: Ledger::new(locked), blocked, entries, by, now }
    }

    /// Blocks those whom the owner does not block yet, if there is room for all of them.
    fn add(&mut self, member: &'a Blocking) -> Result<(), Error> {
        let (owner_key, owner) = (member.owner.0, &member.owner.1);
        found(self.locked.get(owner_key), owner)?;
        for (key, name) in &member.blocked {
            found(self.locked.get(*key), name)?;
        }
        let fresh: Vec<(OwnerKey, &Username)> = member
            .blocked
            .iter()
            .filter(|(_, name)| !self.blocked.contains(&(owner_key, name)))
            .map(|(key, name)| (*key, name))
            .collect();
        let limit = member.call.app.limits.block_limit;
        let room = limit.saturating_sub(self.ledger.block_count(owner_key));
        // With a limit that was lowered there may be less room than none.
        if !fresh.is_empty() && !usize::try_from(room).is_ok_and(|room| fresh.len() <= room) {
            return Err(Error::BlockLimitExceeded { username: owner.clone(), limit });
        }
        for blocked in fresh {
            self.blocked.insert((owner_key, blocked.1));
            let version = self.ledger.take_block(owner_key, limit);
            let (owner, created_at) = ((owner_key, owner), self.now);
            self.entries.push(NewBlock { owner, blocked, version, created_at });
            self.by.push(&member.call);
        }
        Ok(())
    }
}

fn added<'a>(entry: &NewBlock<'a>) -> NewEvent<'a> {
    NewEvent {
        event_type: EventType::BlockAdded,
        owner: entry.owner,
        version: entry.version,
        friend: entry.blocked.1,
        detail: "",
    }
}
