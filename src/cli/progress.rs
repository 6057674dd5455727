//! How far a long command is: a bar on a terminal, plain lines in a file or a pipe.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::transfer::Audience;

/// Between two plain lines.
const EVERY: Duration = Duration::from_secs(10);

/// Shows it on standard error, where also goes what does not go in, a line each.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    total: Option<u64>,
    done: u64,
    said_at: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(ProgressBar::new_spinner);
        Self { bar, what: String::new(), total: None, done: 0, said_at: Instant::now() }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&mut self) {
        self.said_at = Instant::now();
        match self.total {
            Some(total) => note(&format!("{}: {} of {total}", self.what, self.done)),
            None => note(&format!("{}: {}", self.what, self.done)),
        }
    }
}

impl Audience for Progress {
    fn begin(&mut self, what: &str, total: Option<u64>) {
        (self.what, self.total, self.done) = (what.to_owned(), total, 0);
        self.said_at = Instant::now();
        let Some(bar) = &self.bar else {
            note(what);
            return;
        };
        let shape = match total {
            Some(_) => "{msg} [{bar:30}] {pos}/{len} ({per_sec}, {eta} left)",
            None => "{msg} {spinner} {pos} ({per_sec})",
        };
        bar.reset();
        bar.set_style(ProgressStyle::with_template(shape).expect("the template is right"));
        bar.set_length(total.unwrap_or(0));
        bar.set_message(what.to_owned());
    }

    fn advance(&mut self, lines: u64) {
        self.done += lines;
        match &self.bar {
            Some(bar) => bar.set_position(self.done),
            None if self.said_at.elapsed() >= EVERY => self.say(),
            None => {}
        }
    }

    fn problem(&mut self, problem: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(problem)),
            None => note(problem),
        }
    }
}

/// Writes a line to standard error. Who closed it does not want to know.
pub(super) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
