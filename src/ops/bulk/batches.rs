//! Imports records batch by batch, each in a short transaction, and counts what became of each record.

use std::{ops::AddAssign, time::Duration};

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    domain::{Error, Place, Refusal},
    ops::core::Context,
};

/// How many friendships, blocks or users one transaction takes in. It holds the rows of their users for
/// some tens of milliseconds, in which other changes of these users wait.
pub(super) const BATCH: usize = 2000;

/// How long a batch may take in all.
const BATCH_TIME: Duration = Duration::from_secs(60);

/// How often a batch that collides with other changes, or finds the database away, runs in all.
const ATTEMPTS: u32 = 10;

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// What an import does with a record whose user or entry exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The user or entry stays as it is, and a record with other texts is refused.
    Keep,
    /// The user or entry gets the record's texts.
    Overwrite,
}

/// The progress of an import.
#[derive(Debug)]
pub enum ImportEvent {
    /// So many more records have been taken in or refused.
    Progress(usize),
    /// A record was refused.
    Refused(Place, Refusal),
}

/// What is called for each event of an import.
pub type ImportListener<'a> = &'a mut (dyn FnMut(ImportEvent) + Send);

/// What became of records, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// New.
    pub added: u64,
    /// Existed already, with the same texts.
    pub already: u64,
    /// Existed already, and got the record's texts.
    pub changed: u64,
    /// Refused.
    pub refused: u64,
    /// Entries made for which there is no record: the other sides of new friendships.
    pub other_sides: u64,
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

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RecordOutcome {
    Added,
    Already,
    Changed,
    Refused(Refusal),
}

impl Tally {
    pub(super) fn count(
        &mut self,
        outcomes: Vec<(Place, RecordOutcome)>,
        progress: ImportListener<'_>,
    ) {
        let records = outcomes.len();
        for (place, outcome) in outcomes {
            match outcome {
                RecordOutcome::Added => self.added += 1,
                RecordOutcome::Already => self.already += 1,
                RecordOutcome::Changed => self.changed += 1,
                RecordOutcome::Refused(refusal) => {
                    self.refused += 1;
                    progress(ImportEvent::Refused(place, refusal));
                }
            }
        }
        progress(ImportEvent::Progress(records));
    }
}

/// Runs a batch, and again when it collided or its outcome is unknown. A record that the first run has
/// imported exists already in the second.
pub(super) async fn run<T, F>(
    context: &Context,
    mut batch: impl FnMut(Context) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempt =
        || batch(Context { deadline: Instant::now() + BATCH_TIME, ..context.clone() });
    for _ in 1..ATTEMPTS {
        match context.core.db.retrying(&mut attempt).await {
            Err(Error::Conflict | Error::Unavailable(_)) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    attempt().await
}

/// A record's time, but now if that is in the future or the record has none.
pub(super) fn past(time: Option<OffsetDateTime>, now: OffsetDateTime) -> OffsetDateTime {
    time.map_or(now, |time| time.min(now))
}
