//! Whether the disk of the database has room again, after a write found none.

use std::time::Duration;

use sqlx::PgConnection;

use super::{error::database_error, outages::Outages};
use crate::domain::{Error, Outage};

/// How often the prober tries to write while the disk is full.
const TRIAL_INTERVAL: Duration = Duration::from_secs(2);

/// How long after a write that found the disk full there is room, when the prober can't try it: the role may
/// make no temporary tables.
const ASSUMED_AFTER: Duration = Duration::from_secs(30);

/// Whether writes find room on the disk. Tries it only after a write found none.
pub(super) async fn has_room(outages: &Outages, connection: &mut PgConnection) -> bool {
    let Some(full_since) = outages.full_since() else { return true };
    if full_since.elapsed() < TRIAL_INTERVAL {
        return false;
    }
    // A megabyte, which is gone with its transaction.
    let trial = sqlx::raw_sql(
        "begin; create temporary table trial on commit drop as \
         select repeat('x', 1000) from generate_series(1, 1000); commit",
    )
    .execute(&mut *connection)
    .await;
    let has_room = match trial.map_err(database_error) {
        Ok(_) => true,
        Err(error) => {
            let _ = sqlx::raw_sql("rollback").execute(connection).await;
            // The role may make no temporary tables, or the trial failed for another reason: there is room
            // when no write has missed it for a while.
            !matches!(error, Error::Unavailable(Outage::DiskFull))
                && full_since.elapsed() >= ASSUMED_AFTER
        }
    };
    if has_room {
        outages.has_room();
    }
    has_room
}
