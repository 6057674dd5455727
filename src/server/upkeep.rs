//! The maintenance that no call waits for, in a loop.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    background_work::Work,
    measure::Stopwatch,
    ops::{
        Core,
        maintenance::{
            audit_retention, deleted_apps, deleted_users, event_retention, expired_tokens, expiry,
            tombstones,
        },
    },
};

/// The time between two rounds. No call waits for a round, so it need not be short.
const PAUSE: Duration = Duration::from_secs(10);

/// The longest time that a round takes.
const ROUND: Duration = Duration::from_secs(600);

/// Does rounds until `stop` is cancelled.
pub async fn run(core: Arc<Core>, stop: CancellationToken) {
    let rounds = async {
        loop {
            // A panic of one round must not end the maintenance of this instance for good.
            if AssertUnwindSafe(round(&core)).catch_unwind().await.is_err() {
                tracing::error!("a maintenance round panicked; the next one starts later");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

/// Does one round. What fails is tried again by the next round.
pub async fn round(core: &Arc<Core>) {
    let deadline = Instant::now() + ROUND;
    let stopwatch = Stopwatch::start();
    if let Err(error) = core.db.maintain_pool().await {
        tracing::debug!(%error, "idle connections can't be opened now; calls open them");
    }
    let (db, work) = (&core.db, &core.background_work);
    work.ended(Work::OldEvents, &db.guard(event_retention::apply(core, deadline)).await);
    work.ended(Work::DeletedUsers, &db.guard(deleted_users::finish(core, deadline)).await);
    work.ended(Work::OverdueRequests, &db.guard(expiry::expire(core, deadline)).await);
    work.ended(Work::Tombstones, &db.guard(tombstones::purge(core, deadline)).await);
    work.ended(Work::DeletedApps, &db.guard(deleted_apps::purge(core, deadline)).await);
    work.ended(Work::ExpiredTokens, &db.guard(expired_tokens::purge(core, deadline)).await);
    work.ended(Work::OldAuditEvents, &db.guard(audit_retention::purge(core, deadline)).await);
    stopwatch.record(&metrics::histogram!("befriend_upkeep_round_seconds"));
}
