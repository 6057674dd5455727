//! Starting, joining and stopping the server of a data folder.

use std::{fs, path::Path, time::Duration};

use super::{
    account::Account,
    binaries,
    cluster::{Cluster, PidFile},
    deadline::Deadline,
    error::StartError,
    layout::{self, Layout},
    process::{self, Signal},
    session,
    settings::{Life, Settings},
    watchdog::{self, Join, Last, UsageGuard},
};

/// How long `stop` waits for a shutdown, which writes the memory of the server to the disk. A longer one is
/// left to the watchdog.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// What Postgres logs when processes of a killed server still hold its shared memory. They end within
/// moments.
const MEMORY_IN_USE: &str = "pre-existing shared memory block";

/// A running private Postgres, and this process's use of it. Dropping it ends the use; the server stops
/// when no process uses it.
#[derive(Debug)]
pub struct PrivatePostgres {
    usage: UsageGuard,
    layout: Layout,
    cluster: Cluster,
    url: String,
    major: u16,
    pid: i32,
}

/// The result of [`PrivatePostgres::stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// This process was the last user, and the server has stopped.
    Server,
    /// Other processes use the server, and it keeps running.
    StillUsed,
    /// This process was the last user. The server was told to stop, and has not stopped yet.
    StillStopping,
}

impl PrivatePostgres {
    /// Joins the running server of the data folder, or starts one: the first time on a new, empty cluster.
    /// Returns when the server accepts connections and has the service's database.
    ///
    /// # Errors
    ///
    /// Every [`StartError`] says what failed and what to do about it. A failed start leaves nothing running.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let deadline = Deadline::after(settings.start_timeout);
        let layout = Layout::prepare(&settings.data_dir)?;
        // Held until the end: meanwhile no other process starts, joins or stops the server.
        let _lock = layout.lock(deadline)?;

        let existing = layout.existing_major()?.map(|major| (major, layout.cluster(major)));
        let binaries =
            binaries::find(existing.as_ref().map(|(major, folder)| (*major, &**folder)))?;
        let account = Account::choose(existing.as_ref().map(|(_, folder)| &**folder))?;
        account.check_can_enter(&layout.root)?;
        account.check_can_enter(&binaries.folder)?;
        let socket_folder = layout.socket_folder(&account)?;
        let cluster = Cluster { folder: layout.cluster(binaries.major), socket_folder };
        cluster.create_if_missing(&layout, &binaries, &account, settings)?;

        let server = binaries.folder.join("postgres");
        let (usage, pid) = use_server(&layout, &cluster, &account, &server, settings, deadline)?;
        session::ensure_database(&cluster, &layout, deadline)?;
        let url = url(&cluster);
        Ok(Self { usage, layout, cluster, url, major: binaries.major, pid })
    }

    /// `postgres://befriend@%2Fvar%2Flib%2Fbefriend%2Fsocket:5432/befriend?sslmode=disable`, for sqlx and for psql.
    ///
    /// The URL contains port and mode because both clients would otherwise read PGPORT, which is a part of
    /// the socket's name, and PGSSLMODE from the environment; the socket has no TLS.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server's process is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        process::serves(self.pid, &self.cluster.folder)
    }

    /// Joins the running server of the data folder. Starts none, and creates nothing.
    ///
    /// # Errors
    ///
    /// [`StartError::NotRunning`], and as [`Self::start`].
    pub fn join(settings: &Settings) -> Result<Self, StartError> {
        let data_dir = &settings.data_dir;
        let none = || StartError::NotRunning { data_dir: data_dir.clone() };
        // A server that runs has both.
        if !data_dir.join("lock").exists() || !data_dir.join("users.fifo").exists() {
            return Err(none());
        }
        let deadline = Deadline::after(settings.start_timeout);
        let layout = Layout::prepare(data_dir)?;
        // Held until the end: meanwhile no other process starts or stops the server.
        let _lock = layout.lock(deadline)?;
        let major = layout.existing_major()?.ok_or_else(none)?;
        let account = Account::choose(Some(&layout.cluster(major)))?;
        let socket_folder = layout.socket_folder(&account)?;
        let cluster = Cluster { folder: layout.cluster(major), socket_folder };
        let usage = match UsageGuard::join(&layout, &cluster, deadline)? {
            Join::Joined(usage) => usage,
            Join::NoWatchdog | Join::Unresponsive => return Err(none()),
        };
        let running = cluster.pid_file().filter(|file| file.is_ready() && cluster.answers());
        let pid = running.ok_or_else(none)?.pid;
        let url = url(&cluster);
        Ok(Self { usage, layout, cluster, url, major, pid })
    }

    /// Restarts a server that died while this process used it, or joins it if another process was faster.
    /// Fails if the cluster is gone: on a new, empty one the service would continue without its data.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_again(&self, settings: &Settings) -> Result<Self, StartError> {
        let version = self.cluster.folder.join("PG_VERSION");
        fs::metadata(&version).map_err(StartError::folder("find", &version))?;
        Self::start(settings)
    }

    /// Makes the cluster as small as it can be, for a template: drops the databases that the service does not
    /// use. Where the service must make databases, they are needed.
    ///
    /// # Errors
    ///
    /// [`StartError::Database`].
    pub(super) fn drop_other_databases(&self) -> Result<(), StartError> {
        session::drop_other_databases(&self.cluster)
    }

    /// The major version of the server, for example 15.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.major
    }

    /// The postmaster's process id.
    #[must_use]
    pub fn server_pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Where the server and its watchdog log.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.layout.log
    }

    /// Ends this process's use, and waits for the server to stop if no other process uses it. In a container
    /// everything is killed as soon as the service ends, so the service must end after the server. Close all
    /// connections first.
    ///
    /// # Errors
    ///
    /// The data folder has become unusable. The server stops all the same.
    pub fn stop(self) -> Result<Stopped, StartError> {
        let Self { usage, layout, cluster, pid, .. } = self;
        let deadline = Deadline::after(STOP_TIMEOUT);
        // Under the lock no process is joining, so the FIFO tells whether others use the server. The file is
        // opened first: the watchdog may remove the folder when the last user is gone.
        let lock = layout.lock(deadline)?;
        drop(usage);
        if !watchdog::has_no_users(&layout) {
            return Ok(Stopped::StillUsed);
        }
        // The watchdog stops the server now. If the watchdog was killed, this process does.
        let runs = || process::serves(pid, &cluster.folder);
        let mut stopped = deadline.wait_until(|| !runs() || !watchdog::is_running(&layout));
        if runs() && stopped {
            cluster.clear(&layout, deadline)?;
            stopped = !runs();
        }
        drop(lock);
        Ok(if stopped { Stopped::Server } else { Stopped::StillStopping })
    }
}

