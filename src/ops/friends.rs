//! Friend lists: add, remove, remark, read.

use std::collections::BTreeSet;

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    audits,
    batch::{add_friend::AddFriend, list_friends::ListFriends, update_friend::UpdateFriend},
    call::Call,
    changes::{
        friendship::{self, ClearRemarks},
        heads::Heads,
        list_changes::ListChanges,
    },
    found, refuse_self,
};
use crate::{
    domain::{
        Audited, EntryChange, EntryTexts, Error, Extension, Friend, FriendEntry, Page, PageSize,
        User, UserRef, Username, facts,
    },
    store::{friend_changes, friend_lists, friends, users},
};

pub use super::batch::add_friend::Added;

/// How often [`remove_all`] starts over because friends were added while it took its locks. Without a
/// bound it could go on for as long as other calls add friends.
const RESTARTS: u32 = 3;

/// Makes two users friends at once; two who are friends already stay as they are.
///
/// # Errors
/// `UserNotFound`, `FriendLimitExceeded` for whichever list is full, `SelfRelation`.
pub async fn add(
    call: &Call,
    owner: &Username,
    friend: &Username,
    server_extension: &Extension,
) -> Result<Added, Error> {
    refuse_self(|| "friend".to_owned(), owner, friend)?;
    let item = AddFriend {
        context: call.context.clone(),
        owner: owner.clone(),
        friend: friend.clone(),
        server_extension: server_extension.clone(),
        author: call.author.clone(),
    };
    call.batchers.add_friend.submit(item).await
}

/// Two users who are friends no more.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The owner's identifier, as [`User::uuid`].
    pub owner_uuid: Uuid,
    /// The former friend's profile.
    pub friend: User,
}

/// Ends a friendship on both sides; two who are not friends stay as they are. The owner's remark is kept
/// for a later friendship unless `clear_remark`.
///
/// # Errors
/// `UserNotFound`, `SelfRelation`.
pub async fn remove(
    call: &Call,
    owner: &Username,
    friend: &Username,
    clear_remark: bool,
) -> Result<Removed, Error> {
    refuse_self(|| "friend".to_owned(), owner, friend)?;
    let core = &call.core;
    let pair @ [owner, friend] = [call.user(owner), call.user(friend)];
    let removed = core.db.retrying(|| async {
        let mut tx = core.db.begin(call.deadline).await?;
        let heads = Heads::lock(&mut tx, pair.map(|user| user.key)).await?;
        let owner_uuid = heads.user(owner)?.uuid;
        let removed = Removed { owner_uuid, friend: heads.user(friend)?.clone() };
        let mut changes = ListChanges::new(core, heads);
        friendship::read_entries(&mut changes, &mut tx, &[pair]).await?;
        let change = || {
            let change = Audited::new("FriendService/RemoveFriend").in_app(&call.app);
            change.of(owner.name).before(facts(json!({ "friend": friend.name.as_str() })))
        };
        let author = call.author.as_deref();
        let recorded = audits::record_unless_app(core, &mut tx, author, change).await?;
        if friendship::are_friends(&changes, owner, friend) {
            let clear = ClearRemarks { of_owner: clear_remark, of_friend: false };
            friendship::end(&mut changes, call.app.id, owner, friend, clear);
        } else if clear_remark {
            friends::clear_kept_remark(&mut tx, &[owner.key], friend.name).await?;
        } else if recorded.is_none() {
            return Ok(removed);
        }
        changes.commit(tx, core).await?;
        audits::log(recorded);
        Ok(removed)
    });
    removed.await
}

/// Ends all friendships of a user on both sides and clears the user's remarks, kept ones included.
/// Returns how many friendships ended. A friendship that begins during the call may stay, without a
/// remark.
///
/// # Errors
/// `UserNotFound`.
pub async fn remove_all(call: &Call, owner: &Username) -> Result<usize, Error> {
    let retrying = async |newcomers| {
        let attempt = || try_to_remove_all(call, owner, newcomers);
        call.core.db.retrying(attempt).await
    };
    for _ in 0..RESTARTS {
        if let Some(removed) = retrying(Newcomers::StartOver).await? {
            return Ok(removed);
        }
    }
    Ok(retrying(Newcomers::Stay).await?.unwrap_or_default())
}

/// What happens when a friendship began while the locks were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newcomers {
    /// Nothing is changed.
    StartOver,
    /// The new friendship stays, and its remark is cleared like all remarks of the owner.
    Stay,
}

