//! Users: create, read, change, delete.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    audits,
    call::Call,
    changes::{heads::Heads, list_changes::ListChanges, request},
    found,
    maintenance::deleted_users,
};
use crate::{
    domain::{Audited, Error, ListHead, Nickname, Page, PageSize, User, Username, facts},
    store::{
        user_deletion,
        users::{self, NewUser},
    },
};

/// Creates users, all or none. Returns them in the order given.
///
/// # Errors
/// `UserAlreadyExists`, also for a name that stands twice in `new`.
pub async fn create(call: &Call, new: &[(Username, Nickname)]) -> Result<Vec<User>, Error> {
    let mut seen = HashSet::new();
    if let Some((twice, _)) = new.iter().find(|(username, _)| !seen.insert(username)) {
        return Err(Error::UserAlreadyExists(twice.clone()));
    }
    // Another round is needed only when another caller has deleted one of the users meanwhile.
    loop {
        match call.core.db.retrying(|| try_to_create(call, new)).await? {
            Created::All(users) => return Ok(users),
            Created::None { leaving } => deleted_users::leave(call, &leaving).await?,
        }
    }
}

enum Created {
    All(Vec<User>),
    /// The name's former holder is deleted, and still stands in lists.
    None {
        leaving: Username,
    },
}

async fn try_to_create(call: &Call, new: &[(Username, Nickname)]) -> Result<Created, Error> {
    let core = &call.core;
    let mut tx = core.db.begin(call.deadline).await?;
    let now = core.clock.now();
    let users: Vec<User> = new
        .iter()
        .map(|(username, nickname)| User {
            uuid: Uuid::new_v4(),
            username: username.clone(),
            nickname: nickname.as_str().to_owned(),
            activated: true,
            created_at: now,
            modified_at: now,
        })
        .collect();
    let by_key: BTreeMap<_, _> =
        users.iter().map(|user| (call.key(&user.username), user)).collect();
    let rows: Vec<NewUser<'_>> = by_key
        .iter()
        .map(|(key, user)| NewUser {
            key: *key,
            username: &user.username,
            uuid: user.uuid,
            nickname: &user.nickname,
            activated: user.activated,
            created_at: now,
            modified_at: now,
        })
        .collect();
    let created: HashSet<_> =
        users::create(&mut tx, call.app.id, &rows).await?.into_iter().collect();
    if let Some((key, user)) = by_key.iter().find(|(key, _)| !created.contains(key)) {
        let username = user.username.clone();
        // The insert has locked the row with which it collided.
        let heads = Heads::lock_with_deleted(&mut tx, [*key]).await?;
        return if heads.is_leaving(*key) {
            Ok(Created::None { leaving: username })
        } else {
            Err(Error::UserAlreadyExists(username))
        };
    }
    let mut recorded = Vec::new();
    for user in &users {
        let change = || {
            let change = Audited::new("UserService/CreateUser").in_app(&call.app);
            change.of(&user.username).after(facts(json!({ "nickname": user.nickname })))
        };
        let author = call.author.as_deref();
        recorded.extend(audits::record_unless_app(core, &mut tx, author, change).await?);
    }
    tx.commit().await?;
    audits::log(recorded);
    Ok(Created::All(users))
}

/// A user and the heads of their lists.
///
/// # Errors
/// `UserNotFound`.
pub async fn get(call: &Call, username: &Username) -> Result<(User, ListHead), Error> {
    let (db, key) = (&call.core.db, call.key(username));
    let overdue = request::overdue_before(&call.core);
    let account = db.read(async |db| users::get(db, key, overdue).await).await?;
    let account = found(account, username)?;
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
            let change = || {
                let change = Audited::new("UserService/UpdateUser").in_app(&call.app);
                change.of(username).after(facts(json!({ "nickname": user.nickname })))
            };
            let author = call.author.as_deref();
            let recorded = audits::record_unless_app(&call.core, &mut tx, author, change).await?;
            tx.commit().await?;
            audits::log(recorded);
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
            let action =
                if activated { "UserService/ActivateUser" } else { "UserService/DeactivateUser" };
            let change = || {
                let change = Audited::new(action).in_app(&call.app).of(username);
                change.after(facts(json!({ "activated": activated })))
            };
            let author = call.author.as_deref();
            let recorded = audits::record_unless_app(&call.core, &mut tx, author, change).await?;
            tx.commit().await?;
            audits::log(recorded);
            Ok(user)
        })
        .await
}

/// Deletes a user: no call finds the user from then on. Then the user is removed from all lists, for as
/// long as half of the call's time; [`deleted_users::finish`] goes on where that was not enough. Returns the user as
/// they were.
///
/// # Errors
/// `UserNotFound`.
pub async fn delete(call: &Call, username: &Username) -> Result<User, Error> {
    let (core, author) = (&call.core, call.author());
    let user = call.user(username);
    let deleted = core.db.retrying(|| async {
        let mut tx = core.db.begin(call.deadline).await?;
        let mut heads = Heads::lock(&mut tx, [user.key]).await?;
        let profile = heads.user(user)?.clone();
        // Watchers notice the deletion by the version.
        heads.next_version(user.key);
        let changes = ListChanges::new(core, heads);
        user_deletion::mark_deleted(&mut tx, user.key, changes.now).await?;
        let change = Audited::new("UserService/DeleteUser").in_app(&call.app).of(username);
        let recorded = audits::record(core, &mut tx, &author, change).await?;
        changes.commit(tx, core).await?;
        recorded.log();
        Ok(profile)
    });
    let deleted = deleted.await?;
    // The user is deleted, whatever happens to the rest now, and the caller has to learn so in time.
    let left = call.deadline.saturating_duration_since(Instant::now());
    match tokio::time::timeout(left / 2, deleted_users::leave(call, username)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "removing a deleted user from lists goes on in the background");
        }
        Err(_) => tracing::info!("removing a deleted user from lists goes on in the background"),
    }
    Ok(deleted)
}
