//! The user who runs Postgres. Postgres refuses to run as root, so a start by root uses an unprivileged
//! user.

use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt, lchown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Uid, User, getegid, geteuid};

use super::error::StartError;

/// The users to choose from, in the order of preference. `nobody` always exists, but other daemons may
/// share it.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The variables that the programs inherit. Others (secrets, PGPORT, LANG) must not reach them.
const PASSED_ON: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
    /// This process is root, and runs every program as this user.
    switches: bool,
}

impl Account {
    /// The user of this process. For root it is the owner of the existing cluster, because Postgres requires
    /// the owner (an ordinary user may have created the cluster), else `postgres` or `nobody`.
    pub(super) fn choose(cluster: Option<&Path>) -> Result<Self, StartError> {
        let named = |uid: Uid| {
            User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
        };
        if !geteuid().is_root() {
            let (uid, gid) = (geteuid(), getegid());
            return Ok(Self {
                name: named(uid),
                uid: uid.as_raw(),
                gid: gid.as_raw(),
                switches: false,
            });
        }
        if let Some(owner) =
            cluster.and_then(|cluster| fs::metadata(cluster).ok()).filter(|owner| owner.uid() != 0)
        {
            let name = named(Uid::from_raw(owner.uid()));
            return Ok(Self { name, uid: owner.uid(), gid: owner.gid(), switches: true });
        }
        let user = UNPRIVILEGED.iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = user.filter(|user| !user.uid.is_root()).ok_or(StartError::NoAccount)?;
        Ok(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), switches: true })
    }

    /// A program that runs as this user in `folder`, with a clean environment. The working folder of this
    /// process may be closed to that user.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(PASSED_ON.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        // Messages in English, the same on every machine, can be searched for.
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(folder).stdin(Stdio::null());
        if self.switches {
            // The standard library also drops root's supplementary groups when it changes the user.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes this user the owner of a file or folder. Links are not followed, because another user may own
    /// the parent folder.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), StartError> {
        if !self.switches {
            return Ok(());
        }
        lchown(path, Some(self.uid), Some(self.gid))
            .map_err(StartError::folder("change the owner of", path))
    }

    /// Fails with the outermost parent folder of `wanted` that this user cannot enter.
    ///
    /// A shell tries to enter each folder: the mode bits do not show access lists and security modules.
    pub(super) fn check_can_enter(&self, wanted: &Path) -> Result<(), StartError> {
        if !self.switches {
            return Ok(());
        }
        let shell = Path::new("/bin/sh");
        let mut folders: Vec<&Path> = wanted.ancestors().collect();
        folders.reverse();
        let mut command = self.command(shell, Path::new("/"));
        command
            .args(["-c", r#"for folder do cd "$folder" 2>/dev/null || exit 1; echo; done"#, "sh"])
            .args(&folders);
        let output = command.stderr(Stdio::null()).output();
        let output = output.map_err(|source| StartError::Spawn {
            program: shell.into(),
            user: self.name.clone(),
            source,
        })?;
        // One empty line for each folder that could be entered.
        match folders.get(output.stdout.len()) {
            None => Ok(()),
            Some(locked) => Err(StartError::NotEnterable {
                user: self.name.clone(),
                locked: (*locked).to_owned(),
                wanted: wanted.to_owned(),
            }),
        }
    }
}
