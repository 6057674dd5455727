//! The folder of a pull: the files with the pulled data, and the checkpoint. What was written to the
//! files after the checkpoint is cut off when the pull continues.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{checkpoint::Checkpoint, error::PullError};

/// The files of a folder, in the order of [`PullFile`].
const FILES: [&str; 5] =
    ["listed.jsonl", "users.jsonl", "friends.jsonl", "blocks.jsonl", "missing.jsonl"];

/// One of the files.
#[derive(Clone, Copy)]
pub(super) enum PullFile {
    /// The users whom the vendor, or a file of names, lists.
    Listed,
    /// The users whose lists are pulled.
    Users,
    Friends,
    Blocks,
    /// The users whose lists the vendor does not return.
    Missing,
}

/// A line of [`PullFile::Missing`].
#[derive(Deserialize, Serialize)]
pub(super) struct MissingLine {
    pub(super) username: String,
    pub(super) why: String,
}

/// A folder, locked against other pulls.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) checkpoint: Checkpoint,
    files: [Appender; 5],
    _lock: File,
}

struct Appender {
    file: BufWriter<File>,
    length: u64,
}

impl Folder {
    /// Opens a folder to begin or continue a pull from this source: of the users whom the vendor lists,
    /// or of the names with this digest. Only the owner can read the folder: it holds who knows whom.
    pub(super) fn open(
        path: &Path,
        source: &str,
        names: Option<String>,
    ) -> Result<Self, PullError> {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
        created.map_err(PullError::file(path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(PullError::file(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(PullError::Setting(format!("{path}: another pull is under way")));
            }
            Err(TryLockError::Error(error)) => return Err(PullError::file(&lock_path)(error)),
        }
        let checkpoint = match Checkpoint::load(path, source, names.as_ref())? {
            Some(checkpoint) => checkpoint,
            None => {
                refuse_foreign_files(path)?;
                Checkpoint::new(source, names)
            }
        };
        let open = |(name, length): (&str, u64)| {
            let path = path.join(name);
            Appender::open(&path, length).map_err(PullError::file(&path))
        };
        let files = FILES.into_iter().zip(checkpoint.lengths).map(open);
        let files: Vec<Appender> = files.collect::<Result<_, _>>()?;
        let files = files.try_into().unwrap_or_else(|_| unreachable!("as many as FILES"));
        Ok(Self { path: path.to_owned(), checkpoint, files, _lock: lock })
    }

    pub(super) fn path_of(&self, file: PullFile) -> PathBuf {
        self.path.join(FILES[file as usize])
    }

    /// Appends a line of JSON to a file.
    pub(super) fn append(
        &mut self,
        file: PullFile,
        line: &impl Serialize,
    ) -> Result<(), PullError> {
        let appended = self.files[file as usize].append(line);
        appended.map_err(PullError::file(&self.path_of(file)))
    }

    /// Writes the files through to the disk, then the checkpoint that counts them.
    pub(super) fn save(&mut self) -> Result<(), PullError> {
        for (file, length) in self.files.iter_mut().zip(&mut self.checkpoint.lengths) {
            if file.length != *length {
                let synced = file.file.flush().and_then(|()| file.file.get_ref().sync_data());
                synced.map_err(PullError::file(&self.path))?;
                *length = file.length;
            }
        }
        self.checkpoint.save(&self.path)
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

    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.length += text.len() as u64;
        Ok(())
    }
}

/// A folder without a checkpoint must not hold files that the pull would append to.
fn refuse_foreign_files(folder: &Path) -> Result<(), PullError> {
    match FILES.iter().find(|name| folder.join(name).exists()) {
        None => Ok(()),
        Some(name) => {
            let folder = folder.display();
            Err(PullError::Setting(format!("{folder}: holds another {name}")))
        }
    }
}
