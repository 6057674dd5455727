//! Making and ending a friendship, and changing an entry of a friend list: the one place of these rules.

use std::mem;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    list_changes::{EntryState, Events, ListChanges},
    request,
};
use crate::{
    domain::{
        App, EntryChange, EntryTexts, Error, EventType, Friend, NewEvent, RequestState, UserRef,
        Username,
    },
    store::friends::{self, NewEntry, RemovedEntry, StoredEntry},
};

/// The texts of a new entry. Without a remark the entry gets the one that its tombstone keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::ops) struct NewTexts<'a> {
    pub(in crate::ops) remark: Option<&'a str>,
    pub(in crate::ops) extension: &'a str,
    pub(in crate::ops) server_extension: &'a str,
}

impl<'a> From<&'a EntryTexts> for NewTexts<'a> {
    fn from(texts: &'a EntryTexts) -> Self {
        Self {
            remark: texts.remark.as_deref(),
            extension: texts.extension.as_deref().unwrap_or_default(),
            server_extension: texts.server_extension.as_deref().unwrap_or_default(),
        }
    }
}

/// One side of a friendship to make: whose list, with which texts, and since when (`None`: since now).
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Side<'a> {
    pub(in crate::ops) user: UserRef<'a>,
    pub(in crate::ops) texts: NewTexts<'a>,
    pub(in crate::ops) created_at: Option<OffsetDateTime>,
}

impl<'a> Side<'a> {
    /// A side that begins now.
    pub(in crate::ops) fn new(user: UserRef<'a>, texts: NewTexts<'a>) -> Self {
        Self { user, texts, created_at: None }
    }
}

/// Reads the entries of these owners and friends, of whom the owners are locked.
pub(in crate::ops) async fn read_entries(
    changes: &mut ListChanges<'_>,
    tx: &mut PgConnection,
    wanted: &[[UserRef<'_>; 2]],
) -> Result<(), Error> {
    for (at, stored) in friends::find(tx, wanted).await? {
        let state = match stored {
            StoredEntry::Live { entry, friend_exists } => {
                EntryState::Live { entry, friend_exists, changed: false }
            }
            StoredEntry::Tombstone { remark } => EntryState::Tombstone { remark },
        };
        changes.entries.insert(wanted[at].map(|user| user.key), state);
    }
    Ok(())
}

/// Reads what decides whether these owners and friends, all of them locked, become friends: the owners'
/// entries, and the requests that wait between the two. The friends' entries say the same, since both
/// change in one transaction.
pub(in crate::ops) async fn read_pairs(
    changes: &mut ListChanges<'_>,
    tx: &mut PgConnection,
    pairs: &[[UserRef<'_>; 2]],
) -> Result<(), Error> {
    read_entries(changes, tx, pairs).await?;
    request::read_waiting(changes, tx, pairs).await
}

/// The owner's entry of a friend, after the changes so far.
pub(in crate::ops) fn entry(
    changes: &ListChanges<'_>,
    owner: UserRef<'_>,
    friend: UserRef<'_>,
) -> Option<Friend> {
    match changes.entries.get(&[owner.key, friend.key])? {
        EntryState::Live { entry, .. } => Some(entry.clone()),
        EntryState::New { at, kept_remark } => {
            Some(new_entry(changes, &changes.new_entries[*at], kept_remark))
        }
        EntryState::Tombstone { .. } => None,
    }
}

fn new_entry(changes: &ListChanges<'_>, entry: &NewEntry<'_>, kept_remark: &str) -> Friend {
    Friend {
        username: entry.friend.clone(),
        remark: entry.remark.unwrap_or(kept_remark).to_owned(),
        extension: entry.extension.to_owned(),
        server_extension: entry.server_extension.to_owned(),
        bidirectional: true,
        created_at: entry.created_at,
        updated_at: changes.now,
        version: entry.version,
    }
}

/// Whether two users are friends, after the changes so far.
pub(in crate::ops) fn are_friends(
    changes: &ListChanges<'_>,
    owner: UserRef<'_>,
    friend: UserRef<'_>,
) -> bool {
    let state = changes.entries.get(&[owner.key, friend.key]);
    matches!(state, Some(EntryState::Live { .. } | EntryState::New { .. }))
}

/// Makes two users friends on behalf of the owner. They are locked, were read by [`read_pairs`], and are
/// not friends yet. Requests that wait between the two are accepted.
///
/// # Errors
/// For the first of the two whose list is full; nothing is changed then.
pub(in crate::ops) fn make<'a>(
    changes: &mut ListChanges<'a>,
    app: &App,
    [owner, friend]: [Side<'a>; 2],
    events: Events,
) -> Result<(), FriendListFull> {
    refuse_full(changes, app, owner.user)?;
    refuse_full(changes, app, friend.user)?;
    request::settle(changes, [owner.user, friend.user], RequestState::Accepted);
    let version = insert(changes, owner, friend.user);
    insert(changes, friend, owner.user);
    if events == Events::Record {
        let event = NewEvent::new(EventType::FriendAdded, owner.user, version, friend.user);
        changes.record(app.id, event);
    }
    Ok(())
}

/// Whose friend list has no room for one more, and the limit.
pub(in crate::ops) struct FriendListFull {
    pub(in crate::ops) username: Username,
    pub(in crate::ops) limit: i32,
}

impl From<FriendListFull> for Error {
    fn from(FriendListFull { username, limit }: FriendListFull) -> Self {
        Self::FriendLimitExceeded { username, limit }
    }
}

/// Refuses a list that has no room for one more friend.
pub(in crate::ops) fn refuse_full(
    changes: &ListChanges<'_>,
    app: &App,
    owner: UserRef<'_>,
) -> Result<(), FriendListFull> {
    let limit = app.limits.friend_limit;
    if changes.heads.head(owner.key).friend_count < limit {
        return Ok(());
    }
    Err(FriendListFull { username: owner.name.clone(), limit })
}

/// Adds one side's entry, and returns its version.
fn insert<'a>(changes: &mut ListChanges<'a>, side: Side<'a>, friend: UserRef<'a>) -> i64 {
    let owner = side.user.key;
    let version = changes.heads.count_friends(owner, 1);
    let state = changes.entries.entry([owner, friend.key]).or_default();
    let kept_remark = match state {
        EntryState::Tombstone { remark } => mem::take(remark),
        _ => String::new(),
    };
    *state = EntryState::New { at: changes.new_entries.len(), kept_remark };
    changes.new_entries.push(NewEntry {
        owner,
        friend: friend.name,
        version,
        remark: side.texts.remark,
        extension: side.texts.extension,
        server_extension: side.texts.server_extension,
        created_at: side.created_at.unwrap_or(changes.now),
    });
    version
}

/// Which remarks are cleared when a friendship ends, instead of being kept for a later one.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct ClearRemarks {
    pub(in crate::ops) of_owner: bool,
    pub(in crate::ops) of_friend: bool,
}

/// Ends the friendship of two locked users, who are friends, on behalf of the owner.
pub(in crate::ops) fn end<'a>(
    changes: &mut ListChanges<'a>,
    app_id: Uuid,
    owner: UserRef<'a>,
    friend: UserRef<'a>,
    clear: ClearRemarks,
) {
    let sides = [(owner, friend, clear.of_owner), (friend, owner, clear.of_friend)];
    let versions = sides.map(|(user, other, clear_remark)| {
        let version = changes.heads.count_friends(user.key, -1);
        changes.entries.remove(&[user.key, other.key]);
        let (owner, friend) = (user.key, other.name);
        changes.removed_entries.push(RemovedEntry { owner, friend, version, clear_remark });
        version
    });
    let event = NewEvent::new(EventType::FriendRemoved, owner, versions[0], friend);
    changes.record(app_id, event);
}

/// Changes the owner's entry of a friend, which was read. Texts that are the same already change
/// nothing. Returns the entry.
///
/// # Errors
/// `NotFriends` without an entry; `UserNotFound` when the friend is deleted.
pub(in crate::ops) fn update<'a>(
    changes: &mut ListChanges<'a>,
    app_id: Uuid,
    owner: UserRef<'a>,
    friend: UserRef<'a>,
    change: &'a EntryChange,
) -> Result<Friend, Error> {
    let state = changes.entries.get(&[owner.key, friend.key]);
    if let Some(EntryState::Live { friend_exists: false, .. }) = state {
        return Err(Error::UserNotFound(friend.name.clone()));
    }
    let remark = change.remark.as_ref().map(|remark| remark.as_str());
    let extension = change.extension.as_ref().map(|extension| extension.as_str());
    let server_extension = change.server_extension.as_ref().map(|extension| extension.as_str());
    let texts = [remark, extension, server_extension];
    let Some((entry, [new_remark, ..])) = write_texts(changes, [owner, friend], texts) else {
        let (owner, friend) = (owner.name.clone(), friend.name.clone());
        return Err(Error::NotFriends { owner, friend });
    };
    let entry = entry.clone();
    if new_remark {
        let detail = remark.unwrap_or_default();
        let event = NewEvent::new(EventType::FriendRemarkSet, owner, entry.version, friend);
        changes.record(app_id, NewEvent { detail, ..event });
    }
    Ok(entry)
}

