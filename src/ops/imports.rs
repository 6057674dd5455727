//! Imports: many friends for one user, each as far as possible.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;

use super::{
    Call,
    changes::record_events,
    found,
    friends::{added_event, has_requests},
    locks::Locked,
    requests,
};
use crate::{
    domain::{Error, ImportOutcome, OwnerKey, Username},
    store::{
        friends::{self, NewEntry},
        users,
    },
};

/// Makes a user the friend of each of `names`, as far as possible, and tells of each how it went.
/// The names are raw: one that can't be a username fails alone. Events are told only with `notify`.
///
/// # Errors
/// `UserNotFound` for the owner; `FriendLimitExceeded` when the owner's list was full before and a
/// name would need a place in it.
pub async fn import(
    call: &Call,
    owner: &Username,
    names: &[String],
    notify: bool,
) -> Result<ImportOutcome, Error> {
    let owner_key = call.key(owner);
    let limit = call.app.limits.friend_limit;
    let wanted = Wanted::read(owner, names);
    let others: Vec<&Username> = wanted.users().collect();
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            let keys = others.iter().map(|name| call.key(name)).chain([owner_key]);
            let locked = Locked::all(&mut tx, keys).await?;
            let owners = found(locked.get(owner_key), owner)?;
            let friends_already: HashSet<Username> =
                friends::are_friends(&mut tx, owner_key, &others).await?.into_iter().collect();
            let strangers: Vec<&Username> = others
                .iter()
                .copied()
                .filter(|name| {
                    locked.get(call.key(name)).is_some() && !friends_already.contains(*name)
                })
                .collect();
            let room = usize::try_from(limit - owners.head.friend_count).unwrap_or(0);
            if room == 0 && !strangers.is_empty() {
                return Err(Error::FriendLimitExceeded { username: owner.clone(), limit });
            }
            let added = befriend_some(&mut tx, call, owner, &strangers, room, notify).await?;
            if has_requests(&locked, owner_key) {
                for friend in &added {
                    requests::settle_between(&mut tx, call, owner, friend).await?;
                }
            }
            call.commit(tx, added.iter().map(|name| call.key(name)).chain([owner_key])).await?;
            Ok(wanted.outcome(|name| {
                if friends_already.contains(name) || added.contains(name) {
                    Fate::Succeeded
                } else if locked.get(call.key(name)).is_some() {
                    Fate::LimitExceeded
                } else {
                    Fate::NotFound
                }
            }))
        })
        .await
}

/// Makes `owner` the friend of as many of `strangers` as both lists have room for, in order. All are
/// locked. Returns those who became friends.
async fn befriend_some(
    tx: &mut PgConnection,
    call: &Call,
    owner: &Username,
    strangers: &[&Username],
    room: usize,
    notify: bool,
) -> Result<HashSet<Username>, Error> {
    let owner_key = call.key(owner);
    let limit = call.app.limits.friend_limit;
    // A stranger whose list is full takes no place in the owner's, so those after them move up.
    let mut versions: BTreeMap<OwnerKey, i64> = BTreeMap::new();
    let mut waiting = strangers.iter().map(|name| call.key(name));
    while versions.len() < room {
        let next: Vec<OwnerKey> = waiting.by_ref().take(room - versions.len()).collect();
        if next.is_empty() {
            break;
        }
        versions.extend(users::gain_friend(tx, &next, limit).await?);
    }
    let added: Vec<&Username> =
        strangers.iter().copied().filter(|name| versions.contains_key(&call.key(name))).collect();
    let Ok(count @ 1..) = i32::try_from(added.len()) else {
        return Ok(HashSet::new());
    };
    let last = users::gain_friends(tx, owner_key, count, limit)
        .await?
        .ok_or_else(|| Error::Internal("a locked friend list lost its room".to_owned()))?;
    let owners_side = (last - i64::from(count) + 1..).zip(&added).map(|(version, friend)| {
        NewEntry { owner: owner_key, friend, version, server_extension: "" }
    });
    let others_side = added.iter().map(|name| {
        let key = call.key(name);
        NewEntry { owner: key, friend: owner, version: versions[&key], server_extension: "" }
    });
    let entries: Vec<NewEntry<'_>> = owners_side.chain(others_side).collect();
    friends::put(tx, &entries, call.core.clock.now()).await?;
    if notify {
        let of_owner = entries.iter().take(added.len());
        let told = of_owner.map(|entry| added_event(entry, owner));
        record_events::record(tx, call, told.collect()).await?;
    }
    Ok(added.into_iter().cloned().collect())
}

/// The names of an import: duplicates folded, each as it is told to the caller (a username in lower
/// case, anything else as it was given) and with the other user it names, if it names one.
struct Wanted(Vec<(String, Option<Username>)>);

enum Fate {
    Succeeded,
    NotFound,
    LimitExceeded,
}

impl Wanted {
    fn read(owner: &Username, names: &[String]) -> Self {
        let mut seen = HashSet::new();
        let mut wanted = Vec::new();
        for name in names {
            let user = Username::parse("usernames", name).ok();
            let told = user.as_ref().map_or(name.as_str(), Username::as_str).to_owned();
            if seen.insert(told.clone()) {
                wanted.push((told, user.filter(|user| user != owner)));
            }
        }
        Self(wanted)
    }

    fn users(&self) -> impl Iterator<Item = &Username> {
        self.0.iter().filter_map(|(_, user)| user.as_ref())
    }

    fn outcome(&self, fate: impl Fn(&Username) -> Fate) -> ImportOutcome {
        let mut outcome = ImportOutcome::default();
        for (told, user) in &self.0 {
            let list = match user.as_ref().map(&fate) {
                Some(Fate::Succeeded) => &mut outcome.succeeded,
                Some(Fate::NotFound) => &mut outcome.not_found,
                Some(Fate::LimitExceeded) => &mut outcome.limit_exceeded,
                None => &mut outcome.failed,
            };
            list.push(told.clone());
        }
        outcome
    }
}
