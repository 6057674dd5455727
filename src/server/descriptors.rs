//! File descriptors: each connection needs one, and so do the database and callbacks.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::error::ServeError;
use crate::config::ServeArgs;

/// The most that the process asks for: more than it ever uses, and less than what a container may allow.
const ENOUGH: u64 = 1 << 20;

/// How many connections there are by default, where the descriptors allow it.
const DEFAULT_CONNECTIONS: usize = 4096;

/// For the listener, the log, the private Postgres and files.
const OWN: usize = 64;

/// Raises the process's limit of descriptors to what it may be. Many systems start a process with 1,024.
pub fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = hard.min(ENOUGH);
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() {
        tracing::warn!(limit = soft, "the limit of file descriptors can't be raised");
    }
}

/// How many connections of callers the instance takes: as many as the descriptors allow beside those that
/// are kept for the database, callbacks and the rest, or fewer by the settings.
///
/// # Errors
/// When the settings ask for more.
pub(super) fn connections(args: &ServeArgs) -> Result<usize, ServeError> {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft.min(ENOUGH));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let reserve = OWN + args.pool.connections() + args.callbacks.connections();
    let most = (limit - reserve.min(limit / 2)).max(1);
    match args.listener.max_connections {
        None => Ok(DEFAULT_CONNECTIONS.min(most)),
        Some(wanted) if wanted.get() <= most => Ok(wanted.get()),
        Some(wanted) => Err(ServeError::Descriptors { wanted: wanted.get(), most, limit }),
    }
}

/// How many watchers the instance takes: by the settings, or as many as fit on its connections.
///
/// # Errors
/// As [`connections`].
pub(super) fn watchers(args: &ServeArgs) -> Result<usize, ServeError> {
    let streams = usize::try_from(args.listener.max_streams.get()).unwrap_or(usize::MAX);
    let fit = connections(args)?.saturating_mul(streams);
    Ok(args.following.max_watchers(fit))
}
