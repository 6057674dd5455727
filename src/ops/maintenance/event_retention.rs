//! The history of events: a partition for each day, dropped as a whole after the retention, or emptied
//! where the role does not own it; and the removal of events whose rule was deleted.

use time::Duration;
use tokio::time::Instant;

use super::did;
use crate::{
    background_work::Work,
    domain::Error,
    ops::Core,
    store::{event_history, outbox},
};

/// For how many coming days partitions are made in advance.
const DAYS_AHEAD: i64 = 3;

/// How many events one transaction removes.
const BATCH: i64 = 5000;

/// Makes the partitions of today and the coming days, removes the events older than the retention, and
/// those of deleted rules.
///
/// # Errors
/// Those of the database.
pub async fn apply(core: &Core, deadline: Instant) -> Result<(), Error> {
    let today = core.clock.now().date();
    for days in 0..=DAYS_AHEAD {
        let mut tx = core.db.begin(deadline).await?;
        event_history::make_partition(&mut tx, today + Duration::days(days)).await?;
        tx.commit().await?;
    }
    let mut tx = core.db.begin(deadline).await?;
    let oldest = (core.clock.now() - core.event_retention).date();
    event_history::drop_partitions_before(&mut tx, oldest).await?;
    tx.commit().await?;
    loop {
        let mut tx = core.db.begin(deadline).await?;
        let removed = event_history::remove_before(&mut tx, oldest, BATCH).await?;
        tx.commit().await?;
        did(Work::OldEvents, removed);
        if removed == 0 {
            break;
        }
    }

    for rule_id in core.db.read(async |db| outbox::deleted_rules(db).await).await? {
        loop {
            let mut tx = core.db.begin(deadline).await?;
            let removed = outbox::remove(&mut tx, rule_id, BATCH).await?;
            tx.commit().await?;
            did(Work::OldEvents, removed);
            if removed == 0 {
                break;
            }
        }
    }
    Ok(())
}
