//! Reading a file line by line, in bounded memory whatever it holds.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    rc::Rc,
};

use super::{
    Format, Source, TransferError,
    fields::{Line, Unkeepable},
};
use crate::domain::{BadLine, Record, without_byte_order_mark};

/// The longest line, in bytes: several times what the longest texts come to when every character is
/// escaped.
const LONGEST: usize = 64 * 1024;

/// A line that was read: its number, and the record with what was left out of it.
pub(super) type Numbered = (u64, Result<(Record, Vec<BadLine>), BadLine>);

/// The lines of a file.
pub(super) struct Reader<'a> {
    source: &'a Source,
    unkeepable: Unkeepable,
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
    pub(super) fn open(source: &'a Source, unkeepable: Unkeepable) -> Result<Self, TransferError> {
        let path = &source.path;
        let mut file = BufReader::new(File::open(path).map_err(TransferError::file(path))?);
        skip_byte_order_mark(&mut file).map_err(TransferError::file(path))?;
        let lines = match source.format {
            Format::JsonLines => Lines::Json { file, line: 0 },
            Format::Csv => Lines::Csv(Box::new(CsvLines::begin(source, file)?)),
        };
        Ok(Self { source, unkeepable, lines })
    }

    /// The next line that is not empty; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Numbered>, TransferError> {
        let path = &self.source.path;
        let read = match &mut self.lines {
            Lines::Json { file, line } => next_json(self.source, file, line),
            Lines::Csv(lines) => return lines.next(self.source, self.unkeepable),
        };
        let read = read.map_err(TransferError::file(path))?;
        Ok(read.map(|(line, read)| (line, read.and_then(|read| read.parse(self.unkeepable)))))
    }
}

fn skip_byte_order_mark(file: &mut impl BufRead) -> io::Result<()> {
    let start = file.fill_buf()?;
    let mark = start.len() - without_byte_order_mark(start).len();
    file.consume(mark);
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
    fn begin(source: &Source, mut file: BufReader<File>) -> Result<Self, TransferError> {
        let raw = Rc::new(RefCell::new(Raw::default()));
        let start = file.stream_position().map_err(TransferError::file(&source.path))?;
        let file = Watched { inner: file, start, raw: Rc::clone(&raw) };
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        let mut columns = csv::StringRecord::new();
        let content = |why: String| TransferError::content(&source.path, why);
        if !reader.read_record(&mut columns).map_err(|error| content(error.to_string()))? {
            return Err(content("has no line of column names".to_owned()));
        }
        if let Some((_, why)) = raw.borrow().broken(reader.position().byte()) {
            return Err(content(format!("line 1: {why}")));
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
        unkeepable: Unkeepable,
    ) -> Result<Option<Numbered>, TransferError> {
        let mut cells = csv::ByteRecord::new();
        let failed = |raw: &RefCell<Raw>, error: csv::Error| {
            let line = raw.borrow().begins_at();
            TransferError::content(&source.path, format!("line {line}: {error}"))
        };
        let more = self.reader.read_byte_record(&mut cells);
        if !more.map_err(|error| failed(&self.raw, error))? {
            return Ok(None);
        }
        let end = self.reader.position().byte();
        let broken = self.raw.borrow().broken(end);
        if let Some((at, why)) = broken {
            let line = self.raw.borrow().begins_at();
            self.go_on_below(at).map_err(|error| failed(&self.raw, error))?;
            return Ok(Some((line, Err(why))));
        }
        let line = self.raw.borrow_mut().take_up_to(end);
        Ok(Some((line, self.line(source, &cells).and_then(|read| read.parse(unkeepable)))))
    }

    /// Goes on with the line after the one that this offset stands in.
    fn go_on_below(&mut self, at: u64) -> csv::Result<()> {
        let next = self.reader.get_mut().line_after(at)?;
        self.raw.borrow_mut().go_on(at, next);
        let mut position = csv::Position::new();
        position.set_byte(next);
        self.reader.seek_raw(SeekFrom::Start(next), position)
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

/// How far the parser reads for one line: a quote that is opened and not closed would make all the
/// rest one cell.
const FAR: usize = 16 * LONGEST;

/// A file as its parser reads it.
struct Watched<R> {
    inner: R,
    /// Where in the file the parser began.
    start: u64,
    raw: Rc<RefCell<Raw>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut raw = self.raw.borrow_mut();
        // As at the end of the file, so that the parser gives what it has.
        if raw.is_far() {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        raw.add(&buffer[..read]);
        Ok(read)
    }
}

impl<R: Seek> Seek for Watched<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(self.start + at),
            relative => relative,
        };
        Ok(self.inner.seek(to)? - self.start)
    }
}

