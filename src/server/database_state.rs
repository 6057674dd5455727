//! Measures now and then what an operator wants to know of the database and what is too much work for each scrape
//! of the metrics.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{domain::Error, ops::Core, store::observe};

/// The time between two measurements.
const INTERVAL: Duration = Duration::from_secs(15);

/// Measures until `stop`.
pub(super) async fn follow(core: Arc<Core>, stop: CancellationToken) {
    let rounds = async {
        loop {
            if let Err(error) = measure(&core).await {
                tracing::debug!(%error, "the state of the database can't be read now");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

async fn measure(core: &Core) -> Result<(), Error> {
    let state = core.db.read_once(async |db| observe::state(db).await).await?;
    let age = state.oldest_snapshot.map(|began| (core.clock.now() - began).as_seconds_f64());
    metrics::gauge!("befriend_db_oldest_snapshot_seconds").set(age.unwrap_or_default().max(0.0));
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
    metrics::gauge!("befriend_db_size_bytes").set(state.size as f64);
    Ok(())
}
