//! SetRemark and UpdateFriend: as many callers as are there change their entries in one transaction,
//! in the manner of [`super::additions`].

use std::collections::HashMap;

use tokio::time::Instant;

use super::{
    Call,
    changes::record_events,
    coalesce::{Outcome, Shared, Turn},
    found,
    locks::{Ledger, Locked},
};
use crate::{
    domain::{
        EntryChange, Error, EventType, Extension, Friend, NewEvent, OwnerKey, Remark, Username,
    },
    store::{
        Db,
        entries::{self, ChangedEntry},
        heads,
    },
};

/// A change of the owner's entry of a friend.
pub(super) struct Update {
    pub(super) call: Call,
    pub(super) owner: Username,
    pub(super) friend: Username,
    pub(super) change: EntryChange,
}

/// An entry's place.
type Place<'a> = (OwnerKey, &'a Username);

impl Shared for Update {
    /// The entry after the change.
    type Answer = Friend;

    const SHORT: bool = false;

    fn db(&self) -> &Db {
        &self.call.core.db
    }

    fn deadline(&self) -> Instant {
        self.call.deadline
    }

    async fn together(members: &[Self], turn: Turn) -> Result<Vec<Outcome<Friend>>, Error> {
        let Some(first) = members.first() else { return Ok(Vec::new()) };
        let core = &first.call.core;
        let mut tx = core.db.begin_shared(turn.brief, turn.deadline).await?;
        let places: Vec<Place<'_>> =
            members.iter().map(|member| (member.call.key(&member.owner), &member.friend)).collect();
        let locked = Locked::all(&mut tx, places.iter().map(|place| place.0)).await?;
        let asked = members.iter().zip(&places).map(|(member, place)| {
            let (owner, friend) = *place;
            (owner, friend, member.call.key(friend))
        });
        let looked_up = entries::get(&mut tx, asked).await?;
        let now = core.clock.now();
        // Who comes second to an entry sees what the first has made of it.
        let mut standing: HashMap<Place<'_>, Friend> = HashMap::new();
        let mut exists = Vec::with_capacity(members.len());
        for (place, (friend_exists, entry)) in places.iter().zip(looked_up) {
            exists.push(friend_exists);
            standing.extend(entry.map(|entry| (*place, entry)));
        }
        let mut ledger = Ledger::new(&locked);
        let (mut outcomes, mut told) = (Vec::with_capacity(members.len()), Vec::new());
        for ((member, place), exists) in members.iter().zip(&places).zip(exists) {
            let entry = member.entry(&locked, *place, exists, &mut standing);
            let changed = entry.map(|entry| {
                let texts = member.texts(entry);
                let before = [&entry.remark, &entry.extension, &entry.server_extension];
                if before.iter().zip(&texts).all(|(before, after)| *before == after) {
                    return entry.clone();
                }
                let version = ledger.take_version(place.0);
                if entry.remark != texts[0] {
                    told.push((member, version));
                }
                [entry.remark, entry.extension, entry.server_extension] = texts;
                (entry.version, entry.updated_at) = (version, now);
                entry.clone()
            });
            outcomes.push(Outcome::Done(changed));
        }
        let taken = ledger.taken();
        if !taken.is_empty() {
            heads::advance(&mut tx, &taken).await?;
            // An entry that a change of this transaction has made as it is.
            let changed =
                standing.iter().filter(|((owner, _), entry)| ledger.took(*owner, entry.version));
            let changed: Vec<ChangedEntry<'_>> =
                changed.map(|((owner, _), entry)| ChangedEntry { owner: *owner, entry }).collect();
            entries::change(&mut tx, &changed, now).await?;
            let set =
                told.iter().map(|(member, version)| (member.call.app.id, member.event(*version)));
            record_events::record_all(&mut tx, core, set.collect()).await?;
            first.call.commit(tx, taken.iter().map(|taken| taken.owner)).await?;
        }
        Ok(outcomes)
    }
}

impl Update {
    /// The entry to change.
    fn entry<'e, 'm>(
        &self,
        locked: &Locked,
        place: Place<'m>,
        friend_exists: bool,
        entries: &'e mut HashMap<Place<'m>, Friend>,
    ) -> Result<&'e mut Friend, Error> {
        found(locked.get(place.0), &self.owner)?;
        found(friend_exists.then_some(()), &self.friend)?;
        entries.get_mut(&place).ok_or_else(|| Error::NotFriends {
            owner: self.owner.clone(),
            friend: self.friend.clone(),
        })
    }

    /// Remark, extension and server extension after the change.
    fn texts(&self, entry: &Friend) -> [String; 3] {
        let change = &self.change;
        [
            change.remark.as_ref().map_or(&*entry.remark, Remark::as_str).to_owned(),
            change.extension.as_ref().map_or(&*entry.extension, Extension::as_str).to_owned(),
            change
                .server_extension
                .as_ref()
                .map_or(&*entry.server_extension, Extension::as_str)
                .to_owned(),
        ]
    }

    fn event(&self, version: i64) -> NewEvent<'_> {
        NewEvent {
            event_type: EventType::FriendRemarkSet,
            owner: (self.call.key(&self.owner), &self.owner),
            version,
            friend: &self.friend,
            detail: self.change.remark.as_ref().map_or("", Remark::as_str),
        }
    }
}
