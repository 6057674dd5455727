//! The server's lifetime: it runs as long as somebody uses it, and not longer, whatever kills whom.
//!
//! Every user of the server holds a FIFO open for writing. A small `sh` reads it, and is the server's parent: when the
//! last user has closed its end (the kernel does that for a killed process too), the read ends, and the shell stops the
//! server. What the users write are requests, "<word> <number>", answered in a file:
//!
//! - `join`: the answer proves that the shell is still reading, so it will see no end of file while we hold our end.
//!   Without it, a shell that has just decided to stop the server would look alive.
//! - `start`: starts the server. As its child, the server cannot lose its number to another process unnoticed.
//!
//! If the shell is killed too, its server is an orphan; the next start finds no reader, stops it and begins anew.
//! Only the holder of the lock opens the FIFO or writes to it.

use std::{
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

/// Arguments: the data folder, the file for answers, the server's command line.
///
/// The shell outlives a Ctrl-C or a service manager's SIGTERM to the whole group, so that the service can drain first.
/// The server gets SIGTERM and SIGINT: before it has set its handlers, the first ends it (a shell's background child
/// ignores the second); after that, the second turns the slow shutdown into a fast one. The look at its folder is for
/// a server that died long ago: a shell like bash reaps it at once, and the number may be another process's by now.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM TSTP
root=$1 answers=$2 server=
shift 2
while read -r word number; do
    case $word in
    start) (trap - HUP INT QUIT TERM TSTP; exec "$@") </dev/null & server=$! ;;
    join) ;;
    *) continue ;;
    esac
    printf '%s %s\n' "$number" "$server" >"$answers"
done
[ -n "$server" ] || exit 0
if [ -d /proc/self ]; then
    place=$(cd -P "/proc/$server/cwd" 2>/dev/null && pwd -P)
else
    place=$(ps -ww -o command= -p "$server")
fi
case $place in
*"$root"*) kill -TERM "$server" && kill -INT "$server" && wait "$server" ;;
esac
"#;

/// Our end of the FIFO. Dropping it is how a user leaves.
#[derive(Debug)]
pub(super) struct Seat {
    fifo: File,
    answers: PathBuf,
}

/// What became of a request to the watchdog.
enum Reply {
    /// It reads; with the server's pid, if it has started one.
    Pid(Option<i32>),
    /// Nobody reads any more.
    Gone,
    /// Somebody holds the reading end, but does not answer in time.
    Silent,
}

/// What a new user finds.
pub(super) enum Found {
    Watchdog(Seat),
    Nobody,
    /// A watchdog that does not answer: it waits for a server that does not stop, or it was suspended.
    Silent,
}

impl Seat {
    /// Joins the users of a running watchdog, if there is one. One that is about to stop its server is waited for.
    pub(super) fn join(
        layout: &Layout,
        cluster: &Cluster,
        deadline: Deadline,
    ) -> Result<Found, StartError> {
        make_fifo(&layout.fifo)?;
        let mut seat =
            match open_end(private_file().write(true).custom_flags(non_blocking()), &layout.fifo) {
                Ok(fifo) => Self { fifo, answers: answers(cluster) },
                Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => {
                    return Ok(Found::Nobody);
                }
                Err(error) => return Err(StartError::folder("open", &layout.fifo)(error)),
            };
        Ok(match seat.ask("join", deadline)? {
            Reply::Pid(_) => Found::Watchdog(seat),
            Reply::Gone => Found::Nobody,
            Reply::Silent => Found::Silent,
        })
    }

    /// Starts a watchdog for this server command line, with us as its first user. The server is not started yet.
    pub(super) fn with_new_watchdog(
        layout: &Layout,
        cluster: &Cluster,
        account: &Account,
        server: &Path,
        arguments: &[std::ffi::OsString],
    ) -> Result<Self, StartError> {
        let in_fifo = |options: &mut OpenOptions| {
            open_end(options, &layout.fifo).map_err(StartError::folder("open", &layout.fifo))
        };
        // Opening one end waits for the other, except for both at once. The descriptors close on exec, so the shell
        // gets the reading end only; with a writing end it would be its own user and never see the end.
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
            .arg(answers(cluster));
        command.arg(server).args(arguments);
        // Its own process group: Ctrl-C in the terminal reaches the service, and the server only when that has left.
        command.stdin(reading).stdout(log).stderr(log_again).process_group(0);
        let child = command.spawn();
        let mut child = child.map_err(|source| StartError::Spawn {
            program: shell.into(),
            user: account.name.clone(),
            source,
        })?;
        // It ends after we have left, or is killed; in a process that lives on, somebody has to take note.
        let reaper =
            thread::Builder::new().name("postgres-watchdog".to_owned()).stack_size(64 << 10);
        if let Err(error) = reaper.spawn(move || child.wait()) {
            tracing::warn!(%error, "the watchdog of the private Postgres will stay a zombie when it ends");
        }
        Ok(Self { fifo, answers: answers(cluster) })
    }

    /// Has the watchdog start the server; its pid. Whether the server comes up is another question.
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
            Reply::Silent => Err(layout.timeout("the watchdog to start Postgres", deadline, 0)),
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
            // After the request, empty lines, which the watchdog skips: a failing write tells that it is gone.
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
                return Ok(Reply::Silent);
            }
        }
    }
}

/// Nobody holds the FIFO open for writing. Called under the lock, so nobody comes meanwhile.
pub(super) fn nobody_is_left(layout: &Layout) -> bool {
    let Ok(mut end) =
        open_end(private_file().read(true).custom_flags(non_blocking()), &layout.fifo)
    else {
        return true;
    };
    // With a writer the read would have to wait. Nothing is lost: requests are written under the lock only.
    matches!(io::Read::read(&mut end, &mut [0]), Ok(0))
}

/// A watchdog holds the reading end, as it does until its server has ended. Called under the lock.
pub(super) fn reads(layout: &Layout) -> bool {
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
        "there is another file in the place of a FIFO",
    ))
}

fn non_blocking() -> i32 {
    (OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits()
}

fn answers(cluster: &Cluster) -> PathBuf {
    cluster.socket_folder.join("watchdog")
}
