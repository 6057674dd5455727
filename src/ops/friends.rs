//! Friendships: add, remove, remark, read, import.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use time::OffsetDateTime;

use tokio::time::Instant;

use super::{
    Call,
    additions::Addition,
    changes::record_events,
    coalesce::{Outcome, Shared, Turn},
    entry_changes::Update,
    found,
    locks::Locked,
};
use crate::{
    domain::{
        EntryChange, Error, EventType, Extension, Friend, FriendEntry, Invalid, NewEvent, OwnerKey,
        Page, PageSize, User, Username,
    },
    store::{
        Db, friend_changes,
        friends::{self, Entries, GoneEntry, NewEntry},
        users,
    },
};

/// Makes two users friends at once; friends already stay as they are. Returns the friend's profile.
///
/// # Errors
/// `UserNotFound`, `FriendLimitExceeded` for whichever list is full, `SelfRelation`.
pub async fn add(
    call: &Call,
    owner: &Username,
    friend: &Username,
    server_extension: &Extension,
) -> Result<User, Error> {
    refuse_self("friend", owner, friend)?;
    let addition = Addition {
        call: call.clone(),
        owner: owner.clone(),
        friend: friend.clone(),
        server_extension: server_extension.clone(),
    };
    call.core.turns.additions.join(addition).await
}

/// Whether a locked user has any pending request, got or sent.
pub(super) fn has_requests(locked: &Locked, key: OwnerKey) -> bool {
    let head = locked.get(key).map(|account| account.head);
    head.is_some_and(|head| head.incoming_requests + head.outgoing_requests > 0)
}

/// Makes two users friends, who are not yet, both locked, and tells of it as the owner's doing. Owner's
/// and friend's entry get a server extension each.
pub(super) async fn join(
    tx: &mut PgConnection,
    call: &Call,
    owner: (OwnerKey, &Username),
    friend: (OwnerKey, &Username),
    server_extensions: [&str; 2],
) -> Result<(), Error> {
    let limit = call.app.limits.friend_limit;
    let gained = users::gain_friend(tx, &[owner.0, friend.0], limit).await?;
    let version_of = |(key, username): (OwnerKey, &Username)| {
        let version = gained.iter().find(|(gainer, _)| *gainer == key).map(|(_, version)| *version);
        version.ok_or_else(|| Error::FriendLimitExceeded { username: username.clone(), limit })
    };
    let entries = [
        NewEntry {
            owner: owner.0,
            friend: friend.1,
            version: version_of(owner)?,
            server_extension: server_extensions[0],
        },
        NewEntry {
            owner: friend.0,
            friend: owner.1,
            version: version_of(friend)?,
            server_extension: server_extensions[1],
        },
    ];
    friends::put(tx, &entries, call.core.clock.now()).await?;
    record_events::record(tx, call, vec![added_event(&entries[0], owner.1)]).await
}

/// Ends a friendship on both sides; no friends stay so. The owner's remark is kept for a later
/// re-add unless `clear_remark`. Returns the removed friend's profile.
///
/// # Errors
/// `UserNotFound`, `SelfRelation`.
pub async fn remove(
    call: &Call,
    owner: &Username,
    friend: &Username,
    clear_remark: bool,
) -> Result<User, Error> {
    refuse_self("friend", owner, friend)?;
    let (owner_key, friend_key) = (call.key(owner), call.key(friend));
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            let locked = Locked::all(&mut tx, [owner_key, friend_key]).await?;
            found(locked.get(owner_key), owner)?;
            let profile = found(locked.get(friend_key), friend)?.user.clone();
            if friends::are_friends(&mut tx, owner_key, &[friend]).await?.is_empty() {
                if clear_remark {
                    friends::forget_remark(&mut tx, owner_key, friend).await?;
                }
            } else {
                let keep = Remarks { owners_cleared: clear_remark, others_cleared: false };
                part(&mut tx, call, owner, std::slice::from_ref(friend), keep).await?;
            }
            call.commit(tx, [owner_key, friend_key]).await?;
            Ok(profile)
        })
        .await
}

