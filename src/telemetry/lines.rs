//! Where log lines go: to standard error, many at once.
//!
//! A line a request, each by a system call of its own, costs as much as the request's reading. Lines
//! wait here for up to 50 ms, or until there are 16 KiB of them; a warning takes all along at once,
//! and a terminal gets each line as it comes.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

const LONGEST_WAIT: Duration = Duration::from_millis(50);
const MOST_BYTES: usize = 16 * 1024;

/// Lines on their way to standard error. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    waiting: Arc<(Mutex<Vec<u8>>, Condvar)>,
    at_once: bool,
}

impl Lines {
    /// Starts the thread that sees to it that no line waits for long.
    pub(super) fn start() -> Self {
        let at_once = io::stderr().is_terminal();
        let lines = Self { waiting: Arc::default(), at_once };
        let writing = lines.clone();
        let started = thread::Builder::new().name("log".to_owned()).spawn(move || writing.run());
        // Without a thread nothing may wait.
        Self { at_once: at_once || started.is_err(), ..lines }
    }

    fn run(&self) {
        loop {
            let mut waiting = self.waiting();
            while waiting.is_empty() {
                let woken = self.waiting.1.wait(waiting);
                waiting = woken.unwrap_or_else(PoisonError::into_inner);
            }
            drop(waiting);
            thread::sleep(LONGEST_WAIT);
            self.flush();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        write_out(&mut self.waiting());
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is nobody to tell when standard error can't be written to.
fn write_out(lines: &mut Vec<u8>) {
    let _ = io::stderr().write_all(lines);
    lines.clear();
}

/// Takes one line.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lines.waiting();
        if waiting.is_empty() {
            self.lines.waiting.1.notify_one();
        }
        waiting.extend_from_slice(text);
        if self.at_once || waiting.len() >= MOST_BYTES {
            write_out(&mut waiting);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush();
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, at_once: self.at_once }
    }

    fn make_writer_for(&'a self, event: &tracing::Metadata<'_>) -> Line<'a> {
        let at_once = self.at_once || *event.level() <= tracing::Level::WARN;
        Line { lines: self, at_once }
    }
}
