//! Users in bulk.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::batches::{self, BATCH, Existing, ImportListener, RecordOutcome, Tally, past};
use crate::{
    domain::{Error, OwnerKey, Place, Refusal, User, UserRecord},
    ops::{changes::heads::Heads, core::Context},
    store::users::{self, NewUser},
};

/// Creates those of the users who do not exist. Of a user who is named twice the first record counts.
///
/// # Errors
/// Only those of the database; a record that is refused is reported to `progress`.
pub async fn create(
    context: &Context,
    users: &[(Place, UserRecord)],
    existing: Existing,
    progress: ImportListener<'_>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for batch in users.chunks(BATCH) {
        let outcomes =
            batches::run(context, |context| create_batch(context, batch, existing)).await?;
        tally.count(outcomes, progress);
    }
    Ok(tally)
}

async fn create_batch(
    context: Context,
    batch: &[(Place, UserRecord)],
    existing: Existing,
) -> Result<Vec<(Place, RecordOutcome)>, Error> {
    let now = context.core.clock.now();
    let mut first: BTreeMap<OwnerKey, &(Place, UserRecord)> = BTreeMap::new();
    for record in batch {
        first.entry(context.key(&record.1.username)).or_insert(record);
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
    let mut tx = context.core.db.begin(context.deadline).await?;
    let created = users::create(&mut tx, context.app.id, &new).await?;
    let heads = Heads::lock(&mut tx, first.keys().copied()).await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut profiles = BTreeMap::new();
    for (place, record) in batch {
        let user = context.user(&record.username);
        let (first_place, _) = first[&user.key];
        let outcome = match heads.user(user) {
            Err(_) => RecordOutcome::Refused(Refusal::StillLeaving(user.name.clone())),
            Ok(_) if first_place == place && created.contains(&user.key) => RecordOutcome::Added,
            Ok(stored) if agrees(record, stored) => RecordOutcome::Already,
            Ok(_) if first_place != place => {
                RecordOutcome::Refused(Refusal::Contradicts(*first_place))
            }
            Ok(_) if existing == Existing::Keep => RecordOutcome::Refused(Refusal::OtherTexts),
            Ok(stored) => {
                profiles.insert(user.key, profile(record, stored));
                RecordOutcome::Changed
            }
        };
        outcomes.push((*place, outcome));
    }
    if !profiles.is_empty() {
        let profiles: Vec<(OwnerKey, &str, bool)> =
            profiles.into_iter().map(|(key, (nickname, on))| (key, nickname, on)).collect();
        users::set_profiles(&mut tx, &profiles, now).await?;
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// Nickname and activation as a record says them, else as they are.
fn profile<'a>(record: &'a UserRecord, stored: &'a User) -> (&'a str, bool) {
    let nickname = record.nickname.as_ref().map_or(&*stored.nickname, |name| name.as_str());
    (nickname, record.activated.unwrap_or(stored.activated))
}

fn agrees(record: &UserRecord, stored: &User) -> bool {
    profile(record, stored) == (&*stored.nickname, stored.activated)
}
