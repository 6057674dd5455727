//! What no call waits for: cleaning up after deleted users and apps, removing expired tokens, and
//! keeping the history of events, friend requests and tombstones to their time.
//!
//! Every round does bounded transactions and can stop anywhere; the next round, here or on another
//! instance, goes on. Instances may do the same work at once: each step locks what it changes and
//! looks again.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ops::{
    Core,
    access::{apps, tokens},
    events, expiry, sync, users,
};

/// Between two rounds. Nothing waits for a round, so it need not be short.
const PAUSE: Duration = Duration::from_secs(10);

/// The longest that a round goes on.
const ROUND: Duration = Duration::from_secs(600);

/// Does rounds until `stop`.
pub async fn run(core: Arc<Core>, stop: CancellationToken) {
    let rounds = async {
        loop {
            round(&core).await;
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

/// One round. Failures are logged and left to the next.
pub async fn round(core: &Arc<Core>) {
    let deadline = Instant::now() + ROUND;
    if let Err(error) = core.db.tend().await {
        tracing::debug!(%error, "connections are opened when they are needed");
    }
    if let Err(error) = events::keep_house(core, deadline).await {
        tracing::warn!(%error, "the history of events is tidied later");
    }
    if let Err(error) = users::finish_leaving(core, deadline).await {
        tracing::warn!(%error, "cleaning up after deleted users goes on later");
    }
    if let Err(error) = expiry::expire(core, deadline).await {
        tracing::warn!(%error, "friend requests expire later");
    }
    let purged = async {
        sync::purge_tombstones::<sync::Friends>(core, deadline).await?;
        sync::purge_tombstones::<sync::Blocks>(core, deadline).await
    };
    if let Err(error) = purged.await {
        tracing::warn!(%error, "old tombstones are purged later");
    }
    if let Err(error) = apps::purge_deleted(core, deadline).await {
        tracing::warn!(%error, "removing deleted apps goes on later");
    }
    loop {
        match tokens::purge_expired(core, deadline).await {
            Ok(0) => break,
            Ok(purged) => tracing::debug!(purged, "expired tokens removed"),
            Err(error) => {
                tracing::warn!(%error, "removing expired tokens goes on later");
                break;
            }
        }
    }
}
