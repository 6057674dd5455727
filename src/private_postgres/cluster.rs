//! The cluster: the data of one server. It is created completely or not at all, and given to a new server
//! only when no process of an old one is left.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File},
    io,
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::{Path, PathBuf},
};

use super::{
    account::Account,
    binaries::Binaries,
    deadline::Deadline,
    error::StartError,
    layout::{self, Layout},
    process::{self, Signal},
    settings::{Life, Settings},
};

/// The superuser of the cluster, for administration by hand. The service logs in with another role.
pub(super) const SUPERUSER: &str = "postgres";

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) folder: PathBuf,
    pub(super) socket_folder: PathBuf,
}

/// What a server writes about itself to `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    pub(super) status: String,
}

impl PidFile {
    pub(super) fn is_ready(&self) -> bool {
        self.status == "ready"
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.status == "stopping"
    }

    /// The first line is the pid, the eighth the status, which the server writes last.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok().filter(|&pid| pid > 1)?;
        Some(Self { pid, status: lines.nth(6).unwrap_or_default().trim().to_owned() })
    }
}

impl Cluster {
    /// Runs initdb at the first start, in a folder with a temporary name that is renamed when it is complete.
    pub(super) fn create_if_missing(
        &self,
        layout: &Layout,
        binaries: &Binaries,
        account: &Account,
        settings: &Settings,
    ) -> Result<(), StartError> {
        layout.remove_side_folders()?;
        if self.folder.join("PG_VERSION").exists() {
            return Ok(());
        }
        let side = layout.side_folder(binaries.major);
        DirBuilder::new().mode(0o700).create(&side).map_err(StartError::folder("create", &side))?;
        let made = account
            .hand_over(&side)
            .and_then(|()| self.initdb(&side, layout, binaries, account, settings));
        if let Err(error) = made {
            // The first error is reported. What remains of the folder is removed at the next start.
            let _ = fs::remove_dir_all(&side);
            return Err(error);
        }
        fs::rename(&side, &self.folder)
            .map_err(StartError::folder("give its final name to", &side))?;
        // initdb has written its files through to the disk, but the new name is not on the disk yet.
        let synced = File::open(&layout.root).and_then(|root| root.sync_all());
        synced.map_err(StartError::folder("write through", &layout.root))
    }