/// Begins to use a server that is ready: the running one, or a new one. Returns its pid too.
fn use_server(
    layout: &Layout,
    cluster: &Cluster,
    account: &Account,
    server: &Path,
    settings: &Settings,
    deadline: Deadline,
) -> Result<(UsageGuard, i32), StartError> {
    let mut join = UsageGuard::join(layout, cluster, deadline.half())?;
    if let Join::Unresponsive = join {
        // The watchdog waits for a server that does not stop: SIGQUIT ends it at once, and loses nothing
        // that was acknowledged. A server that is not stopping is left alone: other processes may use it,
        // and its watchdog is suspended.
        if let Some(file) = cluster.pid_file().filter(PidFile::is_stopping) {
            process::signal_server(file.pid, &cluster.folder, Signal::SIGQUIT);
        }
        join = UsageGuard::join(layout, cluster, deadline)?;
    }
    let mut usage = match join {
        Join::Joined(usage) => {
            if let Some(file) =
                cluster.pid_file().filter(|file| file.is_ready() && cluster.answers())
            {
                tracing::info!(pid = file.pid, "joined a running private Postgres");
                return Ok((usage, file.pid));
            }
            // The server was killed or stopped by hand, and its watchdog was not.
            cluster.clear(layout, deadline)?;
            usage
        }
        Join::NoWatchdog => {
            cluster.clear(layout, deadline)?;
            let arguments = cluster.arguments(settings);
            let last = match settings.life {
                Life::Kept | Life::Template => Last::Keep,
                Life::ThrownAway => Last::Remove,
            };
            UsageGuard::with_new_watchdog(layout, cluster, account, (server, &arguments), last)?
        }
        Join::Unresponsive => {
            return Err(layout.timeout(
                "an unresponsive watchdog of this data folder",
                deadline,
                0,
            ));
        }
    };
    loop {
        let log_from = layout.log_length();
        let pid = usage.start_server(layout, deadline)?;
        match wait_until_ready(layout, cluster, pid, log_from, deadline) {
            Ok(()) => {
                tracing::info!(pid, cluster = %cluster.folder.display(), "started a private Postgres");
                return Ok((usage, pid));
            }
            Err(StartError::Ended { tail, .. })
                if tail.contains(MEMORY_IN_USE) && deadline.pause() => {}
            Err(error) => return Err(error),
        }
    }
}

fn wait_until_ready(
    layout: &Layout,
    cluster: &Cluster,
    pid: i32,
    log_from: u64,
    deadline: Deadline,
) -> Result<(), StartError> {
    let mut ended = false;
    let in_time = deadline.wait_until(|| {
        // Checked before the pid file, which a server removes when it ends.
        ended = !process::is_alive(pid);
        let ready = cluster.pid_file().is_some_and(|file| file.pid == pid && file.is_ready());
        ended || (ready && cluster.answers())
    });
    match (in_time, ended) {
        (true, false) => Ok(()),
        (_, true) => {
            Err(StartError::Ended { log: layout.log.clone(), tail: layout.log_tail(log_from) })
        }
        (false, false) => Err(layout.timeout("Postgres to get ready", deadline, log_from)),
    }
}

fn url(cluster: &Cluster) -> String {
    let host = layout::as_url_host(&cluster.socket_folder);
    let (role, port, database) = (session::ROLE, layout::PORT, session::DATABASE);
    format!("postgres://{role}@{host}:{port}/{database}?sslmode=disable")
}
