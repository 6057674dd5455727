//! Reading a file line by line, in bounded memory whatever it holds.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    rc::Rc,
};

use super::{
    error::TransferError,
    fields::{InvalidValues, Line},
    files::{Format, Source},
};
use crate::domain::{BadLine, Record, without_byte_order_mark};

/// The longest line, in bytes: several times the length of a line with the longest texts, each
/// character of them escaped.
const LONGEST: usize = 64 * 1024;

/// A line: its number, and the record with why values were left out of it.
pub type NumberedLine = (u64, Result<(Record, Vec<BadLine>), BadLine>);

/// Reads the lines of a file.
pub struct Reader<'a> {
    source: &'a Source,
    invalid_values: InvalidValues,
    parser: Parser,
}

enum Parser {
    Json { file: BufReader<File>, line: u64 },
    Csv(Box<CsvParser>),
}

struct CsvParser {
    reader: csv::Reader<Recorder<BufReader<File>>>,
    columns: Vec<String>,
    raw: Rc<RefCell<Raw>>,
}

impl<'a> Reader<'a> {
    /// Opens a file. Of a CSV file it reads the names of the columns.
    ///
    /// # Errors
    /// [`TransferError`] for a file that can't be read, and for unknown or missing columns.
    pub fn open(source: &'a Source, invalid_values: InvalidValues) -> Result<Self, TransferError> {
        let path = &source.path;
        let mut file = BufReader::new(File::open(path).map_err(TransferError::file(path))?);
        skip_byte_order_mark(&mut file).map_err(TransferError::file(path))?;
        let parser = match source.format {
            Format::JsonLines => Parser::Json { file, line: 0 },
            Format::Csv => Parser::Csv(Box::new(CsvParser::begin(source, file)?)),
        };
        Ok(Self { source, invalid_values, parser })
    }

    /// The next line that is not empty; `None` at the end.
    ///
    /// # Errors
    /// [`TransferError`] when the file can't be read any more.
    pub fn next_line(&mut self) -> Result<Option<NumberedLine>, TransferError> {
        let path = &self.source.path;
        let read = match &mut self.parser {
            Parser::Json { file, line } => next_json(self.source, file, line),
            Parser::Csv(csv) => return csv.next(self.source, self.invalid_values),
        };
        let read = read.map_err(TransferError::file(path))?;
        Ok(read.map(|(line, read)| (line, read.and_then(|read| read.parse(self.invalid_values)))))
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
            Err(_) => Err(not_utf8()),
        };
        return Ok(Some((*number, read)));
    }
}

impl CsvParser {
    fn begin(source: &Source, mut file: BufReader<File>) -> Result<Self, TransferError> {
        let raw = Rc::new(RefCell::new(Raw::default()));
        let start = file.stream_position().map_err(TransferError::file(&source.path))?;
        let file = Recorder { inner: file, start, raw: Rc::clone(&raw) };
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
        invalid_values: InvalidValues,
    ) -> Result<Option<NumberedLine>, TransferError> {
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
        Ok(Some((line, self.line(source, &cells).and_then(|read| read.parse(invalid_values)))))
    }

    /// Continues with the line after the one that holds this offset.
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
        let cells = cells.map_err(|_| not_utf8())?;
        Line::from_cells(source.kind, |column| {
            let at = self.columns.iter().position(|name| name == column)?;
            Some(cells[at])
        })
    }
}

fn too_long() -> BadLine {
    BadLine(format!("is longer than {LONGEST} bytes"))
}

fn not_utf8() -> BadLine {
    BadLine("is not UTF-8".to_owned())
}

/// The longest record that the CSV parser may read, in bytes: an unclosed quote would turn all the rest
/// of the file into one cell.
const LONGEST_RECORD: usize = 16 * LONGEST;

/// The file of a CSV parser, which records the bytes that the parser reads.
struct Recorder<R> {
    inner: R,
    /// The offset in the file at which the parser began.
    start: u64,
    raw: Rc<RefCell<Raw>>,
}

impl<R: Read> Read for Recorder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut raw = self.raw.borrow_mut();
        // Pretends that the file ends, so that the parser returns what it has read.
        if raw.is_too_long() {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        raw.add(&buffer[..read]);
        Ok(read)
    }
}

impl<R: Seek> Seek for Recorder<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(self.start + at),
            relative => relative,
        };
        Ok(self.inner.seek(to)? - self.start)
    }
}

impl<R: BufRead + Seek> Recorder<R> {
    /// The offset at which the line after the one that holds `at` begins, or the file ends.
    fn line_after(&mut self, at: u64) -> io::Result<u64> {
        self.seek(SeekFrom::Start(at))?;
        Ok(at + self.inner.skip_until(b'\n')? as u64)
    }
}

/// The bytes that the parser has read and not returned in a record yet. Lines are counted and unclosed
/// quotes are found in them: the parser's own count is late after "\r\n" and empty lines, and the parser
/// accepts an unclosed quote.
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
    /// How many of `bytes` belong to records that were returned.
    taken: usize,
    /// The offset in the file of the first of `bytes`.
    offset: u64,
    /// How many lines end before the bytes that are not taken yet.
    lines: u64,
}

impl Raw {
    fn add(&mut self, more: &[u8]) {
        self.bytes.drain(..self.taken);
        self.offset += self.taken as u64;
        self.taken = 0;
        self.bytes.extend_from_slice(more);
        // Empty lines belong to no record.
        let blank = self.bytes.iter().take_while(|byte| is_end(**byte)).count();
        self.pass(blank);
    }

    fn is_too_long(&self) -> bool {
        self.bytes.len() - self.taken > LONGEST_RECORD
    }

    /// The line at which the next record begins.
    fn begins_at(&self) -> u64 {
        let rest = &self.bytes[self.taken..];
        self.lines + 1 + ends(&rest[..rest.iter().take_while(|byte| is_end(**byte)).count()])
    }

    /// Takes the record that ends at this offset of the file. Returns the line at which it began.
    fn take_up_to(&mut self, end: u64) -> u64 {
        let line = self.begins_at();
        self.pass(self.index(end) - self.taken);
        line
    }

    /// Skips the line that holds `at`, and starts over at `next`, where the following line begins.
    fn go_on(&mut self, at: u64, next: u64) {
        let lines = self.lines + ends(&self.bytes[self.taken..self.index(at)]) + 1;
        *self = Self { offset: next, lines, ..Self::default() };
    }

    /// Where and why the record that ends at this offset can't be trusted: a quote is not closed, or is
    /// closed inside a cell, so that lines below may have been read as text; or the record is too long.
    fn broken(&self, end: u64) -> Option<(u64, BadLine)> {
        let record = &self.bytes[self.taken..self.index(end)];
        let blank = record.iter().take_while(|byte| is_end(**byte)).count();
        let (at, why) = match broken_quote(record) {
            Some(quote) => {
                (quote, BadLine("a cell begins with a quote and ends without one".to_owned()))
            }
            None if self.is_too_long() => (blank, too_long()),
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

/// How many lines end in these bytes.
fn ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The first quote that begins a cell of the record and is not closed at the cell's end.
fn broken_quote(record: &[u8]) -> Option<usize> {
    enum At {
        Begin,
        Plain,
        Quoted,
        /// After a quote in a quoted cell: the cell ends here, or the quote is doubled.
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
