//! The folder of a pull: the files, and the note of how far it is. Only what the note speaks of
//! counts; what was written after it is cut off when the pull goes on.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::VendorError;

/// The form of the note and the files.
const FORM: u32 = 2;

/// The note's name.
const NOTE: &str = "progress.json";

/// How far a pull is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    form: u32,
    /// Where it is pulled from.
    source: String,
    /// Whose lists: those of the users whom the vendor lists, or a digest of the names of a file.
    names: Option<String>,
    /// How many users are listed so far.
    pub(super) listed: u64,
    /// Where the vendor's list of users goes on.
    pub(super) cursor: Option<String>,
    /// Whether all are listed.
    pub(super) all_listed: bool,
    /// Of how many of them the lists are there, from the first.
    pub(super) pulled: u64,
    /// How many of those the vendor does not know.
    pub(super) unknown: u64,
    /// How many of those of whom the vendor tells nothing.
    pub(super) refused: u64,
    /// Of whom the vendor answered last.
    pub(super) answered: Option<String>,
    /// How long the files are, in the order of [`FILES`].
    lengths: [u64; 5],
}

/// The files of a folder.
const FILES: [&str; 5] =
    ["listed.jsonl", "users.jsonl", "friends.jsonl", "blocks.jsonl", "missing.jsonl"];

/// One of them.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// Users as the vendor, or a file of names, lists them.
    Listed,
    /// Those whose lists are there.
    Users,
    Friends,
    Blocks,
    /// Those whose lists the vendor does not tell.
    Missing,
}

/// A user whose lists the vendor does not tell.
#[derive(Deserialize, Serialize)]
pub(super) struct MissingLine {
    pub(super) username: String,
    pub(super) why: String,
}

/// A folder that nobody else pulls into.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) note: Note,
    files: [Appender; 5],
    _lock: File,
}

struct Appender {
    file: BufWriter<File>,
    length: u64,
}

impl Folder {
    /// Opens a folder, where a pull from this source goes on, or begins: of the users whom the vendor
    /// lists, or those of a digest of names. What is in it are people's relations, for nobody else.
    pub(super) fn open(
        path: &Path,
        source: &str,
        names: Option<String>,
    ) -> Result<Self, VendorError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(failed(path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(VendorError::Setting(format!("{path}: another pull is under way")));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&lock_path)(error)),
        }
        let note = read_note(path, source, names)?;
        let open = |(name, length): (&str, u64)| {
            let path = path.join(name);
            Appender::open(&path, length).map_err(failed(&path))
        };
        let files = FILES.into_iter().zip(note.lengths).map(open);
        let files: Vec<Appender> = files.collect::<Result<_, _>>()?;
        let files = files.try_into().unwrap_or_else(|_| unreachable!("as many as FILES"));
        Ok(Self { path: path.to_owned(), note, files, _lock: lock })
    }

    pub(super) fn path_of(&self, what: What) -> PathBuf {
        self.path.join(FILES[what as usize])
    }

    /// Adds a line of JSON.
    pub(super) fn add(&mut self, what: What, line: &impl Serialize) -> Result<(), VendorError> {
        let text = serde_json::to_string(line).map_err(io::Error::from);
        let text = text.map_err(failed(&self.path_of(what)))?;
        self.add_text(what, &text)
    }

    /// Adds a line.
    pub(super) fn add_text(&mut self, what: What, line: &str) -> Result<(), VendorError> {
        let file = &mut self.files[what as usize];
        let done = file.file.write_all(line.as_bytes()).and_then(|()| file.file.write_all(b"\n"));
        if done.is_ok() {
            file.length += line.len() as u64 + 1;
        }
        done.map_err(failed(&self.path_of(what)))
    }

    /// Makes everything durable, and the note last: it is written aside and then renamed, so that it is
    /// there whole, the old one or the new one.
    pub(super) fn save(&mut self) -> Result<(), VendorError> {
        for (file, length) in self.files.iter_mut().zip(&mut self.note.lengths) {
            if file.length != *length {
                let done = file.file.flush().and_then(|()| file.file.get_ref().sync_data());
                done.map_err(failed(&self.path))?;
                *length = file.length;
            }
        }
        let whole = self.path.join(NOTE);
        let text = serde_json::to_string_pretty(&self.note).map_err(io::Error::from);
        let write = |text: String| {
            let mut file = NamedTempFile::new_in(&self.path)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&whole).map_err(io::Error::from).map(drop)
        };
        text.and_then(write).map_err(failed(&whole))
    }
}

impl Appender {
    fn open(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.len() < length {
            return Err(io::Error::other("is shorter than it was: begin anew in another folder"));
        }
        file.set_len(length)?;
        Ok(Self { file: BufWriter::new(file), length })
    }
}

fn read_note(path: &Path, source: &str, names: Option<String>) -> Result<Note, VendorError> {
    let note_path = path.join(NOTE);
    let refused = |why: String| VendorError::Setting(format!("{}: {why}", note_path.display()));
    match fs::read(&note_path) {
        Ok(text) => {
            let mut note: Note = serde_json::from_slice(&text)
                .map_err(|error| refused(format!("is no note of a pull: {error}")))?;
            if note.form != FORM {
                return Err(refused("is of another version of befriend".to_owned()));
            }
            if note.source != source {
                let from = &note.source;
                return Err(refused(format!("the folder holds a pull from {from}")));
            }
            if note.listed > 0 || note.all_listed {
                let why = match (&note.names, &names) {
                    (one, other) if one == other => return Ok(note),
                    (Some(_), Some(_)) => {
                        "of other names than --users has now: give the same names"
                    }
                    (Some(_), None) => "of the names of a file: give the same by --users",
                    (None, _) => "of the users whom the vendor lists: leave out --users",
                };
                return Err(refused(format!(
                    "the folder holds a pull {why}, or take a new folder"
                )));
            }
            note.names = names;
            Ok(note)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(there) = FILES.iter().find(|name| path.join(name).exists()) {
                let path = path.display();
                return Err(VendorError::Setting(format!("{path}: holds another {there}")));
            }
            Ok(Note { form: FORM, source: source.to_owned(), names, ..Note::default() })
        }
        Err(error) => Err(failed(&note_path)(error)),
    }
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> VendorError {
    move |error| VendorError::Folder { path: path.to_owned(), error }
}
