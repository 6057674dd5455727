//! The private Postgres of the default run: started when the service has no `DATABASE_URL`.
//!
//! It uses the machine's own Postgres programs, keeps its data in one folder, listens on a Unix socket only, and lives
//! as long as somebody uses it. Several processes may share it; a SIGKILL of any of them, of the server, or of all at
//! once loses no acknowledged write and needs no hand at the next start.
//!
//! Reading order: `layout` (the data folder), `binaries`, `account` (who runs it), `cluster` (the data), `watchdog`
//! (the lifetime), `session` (role and database), `start` below, which puts them together under one lock, and `keeper`,
//! which starts a server again that was killed under a running service.
//!
//! Everything here blocks; call it from a blocking thread. It knows nothing of the service's own tables.

mod account;
mod binaries;
mod cluster;
mod deadline;
mod error;
mod keeper;
mod layout;
mod process;
mod session;
mod settings;
mod watchdog;

use std::{fs, path::Path, time::Duration};

use account::Account;
use cluster::Cluster;
use deadline::Deadline;
use layout::Layout;
use process::Signal;
use watchdog::{Found, Seat};

pub use error::StartError;
pub use keeper::Keeper;
pub use layout::default_data_dir;
pub use settings::Settings;

/// A fast shutdown writes what is in memory to the disk; longer than this, and `stop` leaves it to the watchdog.
const STOP_PATIENCE: Duration = Duration::from_mins(1);

/// What Postgres says when processes of a killed server still hold its memory. They leave within moments.
const MEMORY_IN_USE: &str = "pre-existing shared memory block";

/// A running private Postgres, and our right to use it. Dropping it gives the right back, and the server stops when
/// nobody has one any more.
#[derive(Debug)]
pub struct PrivatePostgres {
    seat: Seat,
    layout: Layout,
    cluster: Cluster,
    url: String,
    major: u16,
    pid: i32,
}

/// What `PrivatePostgres::stop` has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// We were the last user, and the server has stopped.
    Server,
    /// Other processes still use the server; it runs on.
    StillUsed,
    /// We were the last user; the server is told to stop, but takes its time.
    StillStopping,
}

impl PrivatePostgres {
    /// Joins the running server of this data folder, or starts one (the first time on a new, empty cluster), and
    /// returns when it accepts connections and has the database.
    ///
    /// # Errors
    ///
    /// Every [`StartError`] says what was in the way and what to do about it. A failed start leaves nothing running.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        session::check_database_name(&settings.database)?;
        let deadline = Deadline::after(settings.start_timeout);
        let layout = Layout::prepare(&settings.data_dir)?;
        // Held to the end: nobody else starts, joins or leaves in an orderly way meanwhile.
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
        let (seat, pid) = use_server(&layout, &cluster, &account, &server, settings, deadline)?;
        session::ensure_database(&cluster, &settings.database, &layout, deadline)?;
        let url = url(&cluster, &settings.database);
        Ok(Self { seat, layout, cluster, url, major: binaries.major, pid })
    }

    /// `postgres://befriend@%2Fvar%2Flib%2Fbefriend%2Fsocket:5432/befriend?sslmode=disable`, for sqlx and for psql.
    ///
    /// The port and the mode are spelled out because both clients would otherwise take PGPORT for the socket's name and
    /// PGSSLMODE for a socket that has no TLS from the environment.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server's process is still there.
    #[must_use]
    pub fn is_running(&self) -> bool {
        process::serves(self.pid, &self.cluster.folder)
    }

    /// Starts the server again that was killed under us, or joins it if another user was faster. Never on a new, empty
    /// cluster: a service would take that for its data.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_again(&self, settings: &Settings) -> Result<Self, StartError> {
        let version = self.cluster.folder.join("PG_VERSION");
        fs::metadata(&version).map_err(StartError::folder("find", &version))?;
        Self::start(settings)
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

    /// Leaves, and waits for the server's end if nobody else uses it: for an orderly shutdown, above all in a container,
    /// where everything is killed as soon as the service has ended. Close all connections first.
    ///
    /// # Errors
    ///
    /// The data folder has become unusable. The server stops nevertheless.
    pub fn stop(self) -> Result<Stopped, StartError> {
        let Self { seat, layout, cluster, pid, .. } = self;
        let deadline = Deadline::after(STOP_PATIENCE);
        drop(seat);
        // Under the lock, the FIFO tells who else is there. Whoever holds it meanwhile is joining, or leaving as we do.
        let lock = layout.lock(deadline)?;
        if !watchdog::nobody_is_left(&layout) {
            return Ok(Stopped::StillUsed);
        }
        // The watchdog stops the server now, unless it was killed: then we do.
        let runs = || process::serves(pid, &cluster.folder);
        let mut stopped = deadline.wait_until(|| !runs() || !watchdog::reads(&layout));
        if runs() && stopped {
            cluster.clear(&layout, deadline)?;
            stopped = !runs();
        }
        drop(lock);
        Ok(if stopped { Stopped::Server } else { Stopped::StillStopping })
    }
}

/// A seat among the users of a server that is ready: the running one, or a new one.
fn use_server(
    layout: &Layout,
    cluster: &Cluster,
    account: &Account,
    server: &Path,
    settings: &Settings,
    deadline: Deadline,
) -> Result<(Seat, i32), StartError> {
    let mut found = Seat::join(layout, cluster, deadline.half())?;
    if let Found::Silent = found {
        // Its server has not stopped in all that time. Harder, then; nothing acknowledged is lost. A server that
        // still serves others is left alone: its watchdog was suspended, and that is not for us to judge.
        if let Some(file) = cluster.pid_file().filter(cluster::PidFile::is_stopping) {
            process::signal_server(file.pid, &cluster.folder, Signal::SIGQUIT);
        }
        found = Seat::join(layout, cluster, deadline)?;
    }
    let mut seat = match found {
        Found::Watchdog(seat) => {
            if let Some(file) =
                cluster.pid_file().filter(|file| file.is_ready() && cluster.answers())
            {
                tracing::info!(pid = file.pid, "joined a running private Postgres");
                return Ok((seat, file.pid));
            }
            // The server was killed or stopped by hand, but not its watchdog.
            cluster.clear(layout, deadline)?;
            seat
        }
        Found::Nobody => {
            cluster.clear(layout, deadline)?;
            Seat::with_new_watchdog(layout, cluster, account, server, &cluster.arguments(settings))?
        }
        Found::Silent => {
            return Err(layout.timeout(
                "an unresponsive watchdog of this data folder",
                deadline,
                0,
            ));
        }
    };
    loop {
        let log_from = layout.log_length();
        let pid = seat.start_server(layout, deadline)?;
        match wait_until_ready(layout, cluster, pid, log_from, deadline) {
            Ok(()) => {
                tracing::info!(pid, cluster = %cluster.folder.display(), "started a private Postgres");
                return Ok((seat, pid));
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
        // Looked at before the file, which a server that ends would have removed.
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

fn url(cluster: &Cluster, database: &str) -> String {
    let host = layout::percent_encode(cluster.socket_folder.as_os_str().as_encoded_bytes());
    let database = layout::percent_encode(database.as_bytes());
    format!("postgres://{}@{host}:{}/{database}?sslmode=disable", session::ROLE, layout::PORT)
}