/// Ends all friendships of a user on both sides and clears the user's remarks, kept ones included.
/// Returns how many friendships ended. A friendship that begins while the call is under way may stay.
///
/// # Errors
/// `UserNotFound`.
pub async fn remove_all(call: &Call, owner: &Username) -> Result<usize, Error> {
    let owner_key = call.key(owner);
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            // Whom to lock is known only from the list, and the list stands still only once its owner is
            // locked: look first, lock in order, and look again. Who came in between stays: to begin
            // anew for them could go on for as long as there are callers who add.
            let seen = friends::names(&mut tx, owner_key, i64::MAX).await?;
            let keys = seen.iter().map(|name| call.key(name)).chain([owner_key]);
            for key in keys.collect::<BTreeSet<OwnerKey>>() {
                if key == owner_key {
                    found(users::lock(&mut tx, key).await?, owner)?;
                } else {
                    // A friend who was deleted a moment ago still stands in the list, and goes too.
                    users::lock_even_deleted(&mut tx, key).await?;
                }
            }
            let seen: Vec<&Username> = seen.iter().collect();
            let standing = friends::are_friends(&mut tx, owner_key, &seen).await?;
            let keep = Remarks { owners_cleared: true, others_cleared: false };
            part(&mut tx, call, owner, &standing, keep).await?;
            friends::forget_remarks(&mut tx, owner_key).await?;
            call.commit(tx, standing.iter().map(|name| call.key(name)).chain([owner_key])).await?;
            Ok(standing.len())
        })
        .await
}

/// Whose remarks go with the friendships.
#[derive(Clone, Copy)]
pub(super) struct Remarks {
    pub(super) owners_cleared: bool,
    pub(super) others_cleared: bool,
}

/// Ends the friendships of `owner` with all of `others`, who are friends, all of them locked. Tells
/// so as the owner's doing.
pub(super) async fn part(
    tx: &mut PgConnection,
    call: &Call,
    owner: &Username,
    others: &[Username],
    remarks: Remarks,
) -> Result<(), Error> {
    let Ok(count @ 1..) = i32::try_from(others.len()) else {
        return Ok(());
    };
    let owner_key = call.key(owner);
    let keys: Vec<OwnerKey> = others.iter().map(|name| call.key(name)).collect();
    let last = users::lose_friends(tx, owner_key, count).await?;
    let owners_side: Vec<GoneEntry<'_>> = (last - i64::from(count) + 1..)
        .zip(others)
        .map(|(version, friend)| GoneEntry {
            owner: owner_key,
            friend,
            version,
            clear_remark: remarks.owners_cleared,
        })
        .collect();
    let removed = owners_side.iter().map(|gone| NewEvent {
        event_type: EventType::FriendRemoved,
        owner: (owner_key, owner),
        version: gone.version,
        friend: gone.friend,
        detail: "",
    });
    record_events::record(tx, call, removed.collect()).await?;
    let lost = users::lose_friend(tx, &keys).await?;
    let others_side = lost.into_iter().map(|(key, version)| GoneEntry {
        owner: key,
        friend: owner,
        version,
        clear_remark: remarks.others_cleared,
    });
    let gone: Vec<GoneEntry<'_>> = owners_side.into_iter().chain(others_side).collect();
    friends::bury(tx, &gone, call.core.clock.now()).await
}

/// Changes the owner's entry of a friend; what is the same already changes nothing. Returns the entry.
///
/// # Errors
/// `UserNotFound`, `NotFriends`.
pub async fn update(
    call: &Call,
    owner: &Username,
    friend: &Username,
    change: &EntryChange,
) -> Result<Friend, Error> {
    let update = Update {
        call: call.clone(),
        owner: owner.clone(),
        friend: friend.clone(),
        change: change.clone(),
    };
    call.core.turns.updates.join(update).await
}

/// Users who are friends of both, in username order after the name `after`.
///
/// # Errors
/// `UserNotFound` for either.
pub async fn mutual(
    call: &Call,
    username: &Username,
    other: &Username,
    after: &str,
    size: PageSize,
) -> Result<Page<Username, String>, Error> {
    let keys = [call.key(username), call.key(other)];
    let rows = call.core.db.read(async |db| {
        for (key, name) in keys.into_iter().zip([username, other]) {
            found(users::get(db, key).await?, name)?;
        }
        friends::mutual(db, keys, after, size.rows_to_read()).await
    });
    Ok(Page::cut(rows.await?, size, |name| name.as_str().to_owned()))
}

