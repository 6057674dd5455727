//! Frames of HTTP/2 that ask for nothing are counted: PRIORITY, PING, SETTINGS, resets, window updates and
//! unknown ones. The HTTP/2 library bounds what it has to remember of them, and takes any number of them.
//! Each costs time, so a connection that sends many more of them than calls is closed.

use std::{
    io,
    time::{Duration, Instant},
};

/// The length of a frame's head.
const HEAD: usize = 9;

/// How many frames a connection may send at once.
const BURST: i64 = 1_000;

/// How many more it may send in a second.
const PER_SECOND: i64 = 1_000;

/// How many more for each call.
const PER_CALL: i64 = 10;

/// How many bytes are written to the caller for one more: window updates answer them. The answer to a PING
/// is shorter, so that PINGs are never paid by their answers.
const BYTES_WRITTEN: usize = 32;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;

/// What a connection has sent, and may still send.
#[derive(Debug)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// How much of the head was read.
    read: usize,
    /// How much of the frame's payload is still to come.
    payload: usize,
    left: i64,
    written: usize,
    refilled: Instant,
}

impl Frames {
    /// A connection after its preface.
    pub(super) fn new() -> Self {
        Self {
            head: [0; HEAD],
            read: 0,
            payload: 0,
            left: BURST,
            written: 0,
            refilled: Instant::now(),
        }
    }

    /// Reads on. An error if the connection sent too many frames that ask for nothing.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = self.payload.min(bytes.len());
                self.payload -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let part = (HEAD - self.read).min(bytes.len());
            self.head[self.read..self.read + part].copy_from_slice(&bytes[..part]);
            self.read += part;
            bytes = &bytes[part..];
            if self.read == HEAD {
                self.read = 0;
                let [a, b, c, kind, ..] = self.head;
                self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.count(kind)?;
            }
        }
        Ok(())
    }

    /// Bytes were written to the caller.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
    }

    fn count(&mut self, kind: u8) -> io::Result<()> {
        self.left += match kind {
            HEADERS => PER_CALL,
            // The library counts small ones itself.
            DATA => return Ok(()),
            // The call that is reset has cost as much as any other.
            RST_STREAM => -PER_CALL - 1,
            // All streams are looked at.
            SETTINGS => -20,
            _ => -1,
        };
        self.left = self.left.min(BURST);
        if self.left < 0 { self.refill() } else { Ok(()) }
    }

    /// Looks at the clock only when nothing is left.
    fn refill(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let passed = now.duration_since(self.refilled).min(Duration::from_secs(3600));
        let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let written = i64::try_from(self.written / BYTES_WRITTEN).unwrap_or(i64::MAX);
        self.left = (self.left + passed * PER_SECOND / 1000 + written).min(BURST);
        (self.refilled, self.written) = (now, 0);
        if self.left < 0 {
            return Err(io::Error::other("too many frames of HTTP/2 that ask for nothing"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let len = u32::try_from(payload).unwrap().to_be_bytes();
        [&len[1..], &[kind, 0, 0, 0, 0, 1], &vec![0; payload]].concat()
    }

    #[test]
    fn calls_with_their_window_updates_go_on_for_ever() {
        let mut frames = Frames::new();
        let call = [frame(HEADERS, 50), frame(DATA, 20), frame(8, 4), frame(8, 4)].concat();
        for _ in 0..200_000 {
            // In pieces, as a socket may give them.
            for piece in call.chunks(7) {
                frames.read(piece).unwrap();
            }
        }
    }

    #[test]
    fn frames_that_ask_for_nothing_end_the_connection() {
        for kind in [2, RST_STREAM, SETTINGS, 6, 8, 200] {
            let mut frames = Frames::new();
            let flood = frame(kind, 5);
            let sent = (0..1_000_000).take_while(|_| frames.read(&flood).is_ok()).count();
            assert!(sent < 900_000, "{sent} frames of kind {kind} were taken");
        }
    }

    #[test]
    fn calls_that_are_reset_at_once_end_the_connection() {
        let mut frames = Frames::new();
        let call = [frame(HEADERS, 50), frame(RST_STREAM, 4)].concat();
        assert!((0..1_000_000).any(|_| frames.read(&call).is_err()));
    }
}
