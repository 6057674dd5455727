//! The server's lifetime: it runs as long as a process uses it, and no longer, whichever process is killed.
//!
//! Every user of the server holds a FIFO open for writing. The watchdog, a small `sh`, reads the FIFO and is
//! the server's parent. When the last user has closed its end (the kernel closes that of a killed process),
//! the watchdog reads the end of the file and stops the server. Users write requests, "<word> <number>", and
//! the watchdog answers in a file:
//!
//! - `join`: the answer proves that the watchdog still reads, and so will not see an end of file while this
//!   user holds its end. Otherwise a watchdog that is about to stop the server would look alive.
//! - `start`: starts the server. The server is a child of the watchdog, so its pid can't pass to another
//!   process unnoticed.
//!
//! If the watchdog is killed too, its server is an orphan. The next start finds no reader of the FIFO, stops
//! the server and starts a new one. Only the holder of the lock opens the FIFO or writes to it.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::{
        fs::{FileTypeExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    thread,
};

use nix::{errno::Errno, fcntl::OFlag, sys::stat::Mode, unistd::mkfifo};

use super::{
    account::Account,
    cluster::Cluster,
    deadline::Deadline,
    error::StartError,
    layout::{Layout, private_file, unique},
};

/// Arguments: the data folder, the file for answers, whether the folder is removed at the end, the server's
/// command line.
///
/// The shell ignores a Ctrl-C or a service manager's SIGTERM to the whole group, so that the service can drain
/// first. The server gets SIGTERM and SIGINT: a server that has not set its handlers yet is ended by SIGTERM (a
/// background child of a shell ignores SIGINT); later, SIGINT turns the slow shutdown of SIGTERM into a fast
/// one. The working folder is checked for a server that died long ago: a shell like bash reaps it at once, and
/// its pid may belong to another process by now.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM TSTP
root=$1 answers=$2 last=$3 server=
shift 3
while read -r word number; do
    case $word in
    start) (trap - HUP INT QUIT TERM TSTP; exec "$@") </dev/null & server=$! ;;
    join) ;;
    *) continue ;;
    esac
    printf '%s %s\n' "$number" "$server" >"$answers"
done
finish() {
    if [ "$last" = remove ]; then cd / && rm -rf -- "$root" "${answers%/*}"; fi
    exit 0
}
[ -n "$server" ] || finish
if [ -d /proc/self ]; then
    place=$(cd -P "/proc/$server/cwd" 2>/dev/null && pwd -P)
else
    place=$(ps -ww -o command= -p "$server")
fi
case $place in
*"$root"*) kill -TERM "$server" && kill -INT "$server" && wait "$server" ;;
esac
finish
"#;

/// What the watchdog does when the server has ended.
#[derive(Clone, Copy)]
pub(super) enum Last {
    /// Nothing.
    Keep,
    /// Removes the data folder, and the folder of the socket.
    Remove,
}

/// The writing end of the FIFO: this process is a user of the server until it is dropped.
#[derive(Debug)]
pub(super) struct UsageGuard {
    fifo: File,
    answers: PathBuf,
}

/// The result of a request to the watchdog.
enum Reply {
    /// The pid of the server, if the watchdog has started one.
    Pid(Option<i32>),
    /// The FIFO has no reader any more.
    Gone,
    /// The FIFO has a reader, which did not answer in time.
    TimedOut,
}

/// The result of [`UsageGuard::join`].
pub(super) enum Join {
    Joined(UsageGuard),
    NoWatchdog,
    /// The watchdog does not answer: it waits for a server that does not stop, or it is suspended.
    Unresponsive,
}

impl UsageGuard {
    /// Becomes a user of the running watchdog, if there is one. Waits for a watchdog that is stopping its
    /// server.
    pub(super) fn join(
        layout: &Layout,
        cluster: &Cluster,
        deadline: Deadline,
    ) -> Result<Join, StartError> {
        make_fifo(&layout.fifo)?;
        let mut usage =
            match open_end(private_file().write(true).custom_flags(non_blocking()), &layout.fifo) {
                Ok(fifo) => Self { fifo, answers: answers(cluster) },
                Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => {
                    return Ok(Join::NoWatchdog);
                }
                Err(error) => return Err(StartError::folder("open", &layout.fifo)(error)),
            };
        Ok(match usage.ask("join", deadline)? {
            Reply::Pid(_) => Join::Joined(usage),
            Reply::Gone => Join::NoWatchdog,
            Reply::TimedOut => Join::Unresponsive,
        })
    }