/// One entry of a friend list.
///
/// # Errors
/// `UserNotFound`, `NotFriends`.
pub async fn get(call: &Call, owner: &Username, friend: &Username) -> Result<Friend, Error> {
    let (owner_key, friend_key) = (call.key(owner), call.key(friend));
    call.core
        .db
        .read(async |db| {
            if let Some(entry) = friends::get(db, (owner_key, owner), (friend_key, friend)).await? {
                return Ok(entry);
            }
            // Rare enough for two reads more, which tell the caller what is missing.
            for (key, username) in [(owner_key, owner), (friend_key, friend)] {
                found(users::get(db, key).await?, username)?;
            }
            Err(not_friends(owner, friend))
        })
        .await
}

/// All entries of a friend list that changed after a time, in the order of their last changes.
///
/// # Errors
/// `UserNotFound`.
pub async fn updated_after(
    call: &Call,
    owner: &Username,
    after: OffsetDateTime,
) -> Result<Vec<Friend>, Error> {
    let (db, key) = (&call.core.db, call.key(owner));
    // The friend limit bounds them.
    let changed = db.read(async |db| friend_changes::updated_after(db, key, after).await).await?;
    found(changed, owner)
}

/// A page of a friend list in username order, after the name `after`.
///
/// # Errors
/// `UserNotFound`.
pub async fn list(
    call: &Call,
    owner: &Username,
    after: &str,
    size: PageSize,
) -> Result<Page<FriendEntry, String>, Error> {
    let owner_key = call.key(owner);
    let page = ListPage { call: call.clone(), owner: owner_key, after: after.to_owned(), size };
    let rows = found(call.core.turns.pages.join(page).await?, owner)?;
    Ok(Page::cut(rows.entries(), size, |entry| entry.username.as_str().to_owned()))
}

/// A page of a list.
pub(super) struct ListPage {
    call: Call,
    owner: OwnerKey,
    after: String,
    size: PageSize,
}

impl Shared for ListPage {
    /// Nothing when there is no such user.
    type Answer = Option<Entries>;

    const SHORT: bool = true;

    fn db(&self) -> &Db {
        &self.call.core.db
    }

    fn deadline(&self) -> Instant {
        self.call.deadline
    }

    async fn together(pages: &[Self], _: Turn) -> Result<Vec<Outcome<Self::Answer>>, Error> {
        let Some(first) = pages.first() else { return Ok(Vec::new()) };
        let rows = first.call.core.db.read_once(async |db| {
            let asked = pages.iter().map(|page| (page.owner, page.after.as_str(), page.size));
            friends::pages(db, asked).await
        });
        Ok(rows.await?.into_iter().map(|rows| Outcome::Done(Ok(rows))).collect())
    }
}

/// All friends' names, in order.
///
/// # Errors
/// `UserNotFound`.
pub async fn list_all(call: &Call, owner: &Username) -> Result<Vec<Username>, Error> {
    let (db, key) = (&call.core.db, call.key(owner));
    found(db.read(async |db| friends::all(db, key).await).await?, owner)
}

/// The event of a new entry in the owner's list.
pub(super) fn added_event<'a>(entry: &NewEntry<'a>, owner: &'a Username) -> NewEvent<'a> {
    NewEvent {
        event_type: EventType::FriendAdded,
        owner: (entry.owner, owner),
        version: entry.version,
        friend: entry.friend,
        detail: "",
    }
}

fn refuse_self(field: &str, owner: &Username, other: &Username) -> Result<(), Error> {
    if owner == other {
        return Err(Error::Invalid(Invalid::SelfRelation {
            field: field.to_owned(),
            username: owner.clone(),
        }));
    }
    Ok(())
}

fn not_friends(owner: &Username, friend: &Username) -> Error {
    Error::NotFriends { owner: owner.clone(), friend: friend.clone() }
}