/// Whether an entry, which was read, has these texts already. A text that is `None` always agrees.
pub(in crate::ops) fn entry_agrees(
    changes: &ListChanges<'_>,
    owner: UserRef<'_>,
    friend: UserRef<'_>,
    texts: &EntryTexts,
) -> bool {
    entry(changes, owner, friend).is_some_and(|entry| {
        texts.agree_with(&entry.remark, &entry.extension, &entry.server_extension)
    })
}

/// Gives an entry, which was read, other texts; a text that is `None` stays. Not recorded as an event.
pub(in crate::ops) fn overwrite(
    changes: &mut ListChanges<'_>,
    owner: UserRef<'_>,
    friend: UserRef<'_>,
    texts: &EntryTexts,
) {
    let EntryTexts { remark, extension, server_extension } = texts;
    let texts = [remark.as_deref(), extension.as_deref(), server_extension.as_deref()];
    write_texts(changes, [owner, friend], texts);
}

/// Writes remark, extension and server extension of a live entry, each if it is given, under the owner's
/// next version if one of them changes. Returns the entry and which of the texts changed; `None` without
/// a live entry.
fn write_texts<'c>(
    changes: &'c mut ListChanges<'_>,
    [owner, friend]: [UserRef<'_>; 2],
    [remark, extension, server_extension]: [Option<&str>; 3],
) -> Option<(&'c Friend, [bool; 3])> {
    let state = changes.entries.get_mut(&[owner.key, friend.key])?;
    let EntryState::Live { entry, changed, .. } = state else { return None };
    let new = [
        replace(&mut entry.remark, remark),
        replace(&mut entry.extension, extension),
        replace(&mut entry.server_extension, server_extension),
    ];
    if new.contains(&true) {
        *changed = true;
        entry.version = changes.heads.next_version(owner.key);
        entry.updated_at = changes.now;
    }
    Some((entry, new))
}

/// Replaces a text when a different one is given. Returns whether the text changed.
fn replace(text: &mut String, with: Option<&str>) -> bool {
    let Some(with) = with.filter(|with| with != text) else { return false };
    with.clone_into(text);
    true
}
