//! The binary as a process, with a private Postgres in a folder of its own.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read},
    net::SocketAddr,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use befriend::proto::AppLimits;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tonic::transport::{Channel, Endpoint};

use super::app::{Tenant, tenant_on};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_befriend");

/// How long a single wait may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two checks of something that gives no signal: a process, its health.
const PAUSE: Duration = Duration::from_millis(10);

/// Checks again and again until `done` returns true: for what happens in other processes without a signal.
pub async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen");
        tokio::time::sleep(PAUSE).await;
    }
}

/// A new folder that all users can enter. It is removed at the end of the test, after the processes that
/// use it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        // Not below the checkout: an unprivileged user must be able to enter every folder.
        let path = PathBuf::from(format!("/var/tmp/befriend-it-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    /// The data folder of the private Postgres.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The postmaster, by the pid file of the one cluster in the data folder.
    pub fn postmaster(&self) -> i32 {
        let file = self.cluster().join("postmaster.pid");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        pid.unwrap_or_else(|| panic!("no pid in {}: {text:?}", file.display()))
    }

    /// The folder of the one cluster.
    pub fn cluster(&self) -> PathBuf {
        let entries = fs::read_dir(self.data()).unwrap().map(|entry| entry.unwrap().path());
        let mut clusters = entries.filter(|path| path.join("PG_VERSION").exists());
        clusters.next().expect("there is a cluster")
    }

    /// The watchdog of the private Postgres.
    pub fn watchdog(&self) -> i32 {
        let all = self.processes();
        let mut found = all.iter().filter(|(_, line)| line.contains("befriend-postgres-watchdog"));
        let (pid, _) = found.next().unwrap_or_else(|| panic!("no watchdog among {all:?}"));
        assert!(found.next().is_none(), "two watchdogs: {all:?}");
        *pid
    }

    /// All running processes whose command line or working folder is in this folder.
    pub fn processes(&self) -> Vec<(i32, String)> {
        // With the slash, because "…-1" is also the beginning of "…-12".
        let below = format!("{}/", self.0.display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let inside = fs::read_link(format!("/proc/{pid}/cwd"))
                .is_ok_and(|working| working.starts_with(&self.0));
            ((line.contains(&below) || inside) && is_alive(pid)).then_some((pid, line))
        })
        .collect()
    }

    /// Waits until no process names the folder any more.
    pub async fn is_left_alone(&self) {
        eventually("the end of all processes", async || self.processes().is_empty()).await;
    }

    /// Connections to the database.
    pub async fn pool(&self) -> PgPool {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.data().join("socket"))
            .port(5432)
            .username("befriend")
            .database("befriend")
            .ssl_mode(PgSslMode::Disable);
        PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The services are dropped by now, and their servers are about to stop.
        let begun = Instant::now();
        while !self.processes().is_empty() && begun.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// The binary with these arguments, and with the variables that a private Postgres needs, but no settings.
pub fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear();
    for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "PG_BIN_DIR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.args(arguments);
    command
}

/// The binary's `serve` on this data folder, without any setting from the environment.
pub fn serve(data: &Path) -> Command {
    let mut command = binary(&[]);
    command.arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
    command
}

/// A running service; it is killed when it is dropped.
pub struct Service {
    child: Child,
    stdout: Output,
    stderr: Output,
}

impl Service {
    /// Starts a service on this data folder and waits until it listens.
    pub fn start(data: &Path) -> Self {
        let service = Self::spawn(serve(data));
        service.address();
        service
    }

    /// Starts a service by this command.
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Output::of(child.stdout.take().unwrap());
        let stderr = Output::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Starts a service by this command, of which nobody reads the standard output.
    pub fn spawn_unread(mut command: Command) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = Output::of(child.stderr.take().unwrap());
        Self { child, stdout: Output::of(io::empty()), stderr }
    }

    /// The address on which the service listens; waits until it does.
    pub fn address(&self) -> SocketAddr {
        let line = self.stderr.line_with("listening");
        let address = line.split_once("address=").expect("the line names the address").1;
        address.split(' ').next().unwrap().parse().unwrap()
    }

    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address())).unwrap().connect_lazy()
    }

    /// A new app of this service, with a rate that no test reaches.
    pub async fn tenant(&self, app_key: &str) -> Tenant {
        let line = self.stdout.line_with("operator token: ");
        let token = line.split_once(": ").unwrap().1;
        let limits = AppLimits { requests_per_second: Some(1_000_000), ..AppLimits::default() };
        tenant_on(self.channel(), token, app_key, limits).await
    }

    /// Waits for a line of the log that contains `text`.
    pub fn logs(&self, text: &str) {
        self.stderr.line_with(text);
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, what: Signal) {
        signal(self.pid(), what);
    }

    /// Signals all processes of the service's own process group, as Ctrl-C in a terminal does.
    pub fn signal_group(&self, what: Signal) {
        killpg(Pid::from_raw(self.pid()), what).unwrap();
    }

    /// Kills the service by SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the service. Returns its status, and all that it printed to stderr.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let mut status = None;
        eventually("the service's end", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        (status.unwrap(), self.stderr.all())
    }

    /// Ends the service by SIGTERM, and asserts that it ends with success.
    pub async fn stop(self) {
        self.signal(Signal::SIGTERM);
        let (status, printed) = self.end().await;
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{printed}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("the service {} logged:\n{}", self.pid(), self.stderr.so_far());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a process prints, as they come.
struct Output(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Lines::default()), Condvar::new()));
        let output = Self(Arc::clone(&shared));
        thread::spawn(move || {
            let (lines, changed) = &*shared;
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                lines.lock().unwrap().lines.push(line);
                changed.notify_all();
            }
            lines.lock().unwrap().ended = true;
            changed.notify_all();
        });
        output
    }

    /// Waits for a line that contains `text`, and returns the first one.
    fn line_with(&self, text: &str) -> String {
        let (lines, changed) = &*self.0;
        let holds = |line: &&String| line.contains(text);
        let waiting = |lines: &mut Lines| !lines.ended && lines.lines.iter().find(holds).is_none();
        let (lines, _) =
            changed.wait_timeout_while(lines.lock().unwrap(), PATIENCE, waiting).unwrap();
        let found = lines.lines.iter().find(holds).cloned();
        found.unwrap_or_else(|| panic!("no {text:?} in:\n{}", lines.lines.join("\n")))
    }

    /// The lines so far.
    fn so_far(&self) -> String {
        self.0.0.lock().unwrap().lines.join("\n")
    }

    /// All lines; waits until the process has closed its end.
    fn all(&self) -> String {
        let (lines, changed) = &*self.0;
        let waiting = |lines: &mut Lines| !lines.ended;
        let (lines, _) =
            changed.wait_timeout_while(lines.lock().unwrap(), PATIENCE, waiting).unwrap();
        lines.lines.join("\n")
    }
}
