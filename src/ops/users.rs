//! Users: create, read, change. `user_deletion` deletes them.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::{call::Call, changes::heads::Heads, found, user_deletion};
use crate::{
    domain::{Error, ListHead, Nickname, Page, PageSize, User, Username},
    store::users::{self, NewUser},
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
            Created::None { leaving } => user_deletion::leave(call, &leaving).await?,
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
    tx.commit().await?;
    Ok(Created::All(users))
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
