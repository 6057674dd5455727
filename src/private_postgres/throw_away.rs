//! A Postgres for one run: in a folder of its own among the temporary files, which is gone with it.
//!
//! initdb and the migrations take most of a first start, so the cluster is a copy of a template (`template`)
//! that the first start has made. The watchdog removes the folder when the server has ended, whichever process
//! was killed. Only if service and watchdog are killed together the folder stays; the next start removes it.

use std::{
    env,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::geteuid;

use super::{
    account::Account,
    binaries::{self, Binaries},
    cluster::Cluster,
    deadline::Deadline,
    error::StartError,
    keeper::Keeper,
    layout::{self, Layout, private_file, unique},
    server::{PrivatePostgres, Stopped},
    settings::{Life, Settings},
    template::{Template, Templates},
    watchdog,
};

/// What the names of the folders begin with.
const PREFIX: &str = "befriend-ephemeral-";

/// A file that the process which uses the folder keeps locked.
const OWNER: &str = "owner";

/// How long the watchdog may take to remove the folder, and an orphan to end.
const REMOVAL: Duration = Duration::from_secs(10);

/// A running Postgres whose data nobody needs. Dropping it is [`Self::stop`] without waiting.
#[derive(Debug)]
pub struct ThrowAway {
    // In this order: the server ends before its folder.
    keeper: Keeper,
    place: Place,
}

/// How a start went that wanted to copy the template.
enum Copied {
    Started(ThrowAway),
    /// There is no template yet.
    Absent,
    Broken(Template, StartError),
}

impl ThrowAway {
    /// Starts a server on an empty database that `prepare` has been applied to: at this start, or at an earlier
    /// one with the same `schema` and the same programs.
    ///
    /// `start_timeout` bounds each of the waits: for another process that makes the template, and for the
    /// server.
    ///
    /// # Errors
    ///
    /// Every [`StartError`] says what failed and what to do about it. A failed start leaves nothing running.
    pub fn start(
        start_timeout: Duration,
        max_connections: u16,
        schema: &[u8],
        prepare: impl FnOnce(&str) -> Result<(), String>,
    ) -> Result<Self, StartError> {
        let binaries = binaries::find(None)?;
        let account = Account::choose(None)?;
        remove_left_over(&account);
        let start = Start { binaries, account, start_timeout, max_connections };
        let Some(templates) = Templates::of(&start.binaries, schema) else {
            tracing::warn!("there is no folder for caches: each start makes its cluster anew");
            return start.on_new_cluster(prepare, |_| ());
        };
        let deadline = Deadline::after(start_timeout);
        let broken = match start.on_template(&templates, None, deadline)? {
            Copied::Started(started) => return Ok(started),
            Copied::Absent => None,
            Copied::Broken(template, error) => {
                tracing::warn!(%error, "the template of the database is broken, and is made anew");
                Some(template)
            }
        };
        let lock = match templates.lock_to_make(deadline) {
            Ok(lock) => lock,
            Err(error) => {
                tracing::warn!(%error, folder = %templates.folder.display(), "there is no template");
                return start.on_new_cluster(prepare, |_| ());
            }
        };
        // Another process may have made it while this one waited.
        if templates.current() != broken
            && let Copied::Started(started) =
                start.on_template(&templates, Some(&lock), deadline)?
        {
            return Ok(started);
        }
        start.on_new_cluster(prepare, |cluster| {
            if let Err(error) = templates.keep(cluster) {
                tracing::warn!(%error, folder = %templates.folder.display(), "there is no template");
            }
            drop(lock);
        })
    }

    /// The server's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.keeper.url()
    }

    /// The folder that is thrown away.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// Stops the server and waits until its folder is gone.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::stop`].
    ///
    /// # Panics
    ///
    /// When the keeper's thread panicked.
    pub fn stop(self) -> Result<(), StartError> {
        let stopped = self.keeper.stop()?;
        if stopped == Stopped::Server {
            // The watchdog is at it too.
            Deadline::after(REMOVAL).wait_until(|| self.place.remove());
        }
        Ok(())
    }
}

/// What all attempts of a start have in common.
struct Start {
    binaries: Binaries,
    account: Account,
    start_timeout: Duration,
    max_connections: u16,
}

impl Start {
    /// Starts a server on a copy of the template. With `lock` the caller has the templates locked.
    fn on_template(
        &self,
        templates: &Templates,
        lock: Option<&File>,
        deadline: Deadline,
    ) -> Result<Copied, StartError> {
        let place = Place::new(&self.account)?;
        let reading = match lock {
            Some(_) => None,
            None => templates.lock_to_read(deadline),
        };
        let Some(template) = templates.current() else { return Ok(Copied::Absent) };
        let to = place.cluster(self.binaries.major);
        let copied = templates.copy(&template, &to, &self.account);
        drop(reading);
        let started = copied.and_then(|()| Keeper::start(self.settings(&place, Life::ThrownAway)));
        Ok(match started {
            Ok(keeper) => Copied::Started(ThrowAway { keeper, place }),
            Err(error) => Copied::Broken(template, error),
        })
    }