/// Ends all friendships; `None` when the caller has to start over.
///
/// The friends to lock are known only from the list, and the list stands still only once its owner is
/// locked. So the list is read, all are locked in key order, and the list is read again.
async fn try_to_remove_all(
    call: &Call,
    owner: &Username,
    newcomers: Newcomers,
) -> Result<Option<usize>, Error> {
    let core = &call.core;
    let owner = call.user(owner);
    let mut tx = core.db.begin(call.deadline).await?;
    let seen: BTreeSet<Username> =
        friends::names(&mut tx, owner.key, i64::MAX).await?.into_iter().collect();
    let keys = seen.iter().map(|name| call.key(name)).chain([owner.key]);
    // A friend who was deleted a moment ago still stands in the list, and is removed too.
    let heads = Heads::lock_with_deleted(&mut tx, keys).await?;
    heads.user(owner)?;
    let names = friends::names(&mut tx, owner.key, i64::MAX).await?;
    let (old, new): (Vec<&Username>, Vec<&Username>) =
        names.iter().partition(|name| seen.contains(*name));
    if !new.is_empty() && newcomers == Newcomers::StartOver {
        return Ok(None);
    }
    let mut changes = ListChanges::new(core, heads);
    let clear = ClearRemarks { of_owner: true, of_friend: false };
    for name in &old {
        friendship::end(&mut changes, call.app.id, owner, call.user(name), clear);
    }
    if !new.is_empty() {
        let new: Vec<[UserRef<'_>; 2]> = new.iter().map(|name| [owner, call.user(name)]).collect();
        friendship::read_entries(&mut changes, &mut tx, &new).await?;
        let no_remark = EntryTexts { remark: Some(String::new()), ..EntryTexts::default() };
        for [owner, friend] in new {
            friendship::overwrite(&mut changes, owner, friend, &no_remark);
        }
    }
    friends::clear_kept_remarks(&mut tx, owner.key).await?;
    changes.commit(tx, core).await?;
    Ok(Some(old.len()))
}

/// Changes the owner's entry of a friend; texts that are the same already change nothing. Returns the
/// entry.
///
/// # Errors
/// `UserNotFound`, `NotFriends`.
pub async fn update(
    call: &Call,
    owner: &Username,
    friend: &Username,
    change: &EntryChange,
) -> Result<Friend, Error> {
    let item = UpdateFriend {
        context: call.context.clone(),
        owner: owner.clone(),
        friend: friend.clone(),
        change: change.clone(),
    };
    call.batchers.update_friend.submit(item).await
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
    let pair = [call.user(username), call.user(other)];
    let rows = call.core.db.read(async |db| {
        for user in pair {
            found(users::get(db, user.key, None).await?, user.name)?;
        }
        let keys = pair.map(|user| user.key);
        friend_lists::mutual(db, call.app.id, keys, after, size.rows_to_read()).await
    });
    Ok(Page::cut(rows.await?, size, |name| name.as_str().to_owned()))
}

/// One entry of a friend list.
///
/// # Errors
/// `UserNotFound`, `NotFriends`.
pub async fn get(call: &Call, owner: &Username, friend: &Username) -> Result<Friend, Error> {
    let pair: [UserRef<'_>; 2] = [call.user(owner), call.user(friend)];
    let entry = call.core.db.read(async |db| {
        if let Some(entry) = friend_lists::get(db, pair[0], pair[1]).await? {
            return Ok(entry);
        }
        // Without an entry two more reads tell the caller what is missing.
        for user in pair {
            found(users::get(db, user.key, None).await?, user.name)?;
        }
        Err(Error::NotFriends { owner: owner.clone(), friend: friend.clone() })
    });
    entry.await
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
    // Not paged: the friend limit bounds the answer.
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
    let (context, after) = (call.context.clone(), after.to_owned());
    let item = ListFriends { context, owner: call.key(owner), after, size };
    let rows = found(call.batchers.list_friends.submit(item).await?, owner)?;
    Ok(Page::cut(rows.entries(), size, |entry| entry.username.as_str().to_owned()))
}

/// All friends' names, in order.
///
/// # Errors
/// `UserNotFound`.
pub async fn list_all(call: &Call, owner: &Username) -> Result<Vec<Username>, Error> {
    let (db, key) = (&call.core.db, call.key(owner));
    found(db.read(async |db| friend_lists::all(db, key).await).await?, owner)
}
