//! Old records of changes: their removal after the retention.

use tokio::time::Instant;

use super::did;
use crate::{background_work::Work, domain::Error, ops::Core, store::audit_events};

/// Removes the records that are older than the retention, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn purge(core: &Core, deadline: Instant) -> Result<(), Error> {
    let Some(retention) = core.audit_retention else { return Ok(()) };
    loop {
        let mut tx = core.db.begin(deadline).await?;
        let oldest = core.clock.now() - retention;
        let purged = audit_events::purge(&mut tx, oldest).await?;
        tx.commit().await?;
        did(Work::OldAuditEvents, purged);
        if purged == 0 {
            return Ok(());
        }
        tracing::debug!(purged, "old audit events removed");
    }
}
