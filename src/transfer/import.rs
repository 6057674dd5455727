//! From files into an app.

use std::collections::BTreeMap;

use super::{Audience, Kind, Source, TransferError, fields::Unkeepable, read::Reader};
use crate::{
    domain::{BadLine, BlockRecord, FriendRecord, Place, Record, Refusal, UserRecord},
    ops::{
        Call,
        bulk::{self, Existing, Staging, Tally, Told},
    },
};

/// How many lines are read at a time.
const BATCH: usize = 5000;

/// How to import.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is done with what is there.
    pub existing: Existing,
    /// What is done with what can't be kept.
    pub unkeepable: Unkeepable,
    /// Whether anything is written at all.
    pub write: bool,
    /// Whether it is compared, at the end, with what is there.
    pub compare: bool,
}

/// What became of the lines of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// How many there were, empty ones not counted.
    pub read: u64,
    /// How many of them hold no record.
    pub bad: u64,
    /// How many went in without something that can't be kept.
    pub cut: u64,
    /// What became of the others.
    pub tally: Tally,
}

/// What became of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The lines of each kind, in the order of [`Kind::ALL`].
    pub lines: [Lines; 3],
    /// How many differences there are of each kind, if it was compared.
    pub differences: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Whether all of it went in, and nothing differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let clean = |lines: &Lines| (lines.bad, lines.cut, lines.tally.refused) == (0, 0, 0);
        self.lines.iter().all(clean) && self.differences.is_empty()
    }
}

/// Imports these files. What does not go in is told with its file and line, and stops nothing.
///
/// # Errors
/// [`TransferError`] when a file can't be read further, or the database failed for good. What went in
/// stays; to import the same again goes on.
pub async fn import(
    call: &Call,
    sources: &[Source],
    options: Options,
    audience: &mut dyn Audience,
) -> Result<Report, TransferError> {
    let mut import = Import { call, sources, options, audience, report: Report::default() };
    let mut staging = Staging::open(&call.core).await?;
    for number in 0..sources.len() {
        import.read(number, &mut staging).await?;
    }
    staging.complete().await?;
    if options.write {
        import.write(&mut staging).await?;
    }
    if options.compare {
        import.compare(&mut staging).await?;
    }
    staging.close().await?;
    Ok(import.report)
}

struct Import<'a> {
    call: &'a Call,
    sources: &'a [Source],
    options: Options,
    audience: &'a mut dyn Audience,
    report: Report,
}

impl Import<'_> {
    /// Reads a file: users go in at once, all else is staged.
    async fn read(&mut self, number: usize, staging: &mut Staging) -> Result<(), TransferError> {
        let source = &self.sources[number];
        let file = u16::try_from(number).expect("sources() bounds how many");
        self.audience.begin(&format!("reading {}", source.path.display()), None);
        let mut reader = Reader::open(source, self.options.unkeepable)?;
        loop {
            let mut batch = Batch::default();
            let mut read = 0;
            while read < BATCH {
                let Some((line, result)) = reader.next()? else { break };
                read += 1;
                let place = Place { file, line };
                let lines = &mut self.report.lines[source.kind as usize];
                match result {
                    Ok((record, left_out)) => {
                        lines.cut += u64::from(!left_out.is_empty());
                        batch.push(place, record);
                        left_out.iter().for_each(|why| self.complain(place, &left_out_of(why)));
                    }
                    Err(why) => {
                        lines.bad += 1;
                        self.complain(place, &why.0);
                    }
                }
            }
            if read == 0 {
                return Ok(());
            }
            self.report.lines[source.kind as usize].read += read as u64;
            self.audience.advance(read as u64);
            self.take(batch, staging).await?;
        }
    }

    async fn take(&mut self, batch: Batch, staging: &mut Staging) -> Result<(), TransferError> {
        if !batch.users.is_empty() {
            staging.users(self.call, &batch.users).await?;
            if self.options.write {
                let (sources, audience) = (self.sources, &mut *self.audience);
                let mut tell = |told| report_told(sources, audience, told, false);
                let created =
                    bulk::create(self.call, &batch.users, self.options.existing, &mut tell).await?;
                self.report.lines[Kind::Users as usize].tally += created;
            }
        }
        if !batch.friends.is_empty() {
            staging.friends(self.call, &batch.friends).await?;
        }
        if !batch.blocks.is_empty() {
            staging.blocks(self.call, &batch.blocks).await?;
        }
        Ok(())
    }

    async fn write(&mut self, staging: &mut Staging) -> Result<(), TransferError> {
        let good = |lines: Lines| lines.read - lines.bad;
        let [_, friends, blocks] = self.report.lines;
        let (sources, existing) = (self.sources, self.options.existing);
        if friends.read > 0 {
            self.audience.begin("making friends", Some(good(friends)));
            let audience = &mut *self.audience;
            let mut tell = |told| report_told(sources, audience, told, true);
            let made = bulk::befriend(self.call, staging, existing, &mut tell).await?;
            self.report.lines[Kind::Friends as usize].tally = made;
        }
        if blocks.read > 0 {
            self.audience.begin("blocking", Some(good(blocks)));
            let audience = &mut *self.audience;
            let mut tell = |told| report_told(sources, audience, told, true);
            let made = bulk::block(self.call, staging, &mut tell).await?;
            self.report.lines[Kind::Blocks as usize].tally = made;
        }
        Ok(())
    }

    async fn compare(&mut self, staging: &mut Staging) -> Result<(), TransferError> {
        self.audience.begin("comparing", None);
        let (audience, found) = (&mut *self.audience, &mut self.report.differences);
        staging
            .compare(|difference| {
                *found.entry(difference.kind()).or_default() += 1;
                audience.problem(&difference.to_string());
            })
            .await?;
        Ok(())
    }

    fn complain(&mut self, place: Place, why: &str) {
        let problem = format!("{}: {why}", in_words(self.sources, place));
        self.audience.problem(&problem);
    }
}

fn left_out_of(why: &BadLine) -> String {
    format!("goes in without what can't be kept: {why}")
}

fn report_told(sources: &[Source], audience: &mut dyn Audience, told: Told, count: bool) {
    match told {
        Told::Through(lines) if count => audience.advance(lines as u64),
        Told::Through(_) => {}
        Told::Refused(place, refusal) => {
            let why = match refusal {
                Refusal::Contradicts(first) => {
                    format!("says otherwise than {}", in_words(sources, first))
                }
                refusal => refusal.to_string(),
            };
            audience.problem(&format!("{}: {why}", in_words(sources, place)));
        }
    }
}

/// "friends.jsonl:17", as compilers and editors write it.
fn in_words(sources: &[Source], place: Place) -> String {
    format!("{}:{}", sources[usize::from(place.file)].path.display(), place.line)
}

/// Records of one file, by kind.
#[derive(Default)]
struct Batch {
    users: Vec<(Place, UserRecord)>,
    friends: Vec<(Place, FriendRecord)>,
    blocks: Vec<(Place, BlockRecord)>,
}

impl Batch {
    fn push(&mut self, place: Place, record: Record) {
        match record {
            Record::User(user) => self.users.push((place, user)),
            Record::Friend(entry) => self.friends.push((place, entry)),
            Record::Block(block) => self.blocks.push((place, block)),
        }
    }
}
