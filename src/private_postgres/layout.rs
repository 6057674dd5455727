//! The data folder: its files, and who may enter what.
//!
//! ```text
//! /var/lib/befriend/          0755, so that the unprivileged user can reach what is inside
//!   lock                      locked during a start or stop, so that there is one at a time
//!   users.fifo                open for writing in every process that uses the server
//!   postgres.log              what the server and the watchdog print
//!   socket/                   0700, the server's user: the socket and the watchdog's answers
//!   postgres-15/              0700, the cluster; the number is the major version which can read it
//!   postgres-15.new-…/        an initdb that was interrupted; removed at the next start
//! ```

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Seek, SeekFrom},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, unistd::geteuid};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest as _, Sha256};

use super::{account::Account, deadline::Deadline, error::StartError};

/// A part of the name of the socket file. Nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

/// The longest path of a socket, in bytes. `sockaddr_un` holds 104 on macOS and 108 on Linux, including a
/// final NUL.
const LONGEST_SOCKET_PATH: usize = 103;

/// A longer log, in bytes, is moved to `postgres.log.old` before the server starts. The log normally gains
/// a few lines a day.
const LONGEST_LOG: u64 = 16 << 20;

/// How many lines of the log an error message contains.
const TAIL_LINES: usize = 12;

/// The characters that are encoded in the host of a URL: all that may not stand in one as they are.
const NOT_IN_HOST: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The default data folder: `/var/lib/befriend` for root, else the user's own data folder.
pub fn default_data_dir() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/var/lib/befriend");
    }
    let home = env::home_dir().filter(|home| home.is_absolute());
    let xdg = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|xdg| xdg.is_absolute());
    let data = if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Application Support"))
    } else {
        xdg.or_else(|| home.map(|home| home.join(".local/share")))
    };
    data.map_or_else(|| PathBuf::from("befriend-data"), |data| data.join("befriend"))
}

#[derive(Debug)]
pub(super) struct Layout {
    /// The canonical path, so that two paths of one folder lead to one server.
    pub(super) root: PathBuf,
    pub(super) fifo: PathBuf,
    pub(super) log: PathBuf,
}

impl Layout {
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, StartError> {
        create_with_parents(data_dir)?;
        let root = fs::canonicalize(data_dir).map_err(StartError::folder("resolve", data_dir))?;
        Ok(Self { fifo: root.join("users.fifo"), log: root.join("postgres.log"), root })
    }

    /// Waits for the lock, which is held as long as the returned file is open. The kernel releases the lock
    /// of a killed process.
    pub(super) fn lock(&self, deadline: Deadline) -> Result<File, StartError> {
        let path = self.root.join("lock");
        let file = private_file().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StartError::folder("open", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => {
                    return Err(StartError::Folder { doing: "lock", path, source });
                }
                Err(TryLockError::WouldBlock) if deadline.pause() => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(self.timeout(
                        "another process to finish its start or stop",
                        deadline,
                        self.log_length(),
                    ));
                }
            }
        }
    }

    pub(super) fn cluster(&self, major: u16) -> PathBuf {
        self.root.join(format!("postgres-{major}"))
    }

    /// The major version of the newest cluster in the data folder.
    pub(super) fn existing_major(&self) -> Result<Option<u16>, StartError> {
        Ok(self
            .entries()?
            .iter()
            .filter_map(|name| name.strip_prefix("postgres-")?.parse().ok())
            .max())
    }

    /// A temporary name for a cluster, which no other attempt uses: an initdb whose parent was killed may
    /// still be writing.
    pub(super) fn side_folder(&self, major: u16) -> PathBuf {
        self.root.join(format!("postgres-{major}.new-{:016x}", unique()))
    }

    pub(super) fn remove_side_folders(&self) -> Result<(), StartError> {
        for name in self
            .entries()?
            .iter()
            .filter(|name| name.starts_with("postgres-") && name.contains(".new-"))
        {
            // A leftover only costs disk space, so the next start may remove it as well.
            if let Err(error) = fs::remove_dir_all(self.root.join(name)) {
                tracing::warn!(folder = name, %error, "could not remove an incomplete cluster");
            }
        }
        Ok(())
    }

    /// The folder for the socket, private to the server's user: in the data folder, or in /tmp if the path
    /// would be too long.
    pub(super) fn socket_folder(&self, account: &Account) -> Result<PathBuf, StartError> {
        let folder = socket_place(&self.root);
        make_private(&folder, account)?;
        Ok(folder)
    }

    /// Opens the log for a new watchdog and its server, which append to it.
    pub(super) fn open_log(&self) -> Result<File, StartError> {
        if self.log_length() > LONGEST_LOG {
            let old = self.log.with_extension("log.old");
            fs::rename(&self.log, &old).map_err(StartError::folder("rename", &self.log))?;
        }
        private_file()
            .append(true)
            .create(true)
            .open(&self.log)
            .map_err(StartError::folder("open", &self.log))
    }

    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// The last lines of the log that were written after the offset `from`.
    pub(super) fn log_tail(&self, from: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(from.max(self.log_length().saturating_sub(8 << 10))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        if tail.is_empty() { "(nothing new)".to_owned() } else { tail }
    }

    pub(super) fn timeout(
        &self,
        what: &'static str,
        deadline: Deadline,
        log_from: u64,
    ) -> StartError {
        let tail = self.log_tail(log_from);
        StartError::Timeout { what, waited: deadline.allowed, log: self.log.clone(), tail }
    }

    fn entries(&self) -> Result<Vec<String>, StartError> {
        let entries = fs::read_dir(&self.root).map_err(StartError::folder("list", &self.root))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }
}

