//! The names of users in a file, one a line.

use std::{collections::HashSet, fs, path::Path};

use sha2::{Digest as _, Sha256};

use super::error::PullError;
use crate::domain::{Username, without_byte_order_mark};

/// The names of a file.
pub(super) struct Names {
    /// Each name once, in lower case, in the order of the file.
    pub(super) names: Vec<Username>,
    /// For each line that is not a username: its position, and why.
    pub(super) bad: Vec<String>,
}

impl Names {
    /// Reads a file. Empty lines and a byte order mark are skipped.
    pub(super) fn read(path: &Path) -> Result<Self, PullError> {
        if !fs::metadata(path).map_err(PullError::file(path))?.is_file() {
            let path = path.display();
            return Err(PullError::Setting(format!("--users: {path} is not a regular file")));
        }
        let text = fs::read(path).map_err(PullError::file(path))?;
        let (mut names, mut bad, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for (at, line) in without_byte_order_mark(&text).split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            // Invalid UTF-8 turns into a character that no username may hold.
            match Username::parse("username", &String::from_utf8_lossy(line)) {
                Ok(name) if seen.insert(name.clone()) => names.push(name),
                Ok(_) => {}
                Err(why) => bad.push(format!("{}:{}: {why}", path.display(), at + 1)),
            }
        }
        Ok(Self { names, bad })
    }

    /// The lower-case hexadecimal SHA-256 of the names. It does not depend on how the file writes them.
    pub(super) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for name in &self.names {
            digest.update(name.as_str());
            digest.update("\n");
        }
        hex::encode(digest.finalize())
    }
}