    /// Starts a watchdog for the server's program and arguments, with this process as its first user. The
    /// server is not started yet.
    pub(super) fn with_new_watchdog(
        layout: &Layout,
        cluster: &Cluster,
        account: &Account,
        (server, arguments): (&Path, &[OsString]),
        last: Last,
    ) -> Result<Self, StartError> {
        let in_fifo = |options: &mut OpenOptions| {
            open_end(options, &layout.fifo).map_err(StartError::folder("open", &layout.fifo))
        };
        // Opening one end would wait for the other, unless both are opened at once. The descriptors close on
        // exec, so the shell gets only the reading end: with a writing end it would be a user itself, and
        // never read the end of the file.
        let both = in_fifo(private_file().read(true).write(true))?;
        let reading = in_fifo(private_file().read(true))?;
        let fifo = in_fifo(private_file().write(true).custom_flags(non_blocking()))?;
        drop(both);

        let log = layout.open_log()?;
        let log_again = log.try_clone().map_err(StartError::folder("open", &layout.log))?;
        let shell = Path::new("/bin/sh");
        let mut command = account.command(shell, &layout.root);
        command
            .args(["-c", SCRIPT, "befriend-postgres-watchdog"])
            .arg(&layout.root)
            .arg(answers(cluster))
            .arg(match last {
                Last::Keep => "keep",
                Last::Remove => "remove",
            });
        command.arg(server).args(arguments);
        // In its own process group, so that Ctrl-C in the terminal reaches only the service.
        command.stdin(reading).stdout(log).stderr(log_again).process_group(0);
        let child = command.spawn();
        let mut child = child.map_err(|source| StartError::Spawn {
            program: shell.into(),
            user: account.name.clone(),
            source,
        })?;
        // The shell may end, or be killed, while this process lives on: a thread then reaps it.
        let reaper =
            thread::Builder::new().name("postgres-watchdog".to_owned()).stack_size(64 << 10);
        if let Err(error) = reaper.spawn(move || child.wait()) {
            tracing::warn!(%error, "the watchdog of the private Postgres will stay a zombie when it ends");
        }
        Ok(Self { fifo, answers: answers(cluster) })
    }

    /// Lets the watchdog start the server, and returns its pid. The server may still fail to start.
    pub(super) fn start_server(
        &mut self,
        layout: &Layout,
        deadline: Deadline,
    ) -> Result<i32, StartError> {
        match self.ask("start", deadline)? {
            Reply::Pid(Some(pid)) => Ok(pid),
            Reply::Pid(None) | Reply::Gone => {
                let tail = layout.log_tail(0);
                Err(StartError::Ended { log: layout.log.clone(), tail })
            }
            Reply::TimedOut => Err(layout.timeout("the watchdog to start Postgres", deadline, 0)),
        }
    }

    fn ask(&mut self, word: &str, deadline: Deadline) -> Result<Reply, StartError> {
        match fs::remove_file(&self.answers) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StartError::folder("remove", &self.answers)(error));
            }
            _ => {}
        }
        let number = format!("{:016x}", unique());
        let mut request = format!("{word} {number}\n");
        loop {
            // After the request, empty lines are written, which the watchdog skips: a write fails when the
            // watchdog has ended.
            match self.fifo.write_all(request.as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Reply::Gone),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    return Err(StartError::folder("write to the FIFO beside", &self.answers)(
                        error,
                    ));
                }
                Ok(()) => "\n".clone_into(&mut request),
            }
            let answer = fs::read_to_string(&self.answers).unwrap_or_default();
            let answer = answer.strip_suffix('\n').and_then(|answer| answer.split_once(' '));
            if let Some((_, pid)) = answer.filter(|(answered, _)| *answered == number) {
                return Ok(Reply::Pid(pid.parse().ok()));
            }
            if !deadline.pause() {
                return Ok(Reply::TimedOut);
            }
        }
    }
}

/// Whether no process holds the FIFO open for writing. Called under the lock, so no process joins meanwhile.
pub(super) fn has_no_users(layout: &Layout) -> bool {
    let Ok(mut end) =
        open_end(private_file().read(true).custom_flags(non_blocking()), &layout.fifo)
    else {
        return true;
    };
    // If there is a writer, the read would block. It takes no request away: those are written under the lock.
    matches!(io::Read::read(&mut end, &mut [0]), Ok(0))
}

/// Whether a watchdog holds the reading end, as it does until its server has ended. Called under the lock.
pub(super) fn is_running(layout: &Layout) -> bool {
    open_end(private_file().write(true).custom_flags(non_blocking()), &layout.fifo).is_ok()
}

fn make_fifo(path: &Path) -> Result<(), StartError> {
    match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(StartError::folder("create", path)(error.into())),
    }
}

fn open_end(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "there is a file with this name that is not a FIFO",
    ))
}

fn non_blocking() -> i32 {
    (OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits()
}

fn answers(cluster: &Cluster) -> PathBuf {
    cluster.socket_folder.join("watchdog")
}
