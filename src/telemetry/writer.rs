//! Writing the log to standard error, many lines with one system call.
//!
//! A system call for the log line of each request would cost as much as reading the request. Lines are
//! buffered for up to 50 ms, or until there are 16 KiB. A warning is written at once, with the lines
//! before it, and so is every line on a terminal.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

const MAX_DELAY: Duration = Duration::from_millis(50);
const MAX_BUFFERED: usize = 16 * 1024;

/// A buffered writer to standard error. Clones share the buffer.
#[derive(Clone, Debug)]
pub(super) struct LogWriter {
    /// The buffer, and what wakes the thread when the buffer is no longer empty.
    buffer: Arc<(Mutex<Vec<u8>>, Condvar)>,
    unbuffered: bool,
}

impl LogWriter {
    /// Starts the thread that writes out the buffer after [`MAX_DELAY`].
    pub(super) fn start() -> Self {
        let unbuffered = io::stderr().is_terminal();
        let writer = Self { buffer: Arc::default(), unbuffered };
        let in_thread = writer.clone();
        let started = thread::Builder::new().name("log".to_owned()).spawn(move || in_thread.run());
        // Without the thread, buffered lines could wait forever.
        Self { unbuffered: unbuffered || started.is_err(), ..writer }
    }

    fn run(&self) {
        loop {
            let mut buffer = self.buffer();
            while buffer.is_empty() {
                let woken = self.buffer.1.wait(buffer);
                buffer = woken.unwrap_or_else(PoisonError::into_inner);
            }
            drop(buffer);
            thread::sleep(MAX_DELAY);
            self.flush();
        }
    }

    /// Writes out the buffer.
    pub(super) fn flush(&self) {
        write_out(&mut self.buffer());
    }

    fn buffer(&self) -> MutexGuard<'_, Vec<u8>> {
        self.buffer.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines are lost if standard error can't be written to: there is no other place to report that.
fn write_out(buffer: &mut Vec<u8>) {
    let _ = io::stderr().write_all(buffer);
    buffer.clear();
}

/// Writes one line.
pub(super) struct LineWriter<'a> {
    writer: &'a LogWriter,
    unbuffered: bool,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut buffer = self.writer.buffer();
        if buffer.is_empty() {
            self.writer.buffer.1.notify_one();
        }
        buffer.extend_from_slice(text);
        if self.unbuffered || buffer.len() >= MAX_BUFFERED {
            write_out(&mut buffer);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush();
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { writer: self, unbuffered: self.unbuffered }
    }

    fn make_writer_for(&'a self, event: &tracing::Metadata<'_>) -> LineWriter<'a> {
        let unbuffered = self.unbuffered || *event.level() <= tracing::Level::WARN;
        LineWriter { writer: self, unbuffered }
    }
}