    /// Makes a cluster, has it prepared, shows it to `keep` while no server runs, and starts a server on it.
    fn on_new_cluster(
        &self,
        prepare: impl FnOnce(&str) -> Result<(), String>,
        keep: impl FnOnce(&Path),
    ) -> Result<ThrowAway, StartError> {
        let place = Place::new(&self.account)?;
        let making = PrivatePostgres::start(&self.settings(&place, Life::Template))?;
        let prepared = prepare(making.url())
            .map_err(|reason| StartError::Prepare { reason })
            .and_then(|()| making.drop_other_databases());
        let stopped = making.stop()?;
        prepared?;
        if stopped == Stopped::Server {
            keep(&place.cluster(self.binaries.major));
        }
        let keeper = Keeper::start(self.settings(&place, Life::ThrownAway))?;
        Ok(ThrowAway { keeper, place })
    }

    fn settings(&self, place: &Place, life: Life) -> Settings {
        Settings {
            data_dir: place.folder.clone(),
            start_timeout: self.start_timeout,
            fsync: false,
            max_connections: self.max_connections,
            life,
        }
    }
}

/// The folder of a run. It is removed when this is dropped.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    /// Locked until the end of this process, by which others see that the folder is in use.
    _owner: File,
}

impl Place {
    fn new(account: &Account) -> Result<Self, StartError> {
        // By the path that the server and the watchdog see.
        let temporary = env::temp_dir();
        let temporary =
            fs::canonicalize(&temporary).map_err(StartError::folder("resolve", &temporary))?;
        let folder = temporary.join(format!("{PREFIX}{:016x}", unique()));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(StartError::folder("create", &folder))?;
        let owner = locked_owner(&folder).map_err(StartError::folder("use", &folder));
        let place = owner.map(|owner| Self { folder: folder.clone(), _owner: owner });
        // Who runs the watchdog removes the folder.
        let handed = place.and_then(|place| account.hand_over(&folder).map(|()| place));
        if handed.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        handed
    }

    fn cluster(&self, major: u16) -> PathBuf {
        self.folder.join(format!("postgres-{major}"))
    }

    /// Removes the folder; `false` if something of it is still there.
    fn remove(&self) -> bool {
        let _ = fs::remove_dir_all(layout::socket_place(&self.folder));
        let _ = fs::remove_dir_all(&self.folder);
        !self.folder.exists()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes the file that says who uses the folder. It appears locked, so that no other process takes a folder
/// for left over that is being made.
fn locked_owner(folder: &Path) -> io::Result<File> {
    let path = folder.join(OWNER);
    let new = path.with_extension("new");
    let file = private_file().write(true).create_new(true).open(&new)?;
    file.try_lock()?;
    fs::rename(new, path)?;
    Ok(file)
}

/// Removes the folders whose processes were all killed.
fn remove_left_over(account: &Account) {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let owned = entry.metadata().is_ok_and(|found| {
            found.is_dir() && [account.uid, geteuid().as_raw()].contains(&found.uid())
        });
        if ours
            && owned
            && let Err(error) = remove_if_left_over(&entry.path(), account)
        {
            tracing::warn!(%error, "could not remove what another run left behind");
        }
    }
}

fn remove_if_left_over(folder: &Path, account: &Account) -> Result<(), StartError> {
    let owner = private_file().write(true).open(folder.join(OWNER));
    let other_user = account.uid != geteuid().as_raw();
    if owner.is_err() && other_user && fs::metadata(folder).is_ok_and(|f| f.uid() == account.uid) {
        // The watchdog's user may not remove the folder itself where only root may write.
        let _ = fs::remove_dir(folder);
    }
    // No owner, or one that lives.
    let Ok(_owner) = owner.and_then(|owner| Ok(owner.try_lock().map(|()| owner)?)) else {
        return Ok(());
    };
    let layout = Layout::prepare(folder)?;
    // The watchdog is about to remove the folder itself.
    if watchdog::is_running(&layout) {
        return Ok(());
    }
    if let Some(major) = layout.existing_major()? {
        let cluster = Cluster {
            folder: layout.cluster(major),
            socket_folder: layout::socket_place(&layout.root),
        };
        cluster.clear(&layout, Deadline::after(REMOVAL))?;
    }
    tracing::info!(user = account.name, folder = %folder.display(), "removing what another run left behind");
    let _ = fs::remove_dir_all(layout::socket_place(&layout.root));
    fs::remove_dir_all(folder).map_err(StartError::folder("remove", folder))
}
