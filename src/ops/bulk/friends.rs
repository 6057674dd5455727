//! Friendships in bulk: always both sides, whether the records speak of one or of both.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    Approach, Existing, Fate, Gains, Heads, Listener, Staging, Tally, Told, all_done, past,
    persistently,
};
use crate::{
    domain::{EntryTexts, Error, OwnerKey, Place, Refusal, Username},
    ops::{Call, requests},
    store::{
        bulk::{self, Entry, Gain},
        staging::{self, StagedFriend},
    },
};

/// Makes the staged friendships, in the order in which they stand in the files: where a list has not
/// room for all, the first ones go in.
///
/// # Errors
/// Only those of the database; what does not go in is told.
pub async fn befriend(
    call: &Call,
    staging: &mut Staging,
    existing: Existing,
    tell: Listener<'_>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut batch: Vec<Pair> = Vec::with_capacity(super::BATCH);
    staging::order_friends(&mut staging.session).await?;
    loop {
        let records = staging::next_friends(&mut staging.session).await?;
        if records.is_empty() {
            befriend_batch(call, &batch, existing, &mut tally, tell).await?;
            return Ok(tally);
        }
        for record in records {
            if let Some(pair) = batch.last_mut().filter(|pair| pair.is_of(&record)) {
                let place = record.place;
                tally.repeat(place, pair.take(record), tell);
                continue;
            }
            if batch.len() == super::BATCH {
                befriend_batch(call, &batch, existing, &mut tally, tell).await?;
                batch.clear();
            }
            batch.push(Pair::from(record));
        }
    }
}

impl Tally {
    /// Counts another record of a pair, unless it is news: then it is counted with the pair.
    fn repeat(&mut self, place: Place, news: Result<bool, Refusal>, tell: Listener<'_>) {
        match news {
            Ok(true) => return,
            Ok(false) => self.already += 1,
            Err(refusal) => {
                self.refused += 1;
                tell(Told::Refused(place, refusal));
            }
        }
        tell(Told::Through(1));
    }
}

async fn befriend_batch(
    call: &Call,
    batch: &[Pair],
    existing: Existing,
    tally: &mut Tally,
    tell: Listener<'_>,
) -> Result<(), Error> {
    let (fates, other_sides) =
        persistently(call, |call, approach| try_to_befriend(call, batch, existing, approach))
            .await?;
    tally.other_sides += other_sides;
    tally.count(fates, tell);
    Ok(())
}

/// Two users and what the records say about their friendship.
struct Pair([Side; 2]);

/// One of the two, with the record of the entry in this one's list, if there is one.
struct Side {
    key: OwnerKey,
    name: Username,
    record: Option<(Place, EntryTexts, Option<OffsetDateTime>)>,
}

impl From<StagedFriend> for Pair {
    fn from(staged: StagedFriend) -> Self {
        let record = Some((staged.place, staged.texts, staged.created_at));
        Self([
            Side { key: staged.owner.0, name: staged.owner.1, record },
            Side { key: staged.friend.0, name: staged.friend.1, record: None },
        ])
    }
}

impl Pair {
    fn is_of(&self, staged: &StagedFriend) -> bool {
        let [one, other] = [self.0[0].key, self.0[1].key];
        [(one, other), (other, one)].contains(&(staged.owner.0, staged.friend.0))
    }

    /// Takes another record of the same two. Tells whether it was news.
    fn take(&mut self, staged: StagedFriend) -> Result<bool, Refusal> {
        let side = usize::from(self.0[1].key == staged.owner.0);
        match &self.0[side].record {
            None => {
                self.0[side].record = Some((staged.place, staged.texts, staged.created_at));
                Ok(true)
            }
            Some((_, texts, _)) if *texts == staged.texts => Ok(false),
            Some((first, ..)) => Err(Refusal::Contradicts(*first)),
        }
    }

    fn users(&self) -> [(OwnerKey, &Username); 2] {
        self.0.each_ref().map(|side| (side.key, &side.name))
    }

    /// Whose list, and who stands in it.
    fn entry(&self, side: usize) -> (OwnerKey, &Username) {
        (self.0[side].key, &self.0[1 - side].name)
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().filter_map(|side| side.record.as_ref().map(|(place, ..)| *place))
    }

    /// When the friendship began, as the owner's record says it, else the other's.
    fn created_at(&self, side: usize) -> Option<OffsetDateTime> {
        let time = |side: usize| self.0[side].record.as_ref().and_then(|(.., time)| *time);
        time(side).or_else(|| time(1 - side))
    }
}

/// What a batch comes to.
#[derive(Default)]
struct Plan {
    fates: Vec<(Place, Fate)>,
    gains: Gains,
    /// Pairs that become friends, by their index.
    joined: Vec<usize>,
    /// Entries that get other texts: pair and side.
    changed: Vec<(usize, usize)>,
    other_sides: u64,
}

async fn try_to_befriend(
    call: Call,
    batch: &[Pair],
    existing: Existing,
    approach: Approach,
) -> Result<(Vec<(Place, Fate)>, u64), Error> {
    let mut tx = call.core.db.begin(call.deadline).await?;
    let keys = batch.iter().flat_map(|pair| [pair.0[0].key, pair.0[1].key]);
    let heads = Heads::look(&mut tx, keys, approach).await?;
    let standing = standing(&mut tx, batch, &heads).await?;
    let limit = call.app.limits.friend_limit;
    let mut plan = Plan::make(batch, &heads, &standing, limit, existing);
    if !plan.gains.of.is_empty() {
        plan.gains.take(&mut tx, &call).await?;
        write(&mut tx, &call, batch, &mut plan).await?;
        call.commit(tx, plan.gains.of.into_keys()).await?;
    }
    Ok((plan.fates, plan.other_sides))
}

