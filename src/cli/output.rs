//! Standard output: what a command was asked for, as a table for people or as JSON for programs. One that is
//! closed or full is an error, and no panic.

use std::{
    fmt,
    io::{self, Write as _},
};

use clap::{Args, ValueEnum};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::stat::{fstat, stat},
};
use serde_json::{Map, Value};
use tabwriter::TabWriter;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// Why a command could not print.
#[derive(Debug, thiserror::Error)]
#[error("can't write to standard output: {0}")]
pub(super) struct OutputError(#[from] io::Error);

/// Prints lines, the last one without its line end.
pub(super) fn print(lines: impl fmt::Display) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{lines}")?;
    Ok(stdout.flush()?)
}

/// How a command prints its data.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OutputArgs {
    /// Print tables for people, or JSON: an array for a list, else an object.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// What can be shown: its columns, which are the members of its JSON, and a value for each.
pub(super) trait Show {
    /// The names that the API has for the same.
    const COLUMNS: &'static [&'static str];

    /// A value for each column; null where there is none.
    fn values(&self) -> Vec<Value>;
}

/// A time as everything prints it, and as options for times take it: "2026-11-27T13:17:48.25Z".
pub(super) fn time(at: OffsetDateTime) -> Value {
    let text = at.to_offset(UtcOffset::UTC).format(&Rfc3339);
    Value::String(text.expect("the years of the database have four digits"))
}

impl OutputArgs {
    /// Whether programs read the output.
    pub(super) fn is_json(self) -> bool {
        self.output == Format::Json
    }

    /// Shows one thing: as "name: value" lines without what is null, or as an object.
    pub(super) fn show<T: Show>(self, item: &T) -> Result<(), OutputError> {
        self.show_with(item, &[])
    }

    /// The same, for a secret that is shown once: an error when standard output was closed at the start.
    ///
    /// Rust's runtime has then opened the null device in its place, for reading and writing, and all that is
    /// printed there is lost. The redirections of shells open it for writing only.
    pub(super) fn for_secret(self) -> Result<Self, OutputError> {
        let stdout = io::stdout();
        let flags =
            OFlag::from_bits_retain(fcntl(&stdout, FcntlArg::F_GETFL).map_err(io::Error::from)?);
        let device = fstat(&stdout).map_err(io::Error::from)?.st_rdev;
        let null = stat("/dev/null").map_err(io::Error::from)?.st_rdev;
        if device == null && flags & OFlag::O_ACCMODE == OFlag::O_RDWR {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "it is closed").into());
        }
        Ok(self)
    }

    /// Shows one thing and further members, such as a secret that is shown once.
    pub(super) fn show_with<T: Show>(
        self,
        item: &T,
        more: &[(&str, Value)],
    ) -> Result<(), OutputError> {
        let own = T::COLUMNS.iter().copied().zip(item.values());
        self.members(own.chain(more.iter().cloned()))
    }

    /// Shows one thing and a list that belongs to it: as a table below it, or as its member `name`.
    pub(super) fn show_with_list<T: Show, I: Show>(
        self,
        item: &T,
        name: &str,
        list: &[I],
    ) -> Result<(), OutputError> {
        if self.is_json() {
            let list = list.iter().map(|one| Value::Object(object(I::COLUMNS, one.values())));
            return self.show_with(item, &[(name, Value::Array(list.collect()))]);
        }
        self.show(item)?;
        if list.is_empty() {
            return Ok(());
        }
        print(format_args!("{name}:"))?;
        self.all(list)
    }

    /// Shows what a command did, or found, as names and values.
    pub(super) fn members<'a>(
        self,
        members: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<(), OutputError> {
        let members = members.into_iter();
        if self.is_json() {
            let object: Map<_, _> = members.map(|(name, value)| (name.to_owned(), value)).collect();
            return print(Value::Object(object));
        }
        let lines: Vec<_> = members
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| match value.as_str() {
                Some("") => format!("{name}:"),
                _ => format!("{name}: {}", cell(&value)),
            })
            .collect();
        print(lines.join("\n"))
    }

    /// Shows a single text: alone in a line, or as the member `name`.
    pub(super) fn bare(self, name: &str, text: &str) -> Result<(), OutputError> {
        match self.output {
            Format::Table => print(text),
            Format::Json => self.members([(name, Value::from(text))]),
        }
    }

    /// Begins a list, which is printed as it comes.
    pub(super) fn list<T: Show>(self) -> List {
        List { output: self.output, columns: T::COLUMNS, begun: false }
    }

    /// Shows a list that is there as a whole.
    pub(super) fn all<'a, T: Show + 'a>(
        self,
        items: impl IntoIterator<Item = &'a T>,
    ) -> Result<(), OutputError> {
        let mut list = self.list::<T>();
        list.page(items)?;
        list.end()
    }
}

/// A list that is being printed.
pub(super) struct List {
    output: Format,
    columns: &'static [&'static str],
    /// Whether the header of the table, or the first object, is printed.
    begun: bool,
}

impl List {
    /// Prints some items. The columns of a table are aligned page by page.
    pub(super) fn page<'a, T: Show + 'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a T>,
    ) -> Result<(), OutputError> {
        let rows = items.into_iter().map(Show::values);
        match self.output {
            Format::Json => self.objects(rows),
            Format::Table => self.lines(rows),
        }
    }

    fn objects(&mut self, rows: impl Iterator<Item = Vec<Value>>) -> Result<(), OutputError> {
        let mut stdout = io::stdout().lock();
        for values in rows {
            let separator = if self.begun { ",\n" } else { "[\n" };
            write!(stdout, "{separator}  {}", Value::Object(object(self.columns, values)))?;
            self.begun = true;
        }
        Ok(stdout.flush()?)
    }

    fn lines(&mut self, rows: impl Iterator<Item = Vec<Value>>) -> Result<(), OutputError> {
        let mut table = TabWriter::new(io::stdout().lock()).padding(2);
        if !self.begun {
            self.begun = true;
            writeln!(table, "{}", self.columns.join("\t").to_uppercase())?;
        }
        for values in rows {
            let cells: Vec<_> = values.iter().map(cell).collect();
            writeln!(table, "{}", cells.join("\t"))?;
        }
        Ok(table.flush()?)
    }

    /// Ends the list.
    pub(super) fn end(mut self) -> Result<(), OutputError> {
        match (self.output, self.begun) {
            (Format::Json, false) => print("[]"),
            (Format::Json, true) => print("\n]"),
            (Format::Table, false) => self.lines(std::iter::empty()),
            (Format::Table, true) => Ok(()),
        }
    }
}

fn object(columns: &[&str], values: Vec<Value>) -> Map<String, Value> {
    columns.iter().map(|name| (*name).to_owned()).zip(values).collect()
}

/// A value in a table. What would move the terminal's cursor is escaped.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) if text.contains(char::is_control) => text.escape_debug().to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_those_that_options_take() {
        assert_eq!(time(datetime!(2026-11-27 13:17:48.25 +8)), "2026-11-27T05:17:48.25Z");
        assert_eq!(time(datetime!(2026-11-27 13:17:48 UTC)), "2026-11-27T13:17:48Z");
    }

    #[test]
    fn a_cell_moves_no_cursor() {
        assert_eq!(cell(&Value::from("a\tb\u{1b}[2J")), r"a\tb\u{1b}[2J");
        assert_eq!(cell(&Value::from(["a", "b"].as_slice())), "a,b");
    }
}
