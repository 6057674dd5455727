//! Reads the versions of all watched users again and again, so that watchers learn of changes that
//! other instances made.

use std::{collections::HashMap, sync::Arc};

use crate::{
    background_work::Work,
    domain::{Error, OwnerKey},
    ops::Core,
    store::users,
};

/// How many versions one statement reads.
const BATCH: usize = 5000;

/// The version of a user who does not exist. It differs from 0, which is the version that a new watch
/// begins with: a user who is deleted before the first read counts as changed.
const NO_USER: i64 = -1;

/// Polls until the instance shuts down.
pub async fn poll(core: Arc<Core>) {
    let rounds = async {
        loop {
            tokio::time::sleep(core.watches.settings.poll_interval).await;
            for owners in core.watches.owners().chunks(BATCH) {
                core.background_work.ended(Work::Versions, &read(&core, owners).await);
            }
        }
    };
    tokio::select! {
        () = core.watches.shutdown.cancelled() => {}
        () = rounds => {}
    }
}

async fn read(core: &Core, owners: &[OwnerKey]) -> Result<(), Error> {
    let versions = core.db.read_once(async |db| users::versions(db, owners).await).await?;
    let versions: HashMap<OwnerKey, i64> = versions.into_iter().collect();
    for owner in owners {
        // A missing user was deleted; their watchers find out by their own read.
        core.watches.set_version(*owner, versions.get(owner).copied().unwrap_or(NO_USER));
    }
    Ok(())
}
