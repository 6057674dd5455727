//! AddFriend: as many callers as are there make their friends in one transaction.
//!
//! All users are locked first, in key order; then everything is decided here, member by member, as if
//! each came after the one before; then it is written, each table by one statement.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{
    Call,
    changes::record_events,
    coalesce::{Outcome, Shared, Turn},
    found,
    friends::{added_event, has_requests},
    locks::{Ledger, Locked},
    requests,
};
use crate::{
    domain::{Error, Extension, OwnerKey, User, Username},
    store::{
        Db, entries,
        friends::{self, NewEntry},
        heads,
    },
};

/// Two users who are to be friends, on behalf of the owner.
pub(super) struct Addition {
    pub(super) call: Call,
    pub(super) owner: Username,
    pub(super) friend: Username,
    pub(super) server_extension: Extension,
}

impl Addition {
    fn keys(&self) -> [OwnerKey; 2] {
        [self.call.key(&self.owner), self.call.key(&self.friend)]
    }
}

impl Shared for Addition {
    /// The friend's profile.
    type Answer = User;

    const SHORT: bool = false;

    fn db(&self) -> &Db {
        &self.call.core.db
    }

    fn deadline(&self) -> Instant {
        self.call.deadline
    }

    async fn together(members: &[Self], turn: Turn) -> Result<Vec<Outcome<User>>, Error> {
        let Some(first) = members.first() else { return Ok(Vec::new()) };
        let core = &first.call.core;
        let mut tx = core.db.begin_shared(turn.brief, turn.deadline).await?;
        let keys: Vec<[OwnerKey; 2]> = members.iter().map(Self::keys).collect();
        let mut locked = Locked::all(&mut tx, keys.iter().flatten().copied()).await?;
        let pairs = keys.iter().zip(members).map(|(keys, member)| (keys[0], &member.friend));
        let standing = entries::standing(&mut tx, pairs).await?;
        if let [single] = members
            && let [keys] = keys[..]
            && standing.is_empty()
            && has_requests(&locked, keys[0])
        {
            // It takes versions of its own.
            requests::settle_between(&mut tx, &single.call, &single.owner, &single.friend).await?;
            locked = Locked::all(&mut tx, keys).await?;
        }
        let mut plan = Plan::new(&locked);
        let mut outcomes = Vec::with_capacity(members.len());
        for (at, (member, keys)) in members.iter().zip(&keys).enumerate() {
            // What is pending between two users is closed with them; that is not for a group.
            let left_out = members.len() > 1 && has_requests(&locked, keys[0]);
            outcomes.push(if left_out {
                Outcome::Alone
            } else {
                Outcome::Done(plan.add(member, *keys, standing.contains(&at)))
            });
        }
        if !plan.entries.is_empty() {
            let now = core.clock.now();
            heads::advance(&mut tx, &plan.ledger.taken()).await?;
            friends::put(&mut tx, &plan.entries, now).await?;
            // The owner's entry comes first of each pair.
            let added = plan.entries.iter().step_by(2).zip(&plan.by);
            let added = added.map(|(entry, by)| (by.call.app.id, added_event(entry, &by.owner)));
            record_events::record_all(&mut tx, core, added.collect()).await?;
            let changed: Vec<OwnerKey> = plan.entries.iter().map(|entry| entry.owner).collect();
            first.call.commit(tx, changed).await?;
        }
        Ok(outcomes)
    }
}

/// What a group writes.
struct Plan<'a> {
    locked: &'a Locked,
    ledger: Ledger<'a>,
    /// Pairs who become friends, each in both orders.
    made: HashSet<[OwnerKey; 2]>,
    /// Two for each new friendship, and by whose call.
    entries: Vec<NewEntry<'a>>,
    by: Vec<&'a Addition>,
}

impl<'a> Plan<'a> {
    fn new(locked: &'a Locked) -> Self {
        let (made, entries, by) = (HashSet::new(), Vec::new(), Vec::new());
        Self { locked, ledger: Ledger::new(locked), made, entries, by }
    }

    /// Adds a friendship, unless the two are friends, and returns the friend's profile.
    fn add(
        &mut self,
        member: &'a Addition,
        [owner_key, friend_key]: [OwnerKey; 2],
        stands: bool,
    ) -> Result<User, Error> {
        let (owner, friend) = (&member.owner, &member.friend);
        found(self.locked.get(owner_key), owner)?;
        let profile = found(self.locked.get(friend_key), friend)?.user.clone();
        if stands || self.made.contains(&[owner_key, friend_key]) {
            return Ok(profile);
        }
        let limit = member.call.app.limits.friend_limit;
        for (key, username) in [(owner_key, owner), (friend_key, friend)] {
            if self.ledger.friend_count(key) >= limit {
                return Err(Error::FriendLimitExceeded { username: username.clone(), limit });
            }
        }
        self.made.extend([[owner_key, friend_key], [friend_key, owner_key]]);
        self.by.push(member);
        for (key, friend, server_extension) in
            [(owner_key, friend, member.server_extension.as_str()), (friend_key, owner, "")]
        {
            let version = self.ledger.take_friend(key, limit);
            self.entries.push(NewEntry { owner: key, friend, version, server_extension });
        }
        Ok(profile)
    }
}
