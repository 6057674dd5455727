//! Friendships in bulk: both sides are always made, whether there are records of one side or of both.

use time::OffsetDateTime;

use super::{
    batches::{self, BATCH, Existing, ImportEvent, ImportListener, RecordOutcome, Tally, past},
    staging::Staging,
};
use crate::{
    domain::{EntryTexts, Error, OwnerKey, Place, Refusal, UserRef, Username},
    ops::{
        changes::{
            friendship::{self, FriendListFull, NewTexts, Side},
            heads::Heads,
            list_changes::{Events, ListChanges},
            request,
        },
        core::Context,
    },
    store::staging::{self, StagedFriend},
};

/// Makes the staged friendships, in the order in which they stand in the files: where a list has not
/// room for all, the first ones go in.
///
/// # Errors
/// Only those of the database; a record that is refused is reported to `progress`.
pub async fn befriend(
    context: &Context,
    staging: &mut Staging,
    existing: Existing,
    progress: ImportListener<'_>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut batch: Vec<Pair> = Vec::with_capacity(BATCH);
    staging::order_friends(&mut staging.session).await?;
    loop {
        let records = staging::next_friends(&mut staging.session).await?;
        let is_end = records.is_empty();
        for record in records {
            if let Some(pair) = batch.last_mut().filter(|pair| pair.is_of(&record)) {
                let place = record.place;
                tally.repeat(place, pair.add(record), progress);
                continue;
            }
            if batch.len() == BATCH {
                befriend_batch(context, &batch, existing, &mut tally, progress).await?;
                batch.clear();
            }
            batch.push(Pair::from(record));
        }
        if is_end {
            befriend_batch(context, &batch, existing, &mut tally, progress).await?;
            return Ok(tally);
        }
    }
}

impl Tally {
    /// Counts another record of a pair, unless it is of the pair's other side: then it is counted with
    /// the pair.
    fn repeat(
        &mut self,
        place: Place,
        is_other_side: Result<bool, Refusal>,
        progress: ImportListener<'_>,
    ) {
        match is_other_side {
            Ok(true) => return,
            Ok(false) => self.already += 1,
            Err(refusal) => {
                self.refused += 1;
                progress(ImportEvent::Refused(place, refusal));
            }
        }
        progress(ImportEvent::Progress(1));
    }
}

async fn befriend_batch(
    context: &Context,
    batch: &[Pair],
    existing: Existing,
    tally: &mut Tally,
    progress: ImportListener<'_>,
) -> Result<(), Error> {
    let (outcomes, other_sides) =
        batches::run(context, |context| try_to_befriend(context, batch, existing)).await?;
    tally.other_sides += other_sides;
    tally.count(outcomes, progress);
    Ok(())
}

/// Two users and what the records say about their friendship.
struct Pair([PairSide; 2]);

/// One of the two, with the record of the entry in this user's list, if there is one.
struct PairSide {
    key: OwnerKey,
    name: Username,
    record: Option<EntryRecord>,
}

struct EntryRecord {
    place: Place,
    texts: EntryTexts,
    created_at: Option<OffsetDateTime>,
}

impl From<StagedFriend> for Pair {
    fn from(staged: StagedFriend) -> Self {
        let StagedFriend { place, owner, friend, texts, created_at } = staged;
        let record = Some(EntryRecord { place, texts, created_at });
        Self([
            PairSide { key: owner.0, name: owner.1, record },
            PairSide { key: friend.0, name: friend.1, record: None },
        ])
    }
}

impl Pair {
    fn is_of(&self, staged: &StagedFriend) -> bool {
        let [one, other] = [self.0[0].key, self.0[1].key];
        [(one, other), (other, one)].contains(&(staged.owner.0, staged.friend.0))
    }

    /// Adds another record of the same two. Returns whether it is the first of its side.
    fn add(&mut self, staged: StagedFriend) -> Result<bool, Refusal> {
        let side = &mut self.0[usize::from(self.0[1].key == staged.owner.0)];
        match &side.record {
            None => {
                let StagedFriend { place, texts, created_at, .. } = staged;
                side.record = Some(EntryRecord { place, texts, created_at });
                Ok(true)
            }
            Some(first) if first.texts == staged.texts => Ok(false),
            Some(first) => Err(Refusal::Contradicts(first.place)),
        }
    }

