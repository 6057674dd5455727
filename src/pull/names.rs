//! The names of users in a file, one a line.

use std::{collections::HashSet, fs, path::Path};

use sha2::{Digest as _, Sha256};

use super::{VendorError, folder::failed};
use crate::domain::{Username, without_byte_order_mark};

/// What a file of names says.
pub(super) struct Names {
    /// Each once, folded, in the order of the file.
    pub(super) names: Vec<Username>,
    /// Of each line that can be no name: which, and why.
    pub(super) bad: Vec<String>,
}

impl Names {
    /// Reads a file whole. Empty lines and a byte order mark say nothing.
    pub(super) fn read(path: &Path) -> Result<Self, VendorError> {
        let text = fs::read(path).map_err(failed(path))?;
        let (mut names, mut bad, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for (at, line) in without_byte_order_mark(&text).split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            // No name has the character that stands for what is not UTF-8.
            match Username::parse("username", &String::from_utf8_lossy(line)) {
                Ok(name) if seen.insert(name.clone()) => names.push(name),
                Ok(_) => {}
                Err(why) => bad.push(format!("{}:{}: {why}", path.display(), at + 1)),
            }
        }
        Ok(Self { names, bad })
    }

    /// The lower-case hexadecimal SHA-256 of the names: the same names have the same, however the file
    /// writes them.
    pub(super) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for name in &self.names {
            digest.update(name.as_str());
            digest.update("\n");
        }
        hex::encode(digest.finalize())
    }
}
