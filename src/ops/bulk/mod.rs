//! Moving an app's users, friends and blocks in and out, whole.
//!
//! What comes in is staged first, so that both directions of a friendship meet, whatever files they
//! stand in; then it goes in by batches, each a short transaction like that of any other change: look,
//! decide, take counts and versions under the limits in key order, write, and begin the batch anew if
//! somebody came between. Every step may be repeated. Nothing of it is told to callback receivers.

mod blocks;
mod friends;
mod users;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::AddAssign,
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{Call, Core};
use crate::{
    domain::{
        BlockRecord, Difference, Error, FriendRecord, OwnerKey, Place, Record, Refusal, UserRecord,
        Username,
    },
    store::{
        bulk::{self, Gain, Head},
        staging,
    },
};

pub use blocks::block;
pub use friends::befriend;
pub use users::create;

/// How many friendships, blocks or users one transaction takes in: it holds the rows of their users
/// for some tens of milliseconds, in which other changes of theirs wait.
const BATCH: usize = 2000;

/// How long a batch may take in all.
const BATCH_TIME: Duration = Duration::from_secs(60);

/// How often a batch that collides with other changes, or finds the database away, is begun anew.
const ATTEMPTS: u32 = 10;

/// Between two of these.
const PAUSE: Duration = Duration::from_millis(500);

/// How what comes in meets what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// What is there stays as it is.
    Keep,
    /// It gets the record's texts.
    Overwrite,
}

/// What happened, as it happens.
#[derive(Debug)]
pub enum Told {
    /// So many records more are through.
    Through(usize),
    /// A record did not go in.
    Refused(Place, Refusal),
}

/// Who listens to it.
pub type Listener<'a> = &'a mut (dyn FnMut(Told) + Send);

/// What became of records, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// New.
    pub added: u64,
    /// There already, just so.
    pub already: u64,
    /// There already, and changed to the record's texts.
    pub changed: u64,
    /// Not gone in.
    pub refused: u64,
    /// Entries made of which no record speaks: the other sides of new friendships.
    pub other_sides: u64,
}

/// Records on their way in. Nobody else sees them, and they go with it.
pub struct Staging {
    session: PgConnection,
}

impl Staging {
    /// An empty one.
    ///
    /// # Errors
    /// Those of the database, as of all calls here.
    pub async fn open(core: &Core) -> Result<Self, Error> {
        let mut session = core.db.session().await?;
        staging::create(&mut session).await?;
        Ok(Self { session })
    }

    /// Stages users, to compare with.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn users(&mut self, call: &Call, users: &[(Place, UserRecord)]) -> Result<(), Error> {
        let keyed = users.iter().map(|(place, user)| (*place, call.key(&user.username), user));
        staging::users(&mut self.session, keyed).await
    }

    /// Stages friend records.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn friends(
        &mut self,
        call: &Call,
        records: &[(Place, FriendRecord)],
    ) -> Result<(), Error> {
        let keyed = records.iter().map(|(place, record)| {
            (*place, [call.key(&record.owner), call.key(&record.friend)], record)
        });
        staging::friends(&mut self.session, keyed).await
    }

    /// Stages block records.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn blocks(
        &mut self,
        call: &Call,
        records: &[(Place, BlockRecord)],
    ) -> Result<(), Error> {
        let keyed = records.iter().map(|(place, record)| {
            (*place, [call.key(&record.owner), call.key(&record.blocked)], record)
        });
        staging::blocks(&mut self.session, keyed).await
    }

    /// Says that all is staged.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn complete(&mut self) -> Result<(), Error> {
        staging::analyze(&mut self.session).await
    }

    /// Tells how the staged records and what is in befriend differ; of befriend only the lists of
    /// staged users are looked at.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn compare(&mut self, mut tell: impl FnMut(Difference)) -> Result<(), Error> {
        for comparison in staging::COMPARISONS {
            let mut found = staging::compare(&mut self.session, comparison);
            while let Some(differences) = found.try_next().await? {
                differences.into_iter().for_each(&mut tell);
            }
        }
        Ok(())
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.session.close().await?)
    }
}

/// A connection over which an app is read as a whole.
pub struct Export(PgConnection);

impl Export {
    /// Connects.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn open(core: &Core) -> Result<Self, Error> {
        Ok(Self(core.db.session().await?))
    }

    /// Everything of the call's app as of one moment: users by name, then friends by owner and name,
    /// then blocks by owner, the oldest first.
    pub fn records(&mut self, call: &Call) -> BoxStream<'_, Result<Record, Error>> {
        bulk::export(&mut self.0, call.app.id).boxed()
    }
}

/// How a batch goes about the rows of its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approach {
    /// It looks first, and holds them only while it writes: others may come between.
    LookFirst,
    /// It holds them from the first look on: others wait, for as long as the looking takes too.
    LockFirst,
}

