//! Templates: clusters that were made once, to be copied. They are a cache: whatever is wrong with them, a
//! start works without.
//!
//! ```text
//! ~/.cache/befriend/templates/         $XDG_CACHE_HOME; on macOS ~/Library/Caches
//!   lock                               shared by those who copy, exclusive for who makes or removes
//!   postgres-15-…/cluster/             the data of a server that was stopped
//!   postgres-15-…/whole                how many files and bytes it has; written last
//! ```
//!
//! The name of a template has a hash of what made it: the programs and the schema.

use std::{
    env,
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest as _, Sha256};

use super::{
    account::Account,
    binaries::Binaries,
    deadline::Deadline,
    error::StartError,
    layout::{private_file, unique},
};

/// The version of how templates are made: another one makes all anew.
const FORMAT: u32 = 1;

/// How many templates are kept: those of other versions of befriend or Postgres take 18 MB each.
const KEPT: usize = 4;

/// The templates of this user, and the one that this process needs.
pub(super) struct Templates {
    pub(super) folder: PathBuf,
    name: String,
}

/// A template as it was found: what its file `whole` holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template(String);

/// What a copy counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    files: u64,
    bytes: u64,
}

impl Templates {
    /// `None` if the user has no home.
    pub(super) fn of(binaries: &Binaries, schema: &[u8]) -> Option<Self> {
        let folder = cache_folder()?.join("befriend/templates");
        let program = binaries.folder.join("postgres");
        let facts = fs::metadata(&program).ok();
        let facts = facts.map_or((0, 0, 0), |found| (found.len(), found.mtime(), found.ino()));
        let mut digest = Sha256::new();
        digest.update(format!("{FORMAT} {facts:?} {} ", schema.len()));
        digest.update(schema);
        digest.update(program.as_os_str().as_bytes());
        let name = format!("postgres-{}-{}", binaries.major, hex::encode(&digest.finalize()[..8]));
        Some(Self { folder, name })
    }

    /// Held while a template is copied. `None` if there can be none.
    pub(super) fn lock_to_read(&self, deadline: Deadline) -> Option<File> {
        let file = File::open(self.folder.join("lock")).ok()?;
        wait_for(deadline, || file.try_lock_shared()).ok()?;
        Some(file)
    }

    /// Held while a template is made.
    pub(super) fn lock_to_make(&self, deadline: Deadline) -> io::Result<File> {
        DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)?;
        let mut options = private_file();
        let file =
            options.write(true).create(true).truncate(false).open(self.folder.join("lock"))?;
        wait_for(deadline, || file.try_lock())?;
        Ok(file)
    }

    /// The template, if there is one.
    pub(super) fn current(&self) -> Option<Template> {
        fs::read_to_string(self.place().join("whole")).ok().map(Template)
    }

    /// Copies the template's cluster to `to`, for this account.
    ///
    /// # Errors
    ///
    /// [`StartError::Folder`]; the template may be broken.
    pub(super) fn copy(
        &self,
        template: &Template,
        to: &Path,
        account: &Account,
    ) -> Result<(), StartError> {
        let from = self.place().join("cluster");
        let mut size = Size::default();
        copy_folder(&from, to, &mut size, &|path| account.hand_over(path))?;
        if template.0.starts_with(&size.line()) {
            return Ok(());
        }
        let differs = io::Error::other("it is not what was copied there");
        Err(StartError::folder("use", &from)(differs))
    }

    /// Makes a copy of a stopped server's cluster the template, in place of what is there. Called under the
    /// lock.
    pub(super) fn keep(&self, cluster: &Path) -> Result<(), StartError> {
        self.remove_old();
        let place = self.place();
        let side = self.folder.join(format!("{}.new-{:016x}", self.name, unique()));
        let made = self.fill(cluster, &side).and_then(|()| {
            if place.exists() {
                fs::remove_dir_all(&place).map_err(StartError::folder("remove", &place))?;
            }
            fs::rename(&side, &place).map_err(StartError::folder("give its final name to", &side))
        });
        if made.is_err() {
            // The first error is reported.
            let _ = fs::remove_dir_all(&side);
        }
        made
    }

    fn fill(&self, cluster: &Path, side: &Path) -> Result<(), StartError> {
        DirBuilder::new().mode(0o700).create(side).map_err(StartError::folder("create", side))?;
        let mut size = Size::default();
        copy_folder(cluster, &side.join("cluster"), &mut size, &|_| Ok(()))?;
        let whole = side.join("whole");
        let text = format!("{}{:016x}\n", size.line(), unique());
        fs::write(&whole, text).map_err(StartError::folder("write", &whole))
    }

    /// Removes what was not made to its end, and the oldest templates.
    fn remove_old(&self) {
        let mut whole = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if !path.is_dir() || path == self.place() {
                continue;
            }
            match fs::metadata(path.join("whole")).and_then(|found| found.modified()) {
                Ok(made) if path.extension().is_none() => whole.push((made, path)),
                _ => remove(&path),
            }
        }
        whole.sort_by_key(|(made, _): &(SystemTime, _)| std::cmp::Reverse(*made));
        whole.iter().skip(KEPT - 1).for_each(|(_, path)| remove(path));
    }

    fn place(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
}

impl Size {
    fn line(self) -> String {
        format!("{} {} ", self.files, self.bytes)
    }
}

fn cache_folder() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let home = env::home_dir().filter(absolute);
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    xdg.or_else(|| {
        let inside = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        home.map(|home| home.join(inside))
    })
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(folder = %path.display(), %error, "could not remove an old template");
    }
}

fn wait_for(
    deadline: Deadline,
    mut lock: impl FnMut() -> Result<(), TryLockError>,
) -> io::Result<()> {
    loop {
        match lock() {
            Err(TryLockError::WouldBlock) if deadline.pause() => {}
            done => return Ok(done?),
        }
    }
}

/// Copies a folder of files and folders. The file system shares the bytes of both if it can.
fn copy_folder(
    from: &Path,
    to: &Path,
    size: &mut Size,
    hand_over: &dyn Fn(&Path) -> Result<(), StartError>,
) -> Result<(), StartError> {
    DirBuilder::new().mode(0o700).create(to).map_err(StartError::folder("create", to))?;
    hand_over(to)?;
    let entries = fs::read_dir(from).map_err(StartError::folder("list", from))?;
    for entry in entries {
        let entry = entry.map_err(StartError::folder("list", from))?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(StartError::folder("look at", &path))?;
        if kind.is_dir() {
            copy_folder(&path, &to, size, hand_over)?;
            continue;
        }
        if !kind.is_file() {
            let strange = io::Error::other("it is neither a file nor a folder");
            return Err(StartError::folder("copy", &path)(strange));
        }
        size.bytes += fs::copy(&path, &to).map_err(StartError::folder("copy", &path))?;
        size.files += 1;
        hand_over(&to)?;
    }
    Ok(())
}
