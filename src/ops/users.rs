//! Users: create, read, change, delete.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Call, Core, blocks as block_ops, found,
    friends::{Remarks, part},
    requests as request_ops,
};
use crate::{
    domain::{Error, ListHead, Nickname, OwnerKey, Page, PageSize, User, Username},
    store::{apps, blocks, departures, friends, requests, users},
};

/// How many entries of others one transaction cleans up when a user leaves: each takes a lock that
/// others may wait for.
const LEAVING_BATCH: i64 = 100;

/// How many former friends one transaction makes forget their remarks: no locks, and mostly nothing
/// to do.
const FORGETTING_BATCH: i64 = 1000;

/// Creates users, all or none. Returns them in the order given.
///
/// # Errors
/// `UserAlreadyExists`, also for a name that stands twice in `new`.
pub async fn create(call: &Call, new: &[(Username, Nickname)]) -> Result<Vec<User>, Error> {
    let mut seen = HashSet::new();
    if let Some((twice, _)) = new.iter().find(|(username, _)| !seen.insert(username)) {
        return Err(Error::UserAlreadyExists(twice.clone()));
    }
    // Each turn more needs somebody else to have deleted one of the users meanwhile.
    loop {
        match call.core.db.retrying(|| try_to_create(call, new)).await? {
            Attempt::Created(users) => return Ok(users),
            Attempt::StillLeaving(username) => leave(call, &username).await?,
        }
    }
}

enum Attempt {
    Created(Vec<User>),
    /// The name's former holder was deleted, but stands in lists yet.
    StillLeaving(Username),
}

async fn try_to_create(call: &Call, new: &[(Username, Nickname)]) -> Result<Attempt, Error> {
    // In key order, so that two batches with users in common can't deadlock.
    let mut ascending: Vec<usize> = (0..new.len()).collect();
    ascending.sort_by_key(|&i| call.key(&new[i].0));
    let mut tx = call.core.db.begin(call.deadline).await?;
    let now = call.core.clock.now();
    let mut created: Vec<Option<User>> = vec![None; new.len()];
    for i in ascending {
        let (username, nickname) = &new[i];
        let id = Uuid::new_v4();
        created[i] = users::create(&mut tx, call.app.id, username, nickname, id, now).await?;
        if created[i].is_none() {
            // The attempt locked the row in its way, so what the row says now was the reason.
            return if departures::lock_leaving(&mut tx, call.key(username)).await? {
                Ok(Attempt::StillLeaving(username.clone()))
            } else {
                Err(Error::UserAlreadyExists(username.clone()))
            };
        }
    }
    tx.commit().await?;
    Ok(Attempt::Created(created.into_iter().flatten().collect()))
}

/// A user and the heads of their lists.
///
/// # Errors
/// `UserNotFound`.
pub async fn get(call: &Call, username: &Username) -> Result<(User, ListHead), Error> {
    let (db, key) = (&call.core.db, call.key(username));
    let account = found(db.read(async |db| users::get(db, key).await).await?, username)?;
    Ok((account.user, account.head))
}

/// A page of the app's users in username order, after the name `after`.
///
/// # Errors
/// Only those of every call.
pub async fn list(call: &Call, after: &str, size: PageSize) -> Result<Page<User, String>, Error> {
    let (db, app_id) = (&call.core.db, call.app.id);
    let rows = db.read(async |db| users::page(db, app_id, after, size.rows_to_read()).await);
    Ok(Page::cut(rows.await?, size, |user| user.username.as_str().to_owned()))
}

/// Sets a user's nickname.
///
/// # Errors
/// `UserNotFound`.
pub async fn set_nickname(
    call: &Call,
    username: &Username,
    nickname: &Nickname,
) -> Result<User, Error> {
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            let now = call.core.clock.now();
            let user = users::set_nickname(&mut tx, call.key(username), nickname, now).await?;
            let user = found(user, username)?;
            tx.commit().await?;
            Ok(user)
        })
        .await
}

/// Marks a user as active or banned.
///
/// # Errors
/// `UserNotFound`.
pub async fn set_activated(
    call: &Call,
    username: &Username,
    activated: bool,
) -> Result<User, Error> {
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            let now = call.core.clock.now();
            let user = users::set_activated(&mut tx, call.key(username), activated, now).await?;
            let user = found(user, username)?;
            tx.commit().await?;
            Ok(user)
        })
        .await
}

/// Deletes a user: at once for whoever asks, then out of all lists in batches. When the call ends
/// before the lists are clean, [`finish_leaving`] goes on. Returns the user as they were.
///
/// # Errors
/// `UserNotFound`.
pub async fn delete(call: &Call, username: &Username) -> Result<User, Error> {
    let key = call.key(username);
    let user = call
        .core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            let account = found(users::lock(&mut tx, key).await?, username)?;
            departures::mark_deleted(&mut tx, key, call.core.clock.now()).await?;
            tx.commit().await?;
            Ok(account.user)
        })
        .await?;
    // The user is deleted, whatever becomes of the rest now: the caller learns so in time.
    let left = call.deadline.saturating_duration_since(Instant::now());
    match tokio::time::timeout(left / 2, leave(call, username)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "cleaning up after a deleted user goes on in the background");
        }
        Err(_) => tracing::info!("cleaning up after a deleted user goes on in the background"),
    }
    Ok(user)
}