/// Runs a batch, again when it collided, and then so that nobody can come between.
async fn persistently<T, F>(
    call: &Call,
    mut batch: impl FnMut(Call, Approach) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut approach = Approach::LookFirst;
    let timed = || Call { deadline: Instant::now() + BATCH_TIME, ..call.clone() };
    for _ in 1..ATTEMPTS {
        match call.core.db.retrying(|| batch(timed(), approach)).await {
            // Repeating is right also when the outcome is unknown: what went in is there already.
            Err(Error::Conflict | Error::Unavailable(_)) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
        approach = Approach::LockFirst;
    }
    batch(timed(), approach).await
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Added,
    Already,
    Changed,
    Refused(Refusal),
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.added += more.added;
        self.already += more.already;
        self.changed += more.changed;
        self.refused += more.refused;
        self.other_sides += more.other_sides;
    }
}

impl Tally {
    fn count(&mut self, fates: Vec<(Place, Fate)>, tell: Listener<'_>) {
        let through = fates.len();
        for (place, fate) in fates {
            match fate {
                Fate::Added => self.added += 1,
                Fate::Already => self.already += 1,
                Fate::Changed => self.changed += 1,
                Fate::Refused(refusal) => {
                    self.refused += 1;
                    tell(Told::Refused(place, refusal));
                }
            }
        }
        tell(Told::Through(through));
    }
}

/// What a batch takes from its users' counts, and the versions that it got for it.
#[derive(Default)]
struct Gains {
    of: BTreeMap<OwnerKey, Gain>,
    got: BTreeMap<OwnerKey, (i64, bool)>,
}

impl Gains {
    /// How many friends the user gains, beside those counted.
    fn friends(&self, key: OwnerKey) -> i32 {
        self.of.get(&key).map_or(0, |gain| gain.friends)
    }

    fn blocks(&self, key: OwnerKey) -> i32 {
        self.of.get(&key).map_or(0, |gain| gain.blocks)
    }

    fn add(&mut self, key: OwnerKey, more: Gain) {
        let gain = self.of.entry(key).or_default();
        gain.friends += more.friends;
        gain.blocks += more.blocks;
        gain.versions += more.versions;
    }

    /// Takes them, and with them the locks of all users. A user who was deleted since the look, or
    /// has no room any more, means to look again.
    async fn take(&mut self, tx: &mut PgConnection, call: &Call) -> Result<(), Error> {
        let gains: Vec<(OwnerKey, Gain)> =
            self.of.iter().map(|(key, gain)| (*key, *gain)).collect();
        let limits = call.app.limits;
        let got = bulk::gain(tx, &gains, limits.friend_limit, limits.block_limit).await?;
        if got.len() < gains.len() {
            return Err(Error::Conflict);
        }
        let before = |key: OwnerKey, last: i64| last - i64::from(self.of[&key].versions);
        self.got = got.iter().map(|&(key, last, asks)| (key, (before(key, last), asks))).collect();
        Ok(())
    }

    /// The user's next version of those taken.
    fn next_version(&mut self, key: OwnerKey) -> i64 {
        let (version, _) = self.got.get_mut(&key).expect("it was taken");
        *version += 1;
        *version
    }

    fn has_requests(&self, key: OwnerKey) -> bool {
        self.got[&key].1
    }
}

/// Those of a batch's users who exist.
struct Heads(BTreeMap<OwnerKey, Head>);

impl Heads {
    async fn look(
        tx: &mut PgConnection,
        keys: impl Iterator<Item = OwnerKey>,
        approach: Approach,
    ) -> Result<Self, Error> {
        let keys: BTreeSet<OwnerKey> = keys.collect();
        let keys: Vec<OwnerKey> = keys.into_iter().collect();
        if approach == Approach::LockFirst {
            let held: Vec<_> = keys.iter().map(|key| (*key, Gain::default())).collect();
            bulk::gain(tx, &held, i32::MAX, i32::MAX).await?;
        }
        Ok(Self(bulk::heads(tx, &keys).await?.into_iter().collect()))
    }

    fn get(&self, key: OwnerKey) -> Option<&Head> {
        self.0.get(&key)
    }

    /// The first of these who does not exist. One who was deleted may stand in lists still.
    fn missing<'a>(
        &self,
        users: impl IntoIterator<Item = (OwnerKey, &'a Username)>,
    ) -> Option<Refusal> {
        let missing = users.into_iter().find(|(key, _)| !self.0.contains_key(key))?;
        Some(Refusal::NoUser(missing.1.clone()))
    }
}

/// As many were changed as were meant to, or somebody came between.
fn all_done(changed: u64, meant: usize) -> Result<(), Error> {
    if changed == meant as u64 { Ok(()) } else { Err(Error::Conflict) }
}

/// A record's time, or now: what comes in is not from the future.
fn past(time: Option<OffsetDateTime>, now: OffsetDateTime) -> OffsetDateTime {
    time.map_or(now, |time| time.min(now))
}
