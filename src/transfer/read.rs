//! Reading a file line by line, in bounded memory whatever it holds.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use super::{
    Format, Source, TransferError,
    fields::{Line, LongTexts},
};
use crate::domain::{BadLine, Record};

/// The longest line, in bytes: several times what the longest texts come to when every character is
/// escaped.
const LONGEST: usize = 64 * 1024;

/// A line that was read: its number, and the record with what was left out of it.
pub(super) type Numbered = (u64, Result<(Record, Vec<BadLine>), BadLine>);

/// The lines of a file.
pub(super) struct Reader<'a> {
    source: &'a Source,
    long: LongTexts,
    lines: Lines,
}

enum Lines {
    Json { file: BufReader<File>, line: u64 },
    Csv(Box<CsvLines>),
}

struct CsvLines {
    reader: csv::Reader<Watched<BufReader<File>>>,
    columns: Vec<String>,
    raw: Rc<RefCell<Raw>>,
}

impl<'a> Reader<'a> {
    pub(super) fn open(source: &'a Source, long: LongTexts) -> Result<Self, TransferError> {
        let path = &source.path;
        let mut file = BufReader::new(File::open(path).map_err(TransferError::file(path))?);
        skip_mark(&mut file).map_err(TransferError::file(path))?;
        let lines = match source.format {
            Format::JsonLines => Lines::Json { file, line: 0 },
            Format::Csv => Lines::Csv(Box::new(CsvLines::begin(source, file)?)),
        };
        Ok(Self { source, long, lines })
    }

    /// The next line that is not empty; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Numbered>, TransferError> {
        let path = &self.source.path;
        let read = match &mut self.lines {
            Lines::Json { file, line } => next_json(self.source, file, line),
            Lines::Csv(lines) => return lines.next(self.source, self.long),
        };
        let read = read.map_err(TransferError::file(path))?;
        Ok(read.map(|(line, read)| (line, read.and_then(|read| read.parse(self.long)))))
    }
}

/// What some programs write before everything else, to say that it is UTF-8.
fn skip_mark(file: &mut impl BufRead) -> io::Result<()> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if file.fill_buf()?.starts_with(MARK) {
        file.consume(MARK.len());
    }
    Ok(())
}

fn next_json(
    source: &Source,
    file: &mut BufReader<File>,
    number: &mut u64,
) -> io::Result<Option<(u64, Result<Line, BadLine>)>> {
    loop {
        let mut line = Vec::new();
        let bound = u64::try_from(LONGEST).unwrap_or(u64::MAX) + 1;
        if file.by_ref().take(bound).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        *number += 1;
        if line.len() > LONGEST {
            if line.last() != Some(&b'\n') {
                file.skip_until(b'\n')?;
            }
            return Ok(Some((*number, Err(too_long()))));
        }
        let read = match str::from_utf8(&line) {
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => Line::from_json(source.kind, text),
            Err(_) => Err(no_text()),
        };
        return Ok(Some((*number, read)));
    }
}

impl CsvLines {
    fn begin(source: &Source, file: BufReader<File>) -> Result<Self, TransferError> {
        let raw = Rc::new(RefCell::new(Raw::default()));
        let file = Watched { inner: file, raw: Rc::clone(&raw) };
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        let mut columns = csv::StringRecord::new();
        let content = |why: String| TransferError::content(&source.path, why);
        if !reader.read_record(&mut columns).map_err(|error| content(error.to_string()))? {
            return Err(content("has no line of column names".to_owned()));
        }
        let columns: Vec<String> = columns.iter().map(|name| name.trim().to_owned()).collect();
        let known = source.kind.columns();
        for (at, column) in columns.iter().enumerate() {
            if !known.contains(&column.as_str()) {
                let known = known.join(", ");
                return Err(content(format!(
                    "line 1: there is no column {column:?}; known: {known}"
                )));
            }
            if columns[..at].contains(column) {
                return Err(content(format!("line 1: there are two columns {column}")));
            }
        }
        for required in &known[..source.kind.required()] {
            if !columns.iter().any(|column| column == required) {
                return Err(content(format!("line 1: the column {required} is missing")));
            }
        }
        raw.borrow_mut().take_up_to(reader.position().byte());
        Ok(Self { reader, columns, raw })
    }

    fn next(
        &mut self,
        source: &Source,
        long: LongTexts,
    ) -> Result<Option<Numbered>, TransferError> {
        let mut cells = csv::ByteRecord::new();
        let more = self.reader.read_byte_record(&mut cells).map_err(|error| {
            let line = self.raw.borrow().begins_at();
            TransferError::content(&source.path, format!("line {line}: {error}"))
        })?;
        if !more {
            return Ok(None);
        }
        let line = self.raw.borrow_mut().take_up_to(self.reader.position().byte());
        Ok(Some((line, self.line(source, &cells).and_then(|read| read.parse(long)))))
    }

    fn line(&self, source: &Source, cells: &csv::ByteRecord) -> Result<Line, BadLine> {
        if cells.as_slice().len() > LONGEST {
            return Err(too_long());
        }
        if cells.len() != self.columns.len() {
            let (has, wanted) = (cells.len(), self.columns.len());
            return Err(BadLine(format!("has {has} cells under {wanted} columns")));
        }
        let cells: Result<Vec<&str>, _> = cells.iter().map(str::from_utf8).collect();
        let cells = cells.map_err(|_| no_text())?;
        Line::from_cells(source.kind, |column| {
            let at = self.columns.iter().position(|name| name == column)?;
            Some(cells[at])
        })
    }
}

fn too_long() -> BadLine {
    BadLine(format!("is longer than {LONGEST} bytes"))
}

fn no_text() -> BadLine {
    BadLine("is no UTF-8".to_owned())
}

/// A file as its parser reads it.
struct Watched<R> {
    inner: R,
    raw: Rc<RefCell<Raw>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// Of one line: a quote that is opened and not closed would make all the rest one cell.
        const FAR: usize = 16 * LONGEST;
        let mut raw = self.raw.borrow_mut();
        if raw.bytes.len() - raw.taken > FAR {
            return Err(io::Error::other("the line does not end: is a quote not closed?"));
        }
        let read = self.inner.read(buffer)?;
        raw.add(&buffer[..read]);
        Ok(read)
    }
}

/// What the parser has read and made no record of yet, to count lines in: the parser's own count lags
/// behind after "\r\n" and empty lines.
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
    /// How many of them belong to records before.
    taken: usize,
    /// The offset in the file of the first of them.
    offset: u64,
    /// How many lines ended before what is not taken.
    lines: u64,
}

impl Raw {
    fn add(&mut self, more: &[u8]) {
        self.bytes.drain(..self.taken);
        self.offset += self.taken as u64;
        self.taken = 0;
        self.bytes.extend_from_slice(more);
    }

    /// The line at which the next record begins.
    fn begins_at(&self) -> u64 {
        let rest = &self.bytes[self.taken..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        self.lines + 1 + blank.filter(|byte| **byte == b'\n').count() as u64
    }

    /// Passes a record, which ends at this offset of the file. Returns the line at which it began.
    fn take_up_to(&mut self, end: u64) -> u64 {
        let line = self.begins_at();
        let end = usize::try_from(end - self.offset).unwrap_or(self.bytes.len());
        let record = &self.bytes[self.taken..end];
        self.lines += record.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.taken = end;
        line
    }
}