/// Goes on with a few deleted users who still stand in lists. Returns how many have left.
///
/// # Errors
/// Those of the database; the next call goes on where this one stopped.
pub async fn finish_leaving(core: &Arc<Core>, deadline: Instant) -> Result<usize, Error> {
    let leaving = core.db.read(async |db| departures::leaving(db, LEAVING_BATCH).await).await?;
    for (app_id, username) in &leaving {
        let app = core.db.read(async |db| apps::by_id(db, *app_id).await).await?;
        // An app deleted as a whole takes all its users' rows with it.
        let Some(app) = app else { continue };
        let call = Call { core: Arc::clone(core), app: Arc::new(app), deadline };
        // One who can't be cleaned up now must not hold up the others.
        if let Err(error) = leave(&call, username).await {
            tracing::warn!(%error, "cleaning up after a deleted user goes on later");
        }
    }
    Ok(leaving.len())
}

/// Takes a deleted user out of all lists, batch by batch, each a transaction that leaves both sides
/// of what it touched in agreement; then out of what is kept for a re-add.
async fn leave(call: &Call, username: &Username) -> Result<(), Error> {
    let db = &call.core.db;
    while db.retrying(|| leave_one_batch(call, username)).await? {}
    while db.retrying(|| be_forgotten(call, username)).await? {}
    db.retrying(|| leave_for_good(call, username)).await
}

/// One batch; false when the user stands in no list any more.
async fn leave_one_batch(call: &Call, username: &Username) -> Result<bool, Error> {
    let key = call.key(username);
    let mut tx = call.core.db.begin(call.deadline).await?;
    // Look first, lock in order, look again: as in `friends::remove_all`. Nothing is added to a
    // deleted user's lists any more, so whoever is gone at the second look was cleaned up by another.
    let friends = friends::names(&mut tx, key, LEAVING_BATCH).await?;
    let blockers = blocks::blockers(&mut tx, key, LEAVING_BATCH).await?;
    let asked = requests::others(&mut tx, key, LEAVING_BATCH).await?;
    let askers = asked.iter().map(|(name, ..)| name);
    let others = friends.iter().chain(&blockers).chain(askers).map(|name| call.key(name));
    let locked: BTreeSet<OwnerKey> = others.chain([key]).collect();
    for &locked in &locked {
        if locked != key {
            // The other may be leaving too: both rows go all the same.
            users::lock_even_deleted(&mut tx, locked).await?;
        } else if !departures::lock_leaving(&mut tx, key).await? {
            return Ok(false);
        }
    }

    let parting = friends::are_friends(&mut tx, key, &friends.iter().collect::<Vec<_>>()).await?;
    let remarks = Remarks { owners_cleared: true, others_cleared: true };
    part(&mut tx, call, username, &parting, remarks).await?;
    for blocker in &blockers {
        if !blocks::standing(&mut tx, &[(call.key(blocker), username)]).await?.is_empty() {
            block_ops::release(&mut tx, call, blocker, &[username]).await?;
        }
    }
    // Whoever was asked or asks no more at the second look was cleaned up by another.
    let still: Vec<_> = requests::others(&mut tx, key, LEAVING_BATCH).await?;
    for request in asked.iter().filter(|request| still.contains(request)) {
        request_ops::forget(&mut tx, call, username, request).await?;
    }
    let blocked = blocks::names(&mut tx, key, LEAVING_BATCH).await?;
    block_ops::release(&mut tx, call, username, &blocked.iter().collect::<Vec<_>>()).await?;

    let clean = friends::names(&mut tx, key, 1).await?.is_empty()
        && blocks::blockers(&mut tx, key, 1).await?.is_empty()
        && blocks::names(&mut tx, key, 1).await?.is_empty()
        && requests::others(&mut tx, key, 1).await?.is_empty();
    call.commit(tx, locked).await?;
    Ok(!clean)
}

/// Clears the remarks that a batch of former friends keep on a leaving user: whoever comes under the
/// name later is somebody else. False when there are no more.
async fn be_forgotten(call: &Call, username: &Username) -> Result<bool, Error> {
    let mut tx = call.core.db.begin(call.deadline).await?;
    if !departures::lock_leaving(&mut tx, call.key(username)).await? {
        return Ok(false);
    }
    let keepers = friends::keepers(&mut tx, call.app.id, username, FORGETTING_BATCH).await?;
    // Without the locks of the owners: nobody sees these remarks, and each transaction touches them
    // under one owner or, as this one, on one user only, so that no two wait for each other.
    friends::forget_remarks_on(&mut tx, &keepers, username).await?;
    tx.commit().await?;
    Ok(!keepers.is_empty())
}

/// The end: the user's own kept remarks go, and the name is free.
async fn leave_for_good(call: &Call, username: &Username) -> Result<(), Error> {
    let key = call.key(username);
    let mut tx = call.core.db.begin(call.deadline).await?;
    if !departures::lock_leaving(&mut tx, key).await? {
        return Ok(());
    }
    friends::forget_remarks(&mut tx, key).await?;
    departures::has_left(&mut tx, key).await?;
    tx.commit().await
}
