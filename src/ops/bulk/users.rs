//! Users in bulk.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Approach, Existing, Fate, Heads, Listener, Tally, past, persistently};
use crate::{
    domain::{Error, OwnerKey, Place, Refusal, UserRecord},
    ops::Call,
    store::bulk::{self, NewUser},
};

/// Creates those of the users who do not exist. Of one who is named twice the first counts.
///
/// # Errors
/// Only those of the database; what can't be created is told.
pub async fn create(
    call: &Call,
    users: &[(Place, UserRecord)],
    existing: Existing,
    tell: Listener<'_>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for batch in users.chunks(super::BATCH) {
        let fates =
            persistently(call, |call, approach| create_batch(call, batch, existing, approach))
                .await?;
        tally.count(fates, tell);
    }
    Ok(tally)
}

async fn create_batch(
    call: Call,
    batch: &[(Place, UserRecord)],
    existing: Existing,
    approach: Approach,
) -> Result<Vec<(Place, Fate)>, Error> {
    let now = call.core.clock.now();
    let mut first: BTreeMap<OwnerKey, &(Place, UserRecord)> = BTreeMap::new();
    for record in batch {
        first.entry(call.key(&record.1.username)).or_insert(record);
    }
    let new: Vec<NewUser<'_>> = first
        .iter()
        .map(|(key, (_, user))| NewUser {
            key: *key,
            username: &user.username,
            uuid: user.uuid.unwrap_or_else(Uuid::new_v4),
            nickname: user.nickname.as_ref().map_or("", |nickname| nickname.as_str()),
            activated: user.activated.unwrap_or(true),
            created_at: past(user.created_at, now),
            modified_at: past(user.modified_at.or(user.created_at), now),
        })
        .collect();
    let mut tx = call.core.db.begin(call.deadline).await?;
    let created = bulk::create_users(&mut tx, call.app.id, &new).await?;
    let heads = Heads::look(&mut tx, first.keys().copied(), approach).await?;
    let mut fates = Vec::with_capacity(batch.len());
    let mut profiles = BTreeMap::new();
    for (place, user) in batch {
        let key = call.key(&user.username);
        let is_first = first[&key].0 == *place;
        let Some(head) = heads.get(key) else {
            fates.push((*place, Fate::Refused(Refusal::StillLeaving(user.username.clone()))));
            continue;
        };
        let nickname = user.nickname.as_ref().map_or(head.nickname.as_str(), |name| name.as_str());
        let activated = user.activated.unwrap_or(head.activated);
        let agrees = nickname == head.nickname && activated == head.activated;
        let fate = if is_first && created.contains(&key) {
            Fate::Added
        } else if agrees {
            Fate::Already
        } else if !is_first {
            Fate::Refused(Refusal::Contradicts(first[&key].0))
        } else if existing == Existing::Overwrite {
            profiles.insert(key, (nickname.to_owned(), activated));
            Fate::Changed
        } else {
            Fate::Refused(Refusal::OtherTexts)
        };
        fates.push((*place, fate));
    }
    if !profiles.is_empty() {
        let profiles: Vec<(OwnerKey, &str, bool)> =
            profiles.iter().map(|(key, (name, on))| (*key, name.as_str(), *on)).collect();
        let changed = bulk::set_profiles(&mut tx, &profiles, now).await?;
        super::all_done(changed, profiles.len())?;
    }
    tx.commit().await?;
    Ok(fates)
}
