//! Expired tokens of apps and operators: the removal of their rows.

use tokio::time::Instant;

use super::did;
use crate::{
    background_work::Work,
    domain::Error,
    ops::Core,
    store::{operator_tokens, tokens},
};

/// How many rows one transaction removes.
const BATCH: i64 = 1000;

/// Removes expired tokens until none are left.
///
/// # Errors
/// Those of the database.
pub async fn purge(core: &Core, deadline: Instant) -> Result<(), Error> {
    loop {
        let mut tx = core.db.begin(deadline).await?;
        let now = core.clock.now();
        let of_apps = tokens::purge_expired(&mut tx, now, BATCH).await?;
        let purged = of_apps + operator_tokens::purge_expired(&mut tx, now, BATCH).await?;
        tx.commit().await?;
        did(Work::ExpiredTokens, purged);
        if purged == 0 {
            return Ok(());
        }
        tracing::debug!(purged, "expired tokens removed");
    }
}
