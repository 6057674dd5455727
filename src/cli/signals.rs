//! Signals: the first SIGINT or SIGTERM asks the command to stop, the second one ends the process. SIGHUP,
//! by which a terminal says that it is gone and an operator that a log was moved, changes nothing.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// A token that the first SIGINT or SIGTERM cancels. A second signal ends the process at once.
pub(super) fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    // From here on, and not from the first turn of the task on, no signal ends the process by itself.
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        tracing::error!("can't listen for signals");
        return stop;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {
                    tracing::info!("SIGHUP changes nothing: settings and certificates are read at the start");
                    continue;
                }
            }
            if token.is_cancelled() {
                telemetry::flush();
                std::process::exit(1);
            }
            token.cancel();
        }
    });
    stop
}
