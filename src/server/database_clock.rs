//! Follows the database's clock, and tells when this machine's own is wrong.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{domain::Error, ops::Core, store::database_time};

/// How often the database's clock is read.
const INTERVAL: Duration = Duration::from_secs(10);

/// A machine's clock that is wrong by more than this is worth a line in the log.
const WORTH_TELLING: time::Duration = time::Duration::seconds(5);

/// Sets the clock of this process by the database's.
///
/// # Errors
/// Those of the database. The clock stays as it is.
pub async fn read(core: &Core) -> Result<(), Error> {
    let asked_at = core.clock.now();
    let told = core.db.read_once(async |db| database_time::tell(db).await).await?;
    core.clock.learn(asked_at, told);
    Ok(())
}

/// Reads the database's clock until `stop`.
pub(super) async fn follow(core: Arc<Core>, stop: CancellationToken) {
    let mut was_wrong = false;
    while let Some(ahead) = core.clock.machine_ahead() {
        metrics::gauge!("befriend_machine_clock_ahead_seconds").set(ahead.as_seconds_f64());
        let wrong = ahead.abs() > WORTH_TELLING;
        let seconds = ahead.whole_seconds();
        if wrong && !was_wrong {
            tracing::warn!(
                seconds,
                "this machine's clock is ahead of the database's, or behind it; befriend goes by the database's"
            );
        } else if was_wrong && !wrong {
            tracing::info!(seconds, "this machine's clock agrees with the database's again");
        }
        was_wrong = wrong;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if let Err(error) = read(&core).await {
            tracing::debug!(%error, "the database's clock can't be read now");
        }
    }
}
