//! Gives memory back to the system after callers who needed much of it have gone.

use std::{thread, time::Duration};

use tokio::task::JoinSet;

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_secs(10);

/// How many tasks a round has for each worker of the runtime. The runtime chooses the worker of a task, so there
/// are more tasks than workers, and it is likely that each worker runs one.
const TASKS: usize = 8;

/// Calls `collect` on the workers of the runtime, again and again.
pub(super) async fn collect(collect: fn()) {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let round: JoinSet<()> = (0..workers * TASKS).map(|_| async move { collect() }).collect();
        round.join_all().await;
    }
}
