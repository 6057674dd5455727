//! Writing one file of records.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
};

use super::{
    fields::Line,
    files::{Format, Kind},
};
use crate::domain::Record;

/// Writes records of one kind.
pub struct Writer(Output);

enum Output {
    Json(BufWriter<File>),
    Csv(Box<csv::Writer<File>>),
}

impl Writer {
    /// Begins a file; a CSV file starts with the line of column names.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new(file: File, kind: Kind, format: Format) -> io::Result<Self> {
        Ok(Self(match format {
            Format::JsonLines => Output::Json(BufWriter::new(file)),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(kind.columns())?;
                Output::Csv(Box::new(writer))
            }
        }))
    }

    /// Writes a record.
    ///
    /// # Errors
    /// Those of the file, and [`io::ErrorKind::InvalidData`] for a time before the year 0.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = Line::try_from(record)
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        match &mut self.0 {
            Output::Json(writer) => {
                serde_json::to_writer(&mut *writer, &line)?;
                writer.write_all(b"\n")
            }
            Output::Csv(writer) => Ok(writer.write_record(line.cells())?),
        }
    }

    /// Writes the rest of the file through to the disk.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(self) -> io::Result<()> {
        let file = match self.0 {
            Output::Json(writer) => writer.into_inner()?,
            Output::Csv(writer) => writer.into_inner().map_err(|error| error.into_error())?,
        };
        file.sync_all()
    }
}
