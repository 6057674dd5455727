//! How far a long command is: a bar on a terminal, plain lines in a file or a pipe.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::transfer::ProgressSink;

/// The time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows the progress on standard error, and prints each problem there as a line.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    step: String,
    total: Option<u64>,
    done: u64,
    printed_at: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(ProgressBar::new_spinner);
        Self { bar, step: String::new(), total: None, done: 0, printed_at: Instant::now() }
    }

    /// Removes the bar from the terminal.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn print(&mut self) {
        self.printed_at = Instant::now();
        match self.total {
            Some(total) => print_error(&format!("{}: {} of {total}", self.step, self.done)),
            None => print_error(&format!("{}: {}", self.step, self.done)),
        }
    }
}

impl ProgressSink for Progress {
    fn begin(&mut self, step: &str, total: Option<u64>) {
        (self.step, self.total, self.done) = (step.to_owned(), total, 0);
        self.printed_at = Instant::now();
        let Some(bar) = &self.bar else {
            print_error(step);
            return;
        };
        let template = match total {
            Some(_) => "{msg} [{bar:30}] {pos}/{len} ({per_sec}, {eta} left)",
            None => "{msg} {spinner} {pos} ({per_sec})",
        };
        bar.reset();
        bar.set_style(ProgressStyle::with_template(template).expect("the template is right"));
        bar.set_length(total.unwrap_or(0));
        bar.set_message(step.to_owned());
    }

    fn advance(&mut self, count: u64) {
        self.done += count;
        match &self.bar {
            Some(bar) => bar.set_position(self.done),
            None if self.printed_at.elapsed() >= LINE_INTERVAL => self.print(),
            None => {}
        }
    }

    fn problem(&mut self, problem: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print_error(problem)),
            None => print_error(problem),
        }
    }
}

/// Writes a line to standard error, if that is open.
pub(super) fn print_error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
