//! Standard output: what a command was asked for. One that is closed or full is an error, and no panic.

use std::{
    fmt,
    io::{self, Write as _},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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

/// A time as `--from` and `--to` take it: "2026-11-21T12:00:00.5Z".
pub(super) fn time(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// What stands in an empty cell, so that `awk` counts the same columns in every line.
const EMPTY: &str = "-";

/// Prints a header and rows, each column as wide as its widest cell. Blanks are between columns only, as
/// long as there is none in a cell.
pub(super) fn print_table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<(), OutputError> {
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(rows);
    for cell in lines.iter_mut().flatten().filter(|cell| cell.is_empty()) {
        EMPTY.clone_into(cell);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let padded = lines.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    print(padded.collect::<Vec<_>>().join("\n"))
}
