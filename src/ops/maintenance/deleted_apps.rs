//! Deleted apps: the removal of their rows.

use tokio::time::Instant;

use super::did;
use crate::{
    background_work::Work,
    domain::Error,
    ops::Core,
    store::{apps, user_deletion},
};

/// How many users' rows one transaction removes.
const BATCH: i64 = 200;

/// Removes the rows of deleted apps until none are left.
///
/// # Errors
/// Those of the database, and a collision with a call that was under way when the app was deleted.
pub async fn purge(core: &Core, deadline: Instant) -> Result<(), Error> {
    for app_id in core.db.read(async |db| apps::deleted(db).await).await? {
        loop {
            let mut tx = core.db.begin(deadline).await?;
            let keys = user_deletion::of_app(&mut tx, app_id, BATCH).await?;
            if keys.is_empty() {
                apps::purge(&mut tx, app_id).await?;
                tx.commit().await?;
                break;
            }
            user_deletion::purge(&mut tx, &keys).await?;
            tx.commit().await?;
            did(Work::DeletedApps, keys.len() as u64);
        }
    }
    Ok(())
}
