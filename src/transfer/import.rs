//! Importing: from files into an app.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    error::TransferError,
    fields::InvalidValues,
    files::{Kind, Source},
    progress::ProgressSink,
    read::Reader,
};
use crate::{
    domain::{
        BadLine, BlockRecord, Facts, FriendRecord, Place, Record, Refusal, UserRecord, facts,
    },
    ops::{
        Call, audits,
        bulk::{self, Existing, ImportEvent, Staging, Tally},
    },
};

/// How many lines are read and staged at a time.
const BATCH: usize = 5000;

/// How to import.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How users and entries that exist already are treated.
    pub existing: Existing,
    /// How a line with a value that can't be stored is treated.
    pub invalid_values: InvalidValues,
    /// Whether anything is written.
    pub write: bool,
    /// Whether the files are compared, at the end, with what is in the app.
    pub compare: bool,
}

/// Counts of the lines of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// All lines, without empty ones.
    pub read: u64,
    /// Lines that hold no record.
    pub bad: u64,
    /// Lines that were imported without a value that can't be stored.
    pub cut: u64,
    /// What the import did with the others.
    pub tally: Tally,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The counts of each kind, in the order of [`Kind::ALL`].
    pub lines: [LineCounts; 3],
    /// How many differences of each kind were found, if the import was compared.
    pub differences: BTreeMap<&'static str, u64>,
}

impl Report {
    /// What was written, by kind.
    fn facts(&self) -> Facts {
        let count = |lines: &LineCounts| {
            let Tally { added, changed, refused, other_sides, .. } = lines.tally;
            json!({
                "added": added, "changed": changed, "refused": refused, "other_sides": other_sides,
            })
        };
        let kinds = Kind::ALL.into_iter().zip(&self.lines);
        kinds.map(|(kind, lines)| (kind.as_str().to_owned(), count(lines))).collect()
    }

    /// Whether every line was imported whole, and nothing differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let clean = |lines: &LineCounts| (lines.bad, lines.cut, lines.tally.refused) == (0, 0, 0);
        self.lines.iter().all(clean) && self.differences.is_empty()
    }
}

/// Imports files. A line that can't be imported is reported with its file and number, and the import
/// goes on.
///
/// # Errors
/// [`TransferError`] when a file can't be read, or when the database keeps failing. What was imported
/// stays; importing the same files again continues.
pub async fn import(
    call: &Call,
    sources: &[Source],
    options: Options,
    progress: &mut dyn ProgressSink,
) -> Result<Report, TransferError> {
    let author = call.author();
    let mut import = Import { call, sources, options, progress, report: Report::default() };
    if options.write {
        let overwrite = options.existing == Existing::Overwrite;
        let asked = facts(json!({ "files": sources.len(), "overwrite": overwrite }));
        audits::record_import(call, &author, audits::BEGIN_IMPORT, asked).await?;
    }
    let mut staging = Staging::open(&call.core).await?;
    for number in 0..sources.len() {
        import.read(number, &mut staging).await?;
    }
    staging.complete().await?;
    if options.write {
        import.write(&mut staging).await?;
        let done = import.report.facts();
        audits::record_import(call, &author, audits::END_IMPORT, done).await?;
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
    progress: &'a mut dyn ProgressSink,
    report: Report,
}

impl Import<'_> {
    /// Reads a file: users are created at once, friends and blocks are staged.
    async fn read(&mut self, number: usize, staging: &mut Staging) -> Result<(), TransferError> {
        let source = &self.sources[number];
        let file = u16::try_from(number).expect("sources() bounds how many");
        self.progress.begin(&format!("reading {}", source.path.display()), None);
        let mut reader = Reader::open(source, self.options.invalid_values)?;
        loop {
            let mut batch = Batch::default();
            let mut read = 0;
            while read < BATCH {
                let Some((line, result)) = reader.next_line()? else { break };
                read += 1;
                let place = Place { file, line };
                let lines = &mut self.report.lines[source.kind as usize];
                match result {
                    Ok((record, left_out)) => {
                        lines.cut += u64::from(!left_out.is_empty());
                        batch.push(place, record);
                        left_out.iter().for_each(|why| self.report_line(place, &left_out_of(why)));
                    }
                    Err(why) => {
                        lines.bad += 1;
                        self.report_line(place, &why.0);
                    }
                }
            }
            if read == 0 {
                return Ok(());
            }
            self.report.lines[source.kind as usize].read += read as u64;
            self.progress.advance(read as u64);
            self.stage(batch, staging).await?;
        }
    }

    async fn stage(&mut self, batch: Batch, staging: &mut Staging) -> Result<(), TransferError> {
        if !batch.users.is_empty() {
            staging.users(self.call, &batch.users).await?;
            if self.options.write {
                let (sources, progress) = (self.sources, &mut *self.progress);
                let mut on_event = |event| report_event(sources, progress, event, false);
                let created =
                    bulk::create(self.call, &batch.users, self.options.existing, &mut on_event)
                        .await?;
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
        let good = |lines: LineCounts| lines.read - lines.bad;
        let [_, friends, blocks] = self.report.lines;
        let (sources, existing) = (self.sources, self.options.existing);
        if friends.read > 0 {
            self.progress.begin("making friends", Some(good(friends)));
            let progress = &mut *self.progress;
            let mut on_event = |event| report_event(sources, progress, event, true);
            let made = bulk::befriend(self.call, staging, existing, &mut on_event).await?;
            self.report.lines[Kind::Friends as usize].tally = made;
        }
        if blocks.read > 0 {
            self.progress.begin("blocking", Some(good(blocks)));
            let progress = &mut *self.progress;
            let mut on_event = |event| report_event(sources, progress, event, true);
            let made = bulk::block(self.call, staging, &mut on_event).await?;
            self.report.lines[Kind::Blocks as usize].tally = made;
        }
        Ok(())
    }

    async fn compare(&mut self, staging: &mut Staging) -> Result<(), TransferError> {
        self.progress.begin("comparing", None);
        let (progress, found) = (&mut *self.progress, &mut self.report.differences);
        staging
            .compare(|difference| {
                *found.entry(difference.kind()).or_default() += 1;
                progress.problem(&difference.to_string());
            })
            .await?;
        Ok(())
    }

    fn report_line(&mut self, place: Place, why: &str) {
        let problem = format!("{}: {why}", position(self.sources, place));
        self.progress.problem(&problem);
    }
}

fn left_out_of(why: &BadLine) -> String {
    format!("is imported without an invalid value: {why}")
}

/// Reports an event of an import; `count` says whether its lines count as progress of this step.
fn report_event(
    sources: &[Source],
    progress: &mut dyn ProgressSink,
    event: ImportEvent,
    count: bool,
) {
    match event {
        ImportEvent::Progress(lines) if count => progress.advance(lines as u64),
        ImportEvent::Progress(_) => {}
        ImportEvent::Refused(place, refusal) => {
            let why = match refusal {
                Refusal::Contradicts(first) => {
                    format!("contradicts {}", position(sources, first))
                }
                refusal => refusal.to_string(),
            };
            progress.problem(&format!("{}: {why}", position(sources, place)));
        }
    }
}

/// "friends.jsonl:17", as compilers write positions and editors read them.
fn position(sources: &[Source], place: Place) -> String {
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
