//! ImportFriends: makes many friends for one user. A friendship that can't be made does not stop the
//! others.

use std::collections::HashSet;

use super::{
    call::Call,
    changes::{
        friendship::{self, FriendListFull, NewTexts, Side},
        heads::Heads,
        list_changes::{Events, ListChanges},
    },
};
use crate::domain::{Error, ImportOutcome, UserRef, Username};

/// Makes a user the friend of each of `names` where that is possible, and reports each name's outcome.
/// The names are not parsed yet: one that can't be a username fails alone. Events are recorded only with
/// `notify`.
///
/// # Errors
/// `UserNotFound` for the owner; `FriendLimitExceeded` when the owner's list was full before and a name
/// would need a place in it.
pub async fn import(
    call: &Call,
    owner: &Username,
    names: &[String],
    notify: bool,
) -> Result<ImportOutcome, Error> {
    let wanted = Wanted::read(owner, names);
    let events = if notify { Events::Record } else { Events::Skip };
    call.core.db.retrying(|| try_to_import(call, owner, &wanted, events)).await
}

async fn try_to_import(
    call: &Call,
    owner: &Username,
    wanted: &Wanted,
    events: Events,
) -> Result<ImportOutcome, Error> {
    let core = &call.core;
    let owner = call.user(owner);
    let pairs: Vec<[UserRef<'_>; 2]> =
        wanted.users().map(|name| [owner, call.user(name)]).collect();
    let mut tx = core.db.begin(call.deadline).await?;
    let keys = pairs.iter().map(|[_, user]| user.key).chain([owner.key]);
    let heads = Heads::lock(&mut tx, keys).await?;
    heads.user(owner)?;
    let mut changes = ListChanges::new(core, heads);
    friendship::read_pairs(&mut changes, &mut tx, &pairs).await?;
    let outcome =
        wanted.outcome(|name| befriend(&mut changes, call, [owner, call.user(name)], events));
    // Nothing was added and the owner's list is full, so it was full before.
    if changes.is_empty() && !outcome.limit_exceeded.is_empty() {
        friendship::refuse_full(&changes, &call.app, owner)?;
    }
    if !changes.is_empty() {
        changes.commit(tx, core).await?;
    }
    Ok(outcome)
}

/// The list of the outcome in which a name is reported.
enum NameOutcome {
    Succeeded,
    NotFound,
    LimitExceeded,
}

/// Makes the friendship if it can be made. A friend whose own list is full takes no place in the owner's
/// list, so later names still find a place.
fn befriend<'a>(
    changes: &mut ListChanges<'a>,
    call: &Call,
    [owner, friend]: [UserRef<'a>; 2],
    events: Events,
) -> NameOutcome {
    if changes.heads.user(friend).is_err() {
        return NameOutcome::NotFound;
    }
    if friendship::are_friends(changes, owner, friend) {
        return NameOutcome::Succeeded;
    }
    let sides = [owner, friend].map(|user| Side::new(user, NewTexts::default()));
    match friendship::make(changes, &call.app, sides, events) {
        Ok(()) => NameOutcome::Succeeded,
        Err(FriendListFull { .. }) => NameOutcome::LimitExceeded,
    }
}

/// The names of an import, each once: as it is reported to the caller (a username in lower case, anything
/// else as it was given), and with the other user that it names, if it names one.
struct Wanted(Vec<(String, Option<Username>)>);

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

    fn outcome<'a>(&'a self, mut fate: impl FnMut(&'a Username) -> NameOutcome) -> ImportOutcome {
        let mut outcome = ImportOutcome::default();
        for (told, user) in &self.0 {
            let list = match user.as_ref().map(&mut fate) {
                Some(NameOutcome::Succeeded) => &mut outcome.succeeded,
                Some(NameOutcome::NotFound) => &mut outcome.not_found,
                Some(NameOutcome::LimitExceeded) => &mut outcome.limit_exceeded,
                None => &mut outcome.failed,
            };
            list.push(told.clone());
        }
        outcome
    }
}
