//! The record of how far a pull is: `progress.json` in its folder.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::error::PullError;

/// Changes with the format of the checkpoint or of the files beside it.
const FORMAT: u32 = 3;

const FILE_NAME: &str = "progress.json";

/// How far a pull is. Only what the checkpoint counts is valid in the files beside it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    format: u32,
    /// The vendor and its app.
    source: String,
    /// `None` if the vendor lists the users; else the digest of the names of a file.
    names: Option<String>,
    /// How many users are listed so far.
    pub(super) listed: u64,
    /// Where the vendor's list of users continues.
    pub(super) cursor: Option<String>,
    /// Whether all users are listed.
    pub(super) all_listed: bool,
    /// How many of the listed users, from the first, are done.
    pub(super) pulled: u64,
    /// How many of those the vendor does not know.
    pub(super) unknown: u64,
    /// How many of those the vendor refuses to return.
    pub(super) refused: u64,
    /// The last user of whom the vendor returned an answer.
    pub(super) answered: Option<String>,
    /// The lengths of the files of the folder, in bytes.
    pub(super) lengths: [u64; 5],
}

impl Checkpoint {
    /// The checkpoint in the folder, which must be one of the same source and names; `None` if the
    /// folder has none.
    pub(super) fn load(
        folder: &Path,
        source: &str,
        names: Option<&String>,
    ) -> Result<Option<Self>, PullError> {
        let path = folder.join(FILE_NAME);
        let refused = |why: String| PullError::Setting(format!("{}: {why}", path.display()));
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PullError::file(&path)(error)),
        };
        let mut checkpoint: Self = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("is not the checkpoint of a pull: {error}")))?;
        if checkpoint.format != FORMAT {
            return Err(refused("was written by another version of befriend".to_owned()));
        }
        if checkpoint.source != source {
            let source = &checkpoint.source;
            return Err(refused(format!("the folder holds a pull from {source}")));
        }
        if checkpoint.listed == 0 && !checkpoint.all_listed {
            checkpoint.names = names.cloned();
        }
        let why = match (&checkpoint.names, names) {
            (one, other) if one.as_ref() == other => return Ok(Some(checkpoint)),
            (Some(_), Some(_)) => "of other names than --users has now: give the same names",
            (Some(_), None) => "of the names of a file: give the same by --users",
            (None, _) => "of the users whom the vendor lists: leave out --users",
        };
        Err(refused(format!("the folder holds a pull {why}, or take a new folder")))
    }

    pub(super) fn new(source: &str, names: Option<String>) -> Self {
        Self { format: FORMAT, source: source.to_owned(), names, ..Self::default() }
    }

    /// Replaces the checkpoint in the folder. After a crash the folder holds the old one or this one.
    pub(super) fn save(&self, folder: &Path) -> Result<(), PullError> {
        let path = folder.join(FILE_NAME);
        let write = || {
            let mut file = NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(io::Error::from)
        };
        write().map(drop).map_err(PullError::file(&path))
    }
}