    fn initdb(
        &self,
        side: &Path,
        layout: &Layout,
        binaries: &Binaries,
        account: &Account,
        settings: &Settings,
    ) -> Result<(), StartError> {
        let program = binaries.folder.join("initdb");
        let mut command = account.command(&program, &layout.root);
        // `trust` asks for no password. That is safe: the only way in is the socket, in a 0700 folder that
        // only the server's user and root can enter, and both could read the data files anyway.
        command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C"]);
        command
            .args(["--data-checksums", "--no-instructions", "--username", SUPERUSER, "--pgdata"])
            .arg(side);
        if !settings.fsync {
            command.arg("--no-sync");
        }
        if settings.life == Life::Template {
            // In MB: small segments, because they are copied.
            command.arg("--wal-segsize=1");
        }
        let output = command.output();
        let output = output.map_err(|source| StartError::Spawn {
            program,
            user: account.name.clone(),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        let printed = [output.stdout, output.stderr].concat();
        let output = String::from_utf8_lossy(&printed).trim().to_owned();
        Err(StartError::Initdb { cluster: self.folder.clone(), output })
    }

    /// The arguments of the server. They override the configuration files in the cluster.
    pub(super) fn arguments(&self, settings: &Settings) -> Vec<OsString> {
        let mut arguments = vec![OsString::from("-D"), self.folder.clone().into_os_string()];
        let mut set = |name: &str, value: &OsStr| {
            let mut pair = OsString::from(name);
            pair.push("=");
            pair.push(value);
            arguments.extend([OsString::from("-c"), pair]);
        };
        let switch = |on: bool| OsStr::new(if on { "on" } else { "off" });
        set("listen_addresses", OsStr::new(""));
        set("port", layout::PORT.to_string().as_ref());
        set("unix_socket_directories", quote_in_list(&self.socket_folder).as_ref());
        set("unix_socket_permissions", OsStr::new("0700"));
        set("max_connections", settings.max_connections.to_string().as_ref());
        set("fsync", switch(settings.fsync));
        set("synchronous_commit", switch(settings.fsync));
        set("full_page_writes", switch(settings.fsync));
        if settings.life != Life::Kept {
            set("shared_buffers", OsStr::new("16MB"));
            set("min_wal_size", OsStr::new("2MB"));
            set("wal_level", OsStr::new("minimal"));
            set("max_wal_senders", OsStr::new("0"));
        }
        // The server logs to stderr, which is the log file, with times in the zone of the service's log.
        set("log_destination", OsStr::new("stderr"));
        set("logging_collector", OsStr::new("off"));
        set("log_timezone", OsStr::new("UTC"));
        arguments
    }

    pub(super) fn pid_file(&self) -> Option<PidFile> {
        PidFile::parse(&fs::read_to_string(self.folder.join("postmaster.pid")).ok()?)
    }

    /// Whether a server listens on the socket. The socket file of a dead server refuses connections.
    pub(super) fn answers(&self) -> bool {
        UnixStream::connect(layout::socket_file(&self.socket_folder)).is_ok()
    }

    /// Ends all processes that still serve this cluster and removes what they left behind, so that a new
    /// server can start.
    ///
    /// Called under the lock, when there is no watchdog or its server does not answer.
    pub(super) fn clear(&self, layout: &Layout, deadline: Deadline) -> Result<(), StartError> {
        let left_over =
            self.pid_file().map(|file| file.pid).filter(|&pid| process::serves(pid, &self.folder));
        if let Some(pid) = left_over {
            tracing::info!(pid, "stopping a private Postgres that lost its watchdog");
            process::signal_server(pid, &self.folder, Signal::SIGINT);
            deadline.half().wait_until(|| !process::serves(pid, &self.folder));
        }
        // A server may not stop, and backends in a long query may outlive a killed postmaster. SIGQUIT ends
        // each process at once, without a write to shared memory; the write-ahead log recovers the data.
        let ended = deadline.wait_until(|| {
            let rest = process::servers_of(&self.folder);
            for &pid in &rest {
                process::signal_server(pid, &self.folder, Signal::SIGQUIT);
            }
            rest.is_empty() && left_over.is_none_or(|pid| !process::serves(pid, &self.folder))
        });
        if !ended {
            return Err(layout.timeout(
                "an earlier Postgres of this data folder to end",
                deadline,
                0,
            ));
        }
        if self.answers() {
            return Err(StartError::UsedElsewhere { cluster: self.folder.clone() });
        }
        self.remove_stale_locks()
    }

    /// Postgres refuses to start if the pid in a lock file belongs to a process of the same user, even to an
    /// unrelated one. Here no process serves the cluster any more, so the files are removed. The other lock of
    /// Postgres, the shared memory of the cluster, is left in place.
    fn remove_stale_locks(&self) -> Result<(), StartError> {
        if self.pid_file().is_some_and(|file| process::exists(file.pid)) {
            remove_if_present(&self.folder.join("postmaster.pid"))?;
        }
        let socket = layout::socket_file(&self.socket_folder);
        remove_if_present(&socket)?;
        remove_if_present(&socket.with_extension("5432.lock"))
    }
}

fn remove_if_present(path: &Path) -> Result<(), StartError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StartError::folder("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Quotes an entry of `unix_socket_directories`, which is a list with commas.
fn quote_in_list(folder: &Path) -> String {
    let folder = folder.to_str().expect("the socket folder was chosen to be UTF-8");
    format!("\"{}\"", folder.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_while_it_is_still_being_written() {
        let whole = "4711\n/data\n1700000000\n5432\n/socket\n\n  5432001    327680\nready   \n";
        assert_eq!(PidFile::parse(whole), Some(PidFile { pid: 4711, status: "ready".to_owned() }));
        assert_eq!(
            PidFile::parse("4711\n/data\n"),
            Some(PidFile { pid: 4711, status: String::new() })
        );
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("-4711\n"), None);
        assert_eq!(PidFile::parse("1\n"), None);
    }

    #[test]
    fn commas_and_quotes_stay_inside_one_entry_of_a_list() {
        assert_eq!(quote_in_list(Path::new("/a, \"b\"")), r#""/a, ""b""""#);
    }
}
