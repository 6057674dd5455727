//! Facts about processes that are not children of this one, and signals to them.
//!
//! A pid in a file may belong to an unrelated process by now. So a process is signalled only if it is a
//! Postgres whose working folder is the cluster. Linux tells this in /proc, other systems by `ps`.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

pub(super) use nix::sys::signal::Signal;
use nix::{errno::Errno, sys::signal::kill, unistd::Pid};

/// Whether the process exists and has not ended; a zombie has ended.
pub(super) fn is_alive(pid: i32) -> bool {
    let state = if has_proc() {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            // The name in parentheses may contain spaces and parentheses. The state follows the last one.
            Ok(stat) => stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()),
            Err(error) if is_want_of_descriptors(&error) => return exists(pid),
            Err(_) => None,
        }
    } else {
        ps(pid, "stat=").chars().next()
    };
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Whether the process is a server process of this cluster: the postmaster or one of its children.
pub(super) fn serves(pid: i32, cluster: &Path) -> bool {
    if has_proc() {
        // The working folder of every Postgres process is the cluster. The command line is of no use: Postgres
        // replaces it by a title.
        let folder = fs::read_link(format!("/proc/{pid}/cwd"));
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        folder.is_ok_and(|folder| folder == cluster)
            && match name {
                Ok(name) => name.trim_end() == "postgres",
                Err(error) => is_want_of_descriptors(&error),
            }
    } else {
        let command = ps(pid, "command=");
        command.contains("postgres") && command.contains(&*cluster.to_string_lossy())
    }
}

/// All server processes of this cluster; none where there is no /proc.
pub(super) fn servers_of(cluster: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| serves(pid, cluster))
        .collect()
}

/// Whether any process has this pid.
pub(super) fn exists(pid: i32) -> bool {
    pid > 0 && kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

/// Signals a server process of this cluster, and never any other process.
pub(super) fn signal_server(pid: i32, cluster: &Path, signal: Signal) {
    if pid > 1 && serves(pid, cluster) {
        // The only possible failure is that the process has ended meanwhile.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Whether a file could not be opened because this process or the system has too many open: that tells
/// nothing about the file.
fn is_want_of_descriptors(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EMFILE | Errno::ENFILE))
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

fn ps(pid: i32, column: &str) -> String {
    let output = Command::new("ps")
        .args(["-ww", "-o", column, "-p", &pid.to_string()])
        .stderr(Stdio::null())
        .output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
