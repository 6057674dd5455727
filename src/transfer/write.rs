//! Writing a file of records.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
};

use super::{Format, Kind, fields::Line};
use crate::domain::Record;

/// Writes records of one kind.
pub struct Writer(Form);

enum Form {
    Json(BufWriter<File>),
    Csv(Box<csv::Writer<File>>),
}

impl Writer {
    /// Begins a file, in CSV with the line of column names.
    ///
    /// # Errors
    /// Those of the file, as of all calls here.
    pub fn new(file: File, kind: Kind, format: Format) -> io::Result<Self> {
        Ok(Self(match format {
            Format::JsonLines => Form::Json(BufWriter::new(file)),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(kind.columns())?;
                Form::Csv(Box::new(writer))
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
            Form::Json(writer) => {
                serde_json::to_writer(&mut *writer, &line)?;
                writer.write_all(b"\n")
            }
            Form::Csv(writer) => Ok(writer.write_record(line.cells())?),
        }
    }

    /// Makes sure that all of it is on the disk.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(self) -> io::Result<()> {
        let file = match self.0 {
            Form::Json(writer) => writer.into_inner()?,
            Form::Csv(writer) => writer.into_inner().map_err(|error| error.into_error())?,
        };
        file.sync_all()
    }
}
