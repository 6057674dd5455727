//! Gives memory back to the system after callers who needed much of it have gone.

use std::{thread, time::Duration};

use tokio::task::JoinSet;

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_secs(10);

/// How many tasks a round has for each worker of the runtime: a task runs on whichever worker is free, and all
/// of them should run one.
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