    fn users(&self) -> [UserRef<'_>; 2] {
        self.0.each_ref().map(|side| UserRef { key: side.key, name: &side.name })
    }

    fn records(&self) -> impl Iterator<Item = &EntryRecord> {
        self.0.iter().filter_map(|side| side.record.as_ref())
    }

    /// Both sides as they are to be made. Each begins at the time in its own record, else at the time in
    /// the record of the other side.
    fn sides(&self, now: OffsetDateTime) -> [Side<'_>; 2] {
        let times = self.0.each_ref().map(|side| side.record.as_ref().and_then(|r| r.created_at));
        [0, 1].map(|at| {
            let texts = self.0[at].record.as_ref().map(|record| NewTexts::from(&record.texts));
            Side {
                user: self.users()[at],
                texts: texts.unwrap_or_default(),
                created_at: Some(past(times[at].or(times[1 - at]), now)),
            }
        })
    }

    fn every_record(&self, outcome: &RecordOutcome) -> Vec<(Place, RecordOutcome)> {
        self.records().map(|record| (record.place, outcome.clone())).collect()
    }
}

/// Imports a batch. Returns the outcome of each record, and how many entries were made for which there is
/// no record.
async fn try_to_befriend(
    context: Context,
    batch: &[Pair],
    existing: Existing,
) -> Result<(Vec<(Place, RecordOutcome)>, u64), Error> {
    let core = &context.core;
    let mut tx = core.db.begin(context.deadline).await?;
    let pairs: Vec<[UserRef<'_>; 2]> = batch.iter().map(Pair::users).collect();
    let heads = Heads::lock(&mut tx, pairs.iter().flatten().map(|user| user.key)).await?;
    let mut changes = ListChanges::new(core, heads);
    // Records may speak of the entries of either side.
    let sides = pairs.iter().flat_map(|&[one, other]| [[one, other], [other, one]]);
    friendship::read_entries(&mut changes, &mut tx, &sides.collect::<Vec<_>>()).await?;
    request::read_waiting(&mut changes, &mut tx, &pairs).await?;
    let (mut outcomes, mut other_sides) = (Vec::new(), 0);
    for pair in batch {
        let decided = decide(&mut changes, &context, pair, existing);
        if decided.iter().any(|(_, outcome)| *outcome == RecordOutcome::Added) {
            other_sides += 2 - decided.len() as u64;
        }
        outcomes.extend(decided);
    }
    if !changes.is_empty() {
        changes.commit(tx, core).await?;
    }
    Ok((outcomes, other_sides))
}

fn decide<'a>(
    changes: &mut ListChanges<'a>,
    context: &Context,
    pair: &'a Pair,
    existing: Existing,
) -> Vec<(Place, RecordOutcome)> {
    let [one, other] = pair.users();
    for user in [one, other] {
        if changes.heads.user(user).is_err() {
            return pair.every_record(&RecordOutcome::Refused(Refusal::NoUser(user.name.clone())));
        }
    }
    if friendship::are_friends(changes, one, other) {
        let sides = [[one, other], [other, one]].into_iter().zip(&pair.0);
        let meet = |([owner, friend], side): ([UserRef<'a>; 2], &'a PairSide)| {
            let record = side.record.as_ref()?;
            Some((record.place, meet(changes, [owner, friend], &record.texts, existing)))
        };
        return sides.filter_map(meet).collect();
    }
    match friendship::make(changes, &context.app, pair.sides(changes.now), Events::Skip) {
        Ok(()) => pair.every_record(&RecordOutcome::Added),
        Err(FriendListFull { username, limit }) => {
            pair.every_record(&RecordOutcome::Refused(Refusal::FriendLimit { username, limit }))
        }
    }
}

/// The outcome of a record of two users who are friends already.
fn meet<'a>(
    changes: &mut ListChanges<'a>,
    [owner, friend]: [UserRef<'a>; 2],
    texts: &'a EntryTexts,
    existing: Existing,
) -> RecordOutcome {
    if friendship::entry_agrees(changes, owner, friend, texts) {
        RecordOutcome::Already
    } else if existing == Existing::Keep {
        RecordOutcome::Refused(Refusal::OtherTexts)
    } else {
        friendship::overwrite(changes, owner, friend, texts);
        RecordOutcome::Changed
    }
}
