//! Why the private Postgres did not start. Each message says what to do about it.

use std::{io, path::PathBuf, time::Duration};

/// A start, or a stop, that failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder could not be used.
    #[error(
        "cannot {doing} {}: {source}; make it usable for the user who runs befriend, choose another data folder, \
         or set DATABASE_URL to use a Postgres of your own",
        path.display()
    )]
    Folder {
        /// The attempted action, as a verb: "create", "open", "read".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// Postgres refuses to run as root, and the user who runs it instead cannot enter a parent folder.
    #[error(
        "Postgres does not run as root, and the user {user}, who runs it instead, cannot enter {}, which leads to {}; \
         either allow that with `chmod o+x {}`, or use a folder which everybody can reach, such as one below /var/lib",
        locked.display(), wanted.display(), locked.display()
    )]
    NotEnterable {
        /// The unprivileged user.
        user: String,
        /// The outermost folder which that user cannot enter.
        locked: PathBuf,
        /// The folder which has to be reached.
        wanted: PathBuf,
    },

    /// Running as root on a machine without a `postgres` or `nobody` user.
    #[error(
        "Postgres does not run as root, and this machine has neither a user `postgres` nor `nobody` to run it as; \
         create one (`useradd --system postgres`) or start befriend as an ordinary user"
    )]
    NoAccount,

    /// No usable Postgres on this machine.
    #[error(
        "no Postgres {oldest} or newer is installed (looked at: {looked}); install one with `apt-get install postgresql` \
         or `brew install postgresql@17`, name its folder in PG_BIN_DIR, or set DATABASE_URL to use a running one"
    )]
    NoBinaries {
        /// The oldest major version that would do.
        oldest: u16,
        /// Each folder that was considered, with the reason why it can't be used.
        looked: String,
    },

    /// No Postgres of the major version that wrote the data is installed.
    #[error(
        "{} was written by Postgres {major}, and no other major version can read it, but Postgres {major} is not \
         installed (looked at: {looked}); install it (`apt-get install postgresql-{major}` or `brew install \
         postgresql@{major}`), name its folder in PG_BIN_DIR, or move the folder away to begin with an empty database",
        cluster.display()
    )]
    MajorNotInstalled {
        /// The major version of the data.
        major: u16,
        /// The folder with the data.
        cluster: PathBuf,
        /// Each folder that was considered, with the reason why it can't be used.
        looked: String,
    },

    /// Nothing is to be started, and no server runs.
    #[error("no private Postgres runs in {}", data_dir.display())]
    NotRunning {
        /// The data folder.
        data_dir: PathBuf,
    },

    /// A program could not be run.
    #[error("cannot run {} as user {user}: {source}; check that this user may execute it", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The user it should have run as.
        user: String,
        /// What the operating system said.
        source: io::Error,
    },

    /// `initdb` ended with an error. Its incomplete folder was removed.
    #[error("initdb could not create a cluster in {}: {output}", cluster.display())]
    Initdb {
        /// Where the cluster should have been.
        cluster: PathBuf,
        /// What `initdb` printed.
        output: String,
    },

    /// What was to be made in a new database could not be made.
    #[error("cannot prepare the new database: {reason}")]
    Prepare {
        /// Why.
        reason: String,
    },

    /// The server ended during its start.
    #[error("Postgres ended while it started; the end of {} says:\n{tail}", log.display())]
    Ended {
        /// The log file.
        log: PathBuf,
        /// Its last lines, of this start only.
        tail: String,
    },

    /// A step took longer than the start timeout.
    #[error(
        "gave up after {} s waiting for {what}; raise the start timeout if the machine is slow or a recovery is \
         running; what {} says about it:\n{tail}",
        waited.as_secs(), log.display()
    )]
    Timeout {
        /// The awaited event.
        what: &'static str,
        /// The start timeout.
        waited: Duration,
        /// The log file.
        log: PathBuf,
        /// Its last lines, of this start only.
        tail: String,
    },

    /// A server answers on the socket, but this process cannot see the server's process.
    #[error(
        "a Postgres which this process cannot see already uses {}, probably from another container that mounts the \
         same volume; stop that one, or give each its own data folder",
        cluster.display()
    )]
    UsedElsewhere {
        /// The folder with the data.
        cluster: PathBuf,
    },

    /// The socket folder exists, and another user owns it or can enter it.
    #[error(
        "the socket folder {} exists already and is not a private folder of user {user}; remove it, or choose a data \
         folder with a path of at most {longest} bytes, so that the socket fits inside",
        path.display()
    )]
    SocketFolderTaken {
        /// The folder.
        path: PathBuf,
        /// The user who should own it.
        user: String,
        /// The longest path of a data folder, in bytes, that has room for the socket.
        longest: usize,
    },

    /// The server runs, but the role or the database could not be prepared.
    #[error(
        "Postgres runs, but the role and the database of the service could not be prepared: {reason}"
    )]
    Database {
        /// What the server, or the connection to it, reported.
        reason: String,
    },
}

impl StartError {
    /// For `map_err`: adds the action and the path, which an [`io::Error`] lacks.
    pub(super) fn folder(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { doing, path, source }
    }
}