impl<R: BufRead + Seek> Watched<R> {
    /// Where the line after that of this offset begins, or the file ends.
    fn line_after(&mut self, at: u64) -> io::Result<u64> {
        self.seek(SeekFrom::Start(at))?;
        Ok(at + self.inner.skip_until(b'\n')? as u64)
    }
}

/// What the parser has read and made no record of yet, to count lines and look for quotes in: the
/// parser's own count lags behind after "\r\n" and empty lines, and it forgives a quote that is not
/// closed.
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
        // Empty lines belong to no record, however many they are.
        let blank = self.bytes.iter().take_while(|byte| is_end(**byte)).count();
        self.pass(blank);
    }

    fn is_far(&self) -> bool {
        self.bytes.len() - self.taken > FAR
    }

    /// The line at which the next record begins.
    fn begins_at(&self) -> u64 {
        let rest = &self.bytes[self.taken..];
        self.lines + 1 + ends(&rest[..rest.iter().take_while(|byte| is_end(**byte)).count()])
    }

    /// Passes a record, which ends at this offset of the file. Returns the line at which it began.
    fn take_up_to(&mut self, end: u64) -> u64 {
        let line = self.begins_at();
        self.pass(self.index(end) - self.taken);
        line
    }

    /// Passes the line of this offset, and begins anew where the next one does.
    fn go_on(&mut self, at: u64, next: u64) {
        let lines = self.lines + ends(&self.bytes[self.taken..self.index(at)]) + 1;
        *self = Self { offset: next, lines, ..Self::default() };
    }

    /// Where the record that ends at this offset is not what it seems, and how: a quote is not closed,
    /// or closed amid a cell, so that lines below may have been taken for text; or it has no end.
    fn broken(&self, end: u64) -> Option<(u64, BadLine)> {
        let record = &self.bytes[self.taken..self.index(end)];
        let blank = record.iter().take_while(|byte| is_end(**byte)).count();
        let (at, why) = match broken_quote(record) {
            Some(quote) => {
                (quote, BadLine("a cell begins with a quote and ends without".to_owned()))
            }
            None if self.is_far() => (blank, too_long()),
            None => return None,
        };
        Some((self.offset + (self.taken + at) as u64, why))
    }

    fn pass(&mut self, count: usize) {
        self.lines += ends(&self.bytes[self.taken..self.taken + count]);
        self.taken += count;
    }

    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset - self.offset).unwrap_or(self.bytes.len())
    }
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// How many lines end in this.
fn ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The first quote that begins a cell of the record and is not closed at the cell's end.
fn broken_quote(record: &[u8]) -> Option<usize> {
    enum At {
        Begin,
        Plain,
        Quoted,
        /// After a quote within a quoted cell: it is over, or the quote is doubled.
        Quote,
    }
    let (mut at, mut opened) = (At::Begin, 0);
    for (index, byte) in record.iter().enumerate() {
        at = match (at, byte) {
            (At::Begin, b'"') => {
                opened = index;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Quote,
            (At::Quoted, _) | (At::Quote, b'"') => At::Quoted,
            (_, b',' | b'\r' | b'\n') => At::Begin,
            (At::Quote, _) => return Some(opened),
            (At::Begin | At::Plain, _) => At::Plain,
        }
    }
    matches!(at, At::Quoted).then_some(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_must_be_closed_where_its_cell_ends() {
        for whole in ["a,b\n", "\r\na,\"b\nc\"\n", "\"a\"\"\"", "a\"b,5\"", "\"\",\"\""] {
            assert_eq!(broken_quote(whole.as_bytes()), None, "{whole}");
        }
        for (broken, at) in [
            ("a,\"b\n", 2),
            ("\n\"a\"\"\n", 1),
            ("\"a\",\"b\"c\"\n", 4),
            ("a,\"", 2),
            ("\"a\" ,b", 0),
        ] {
            assert_eq!(broken_quote(broken.as_bytes()), Some(at), "{broken}");
        }
    }
}
