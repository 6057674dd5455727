//! Who runs Postgres: it refuses root, so as root its programs run as an unprivileged user.

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

/// In the order of preference. `nobody` always exists, but other daemons may share it.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// What the programs need from our environment; the rest (secrets, PGPORT, LANG) must not reach them.
const PASSED_ON: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
    /// We are root and become this user for every program.
    switches: bool,
}

impl Account {
    /// Ourselves, unless we are root: then the owner of the existing cluster (it may stem from a start as an ordinary
    /// user, and Postgres insists on the owner), `postgres` or `nobody`.
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

    /// A program as this user, in `folder` (ours may be closed to that user), with a clean environment.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(PASSED_ON.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        // Messages are shown to people who search for them: English, and the same on every machine.
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(folder).stdin(Stdio::null());
        if self.switches {
            // The standard library also drops root's supplementary groups when it changes the user.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Hands a file or folder over to this user. Does not follow links: the parent may be somebody else's.
    pub(super) fn give(&self, path: &Path) -> Result<(), StartError> {
        if !self.switches {
            return Ok(());
        }
        lchown(path, Some(self.uid), Some(self.gid))
            .map_err(StartError::folder("change the owner of", path))
    }

    /// Fails with the outermost parent folder that locks this user out of `wanted`.
    ///
    /// Asked by trying, not from the mode bits, because access lists and security modules have a say too.
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
