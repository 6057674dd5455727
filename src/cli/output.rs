//! Standard output: what a command was asked for. One that is closed or full is an error, and no panic.

use std::{
    fmt,
    io::{self, Write as _},
};

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
