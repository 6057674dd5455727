//! The maintenance that no call waits for, in a loop.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ops::{
    Core,
    maintenance::{
        deleted_apps, deleted_users, event_retention, expired_tokens, expiry, tombstones,
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

/// Does one round. A failure is logged, and the next round tries again.
pub async fn round(core: &Arc<Core>) {
    let deadline = Instant::now() + ROUND;
    if let Err(error) = core.db.maintain_pool().await {
        tracing::debug!(%error, "idle connections can't be opened now; calls open them");
    }
    if let Err(error) = event_retention::apply(core, deadline).await {
        tracing::warn!(%error, "old events can't be removed now");
    }
    if let Err(error) = deleted_users::finish(core, deadline).await {
        tracing::warn!(%error, "deleted users can't be removed from lists now");
    }
    if let Err(error) = expiry::expire(core, deadline).await {
        tracing::warn!(%error, "overdue friend requests can't be ended now");
    }
    if let Err(error) = tombstones::purge(core, deadline).await {
        tracing::warn!(%error, "old tombstones can't be purged now");
    }
    if let Err(error) = deleted_apps::purge(core, deadline).await {
        tracing::warn!(%error, "the rows of deleted apps can't be removed now");
    }
    if let Err(error) = expired_tokens::purge(core, deadline).await {
        tracing::warn!(%error, "expired tokens can't be removed now");
    }
}