/// The texts of both entries of each pair who are friends. Only of users who exist: of one who was
/// deleted one side may stand without the other.
async fn standing(
    tx: &mut PgConnection,
    batch: &[Pair],
    heads: &Heads,
) -> Result<Vec<Option<[[String; 3]; 2]>>, Error> {
    let mut standing = vec![None; batch.len()];
    let there: Vec<usize> =
        (0..batch.len()).filter(|at| heads.missing(batch[*at].users()).is_none()).collect();
    let wanted: Vec<_> = there.iter().map(|at| batch[*at].entry(0)).collect();
    let mut found = bulk::friends(tx, &wanted).await?;
    for (at, _) in &mut found {
        *at = there[*at];
    }
    // New pairs are by far the most: the other side is asked of the others only.
    let wanted: Vec<_> = found.iter().map(|(at, _)| batch[*at].entry(1)).collect();
    let returned = bulk::friends(tx, &wanted).await?;
    // Between the two looks a friendship ended.
    all_done(returned.len() as u64, wanted.len())?;
    let mut others: Vec<Option<[String; 3]>> = vec![None; found.len()];
    for (at, texts) in returned {
        others[at] = Some(texts);
    }
    for ((at, one), other) in found.into_iter().zip(others) {
        standing[at] = other.map(|other| [one, other]);
    }
    Ok(standing)
}

impl Plan {
    fn make(
        batch: &[Pair],
        heads: &Heads,
        standing: &[Option<[[String; 3]; 2]>],
        limit: i32,
        existing: Existing,
    ) -> Self {
        let mut plan = Self::default();
        for (at, pair) in batch.iter().enumerate() {
            if let Some(refusal) = heads.missing(pair.users()) {
                plan.refuse(pair, &refusal);
            } else if let Some(texts) = &standing[at] {
                plan.meet(at, pair, texts, existing);
            } else if let Some(refusal) = plan.full(pair, heads, limit) {
                plan.refuse(pair, &refusal);
            } else {
                plan.join(at, pair);
            }
        }
        plan
    }

    fn refuse(&mut self, pair: &Pair, refusal: &Refusal) {
        self.fates.extend(pair.places().map(|place| (place, Fate::Refused(refusal.clone()))));
    }

    /// They are friends already.
    fn meet(&mut self, at: usize, pair: &Pair, texts: &[[String; 3]; 2], existing: Existing) {
        for (side, [remark, extension, server_extension]) in texts.iter().enumerate() {
            let Some((place, wanted, _)) = &pair.0[side].record else { continue };
            let fate = if wanted.agree_with(remark, extension, server_extension) {
                Fate::Already
            } else if existing == Existing::Overwrite {
                self.gains.add(pair.0[side].key, Gain { versions: 1, ..Gain::default() });
                self.changed.push((at, side));
                Fate::Changed
            } else {
                Fate::Refused(Refusal::OtherTexts)
            };
            self.fates.push((*place, fate));
        }
    }

    fn full(&self, pair: &Pair, heads: &Heads, limit: i32) -> Option<Refusal> {
        let full = pair.0.iter().find(|side| {
            let count = heads.get(side.key).map_or(0, |head| head.friend_count);
            count + self.gains.friends(side.key) >= limit
        })?;
        Some(Refusal::FriendLimit { username: full.name.clone(), limit })
    }

    fn join(&mut self, at: usize, pair: &Pair) {
        for side in &pair.0 {
            self.gains.add(side.key, Gain { friends: 1, versions: 1, ..Gain::default() });
        }
        self.joined.push(at);
        self.fates.extend(pair.places().map(|place| (place, Fate::Added)));
        self.other_sides += pair.0.iter().filter(|side| side.record.is_none()).count() as u64;
    }
}

/// Writes what was planned, under the versions that were taken.
async fn write(
    tx: &mut PgConnection,
    call: &Call,
    batch: &[Pair],
    plan: &mut Plan,
) -> Result<(), Error> {
    let now = call.core.clock.now();
    let unsaid = EntryTexts::default();
    let mut entry = |at: usize, side: usize| {
        let pair = &batch[at];
        Entry {
            owner: pair.0[side].key,
            friend: &pair.0[1 - side].name,
            version: plan.gains.next_version(pair.0[side].key),
            texts: pair.0[side].record.as_ref().map_or(&unsaid, |(_, texts, _)| texts),
            created_at: past(pair.created_at(side), now),
        }
    };
    let new: Vec<Entry<'_>> =
        plan.joined.iter().flat_map(|at| [(*at, 0), (*at, 1)]).map(|(a, s)| entry(a, s)).collect();
    let changed: Vec<Entry<'_>> = plan.changed.iter().map(|&(a, s)| entry(a, s)).collect();
    all_done(bulk::put_friends(tx, &new, now).await?, new.len())?;
    if !changed.is_empty() {
        all_done(bulk::set_texts(tx, &changed, now).await?, changed.len())?;
    }
    for &at in &plan.joined {
        let [one, other] = &batch[at].0;
        if plan.gains.has_requests(one.key) && plan.gains.has_requests(other.key) {
            requests::settle_between(tx, call, &one.name, &other.name).await?;
        }
    }
    Ok(())
}