/// Options for files of this module: only the owner can open them, and links are not followed.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    options
}

/// A number that no other process uses.
pub(super) fn unique() -> u64 {
    // Each RandomState has its own random keys.
    RandomState::new().build_hasher().finish()
}

/// `/var/lib/a b` as the host part of a URL: `%2Fvar%2Flib%2Fa%20b`.
pub(super) fn as_url_host(path: &Path) -> String {
    percent_encode(path.as_os_str().as_bytes(), NOT_IN_HOST).to_string()
}

/// Creates a folder and its parents. Those that root creates can be entered by the unprivileged user,
/// whatever root's umask is.
fn create_with_parents(folder: &Path) -> Result<(), StartError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_with_parents(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => {
            let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
            fs::set_permissions(folder, Permissions::from_mode(mode))
        }
        // Another process has created the folder in the meantime.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(io::Error::other("there is a file with this name"))
        }
        Err(error) => Err(error),
    }
    .map_err(StartError::folder("create", folder))
}

/// Creates a 0700 folder of the server's user, or checks that an existing one is: in /tmp another user may
/// have created it. A folder of this process's own user is handed over, because the process that created
/// it may have been killed before it could do that.
fn make_private(folder: &Path, account: &Account) -> Result<(), StartError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StartError::Folder {
                doing: "create",
                path: folder.to_owned(),
                source: error,
            });
        }
        _ => {}
    }
    let found = fs::symlink_metadata(folder).map_err(StartError::folder("look at", folder))?;
    let owned = found.uid() == account.uid || found.uid() == geteuid().as_raw();
    if !found.is_dir() || !owned || found.mode() & 0o077 != 0 {
        let longest = LONGEST_SOCKET_PATH - socket_file(Path::new("socket")).as_os_str().len() - 1;
        return Err(StartError::SocketFolderTaken {
            path: folder.to_owned(),
            user: account.name.clone(),
            longest,
        });
    }
    if found.uid() == account.uid { Ok(()) } else { account.hand_over(folder) }
}

/// Where the folder for the socket of this data folder is.
pub(super) fn socket_place(root: &Path) -> PathBuf {
    let inside = root.join("socket");
    if fits(&inside) { inside } else { short_socket_folder(root) }
}

pub(super) fn socket_file(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// Whether a socket in this folder can be reached by its path. A URL can't hold a path that is not UTF-8,
/// and psql reads a path with a comma as two hosts.
fn fits(folder: &Path) -> bool {
    let short = socket_file(folder).as_os_str().len() <= LONGEST_SOCKET_PATH;
    short && folder.to_str().is_some_and(|folder| !folder.contains(','))
}

/// The folder in /tmp for the socket of this data folder. Not in TMPDIR: all users of the data folder, of
/// all versions of befriend, must find the same folder.
fn short_socket_folder(root: &Path) -> PathBuf {
    let digest = Sha256::digest(root.as_os_str().as_bytes());
    PathBuf::from(format!("/tmp/befriend-{}", hex::encode(&digest[..8])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_of_103_bytes_fits_and_one_of_104_does_not() {
        let name = socket_file(Path::new("")).as_os_str().len() + 1;
        let folder = |length: usize| PathBuf::from(format!("/{}", "a".repeat(length - 1 - name)));
        assert!(fits(&folder(103)));
        assert!(!fits(&folder(104)));
        assert!(!fits(Path::new("/a,b")));
    }

    #[test]
    fn a_path_becomes_the_host_of_a_url() {
        assert_eq!(
            as_url_host(Path::new("/var/lib/a b,\"c\"/socket-1.~_")),
            "%2Fvar%2Flib%2Fa%20b%2C%22c%22%2Fsocket-1.~_"
        );
        assert_eq!(as_url_host(Path::new("/ü")), "%2F%C3%BC");
    }

    #[test]
    fn the_short_folder_is_named_by_a_hash_that_never_changes() {
        // The beginning of the SHA-256 of "abc", as FIPS 180-2 gives it.
        let folder = short_socket_folder(Path::new("abc"));
        assert_eq!(folder, Path::new("/tmp/befriend-ba7816bf8f01cfea"));
    }
}
