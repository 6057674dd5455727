//! Signals: the first SIGINT or SIGTERM asks the command to stop, the second one ends the process. SIGHUP
//! has a service read certificates and secrets again, and ends nothing: a terminal that is gone sends it too.

use tokio::signal::unix::{SignalKind, signal};

use crate::{server::Signals, telemetry};

/// What the signals of this process ask for: the first SIGINT or SIGTERM stops, SIGHUP reloads. A second
/// SIGINT or SIGTERM ends the process at once.
pub(super) fn listen_to_signals() -> Signals {
    let signals = Signals::default();
    let Signals { stop: token, reload, .. } = signals.clone();
    // From here on, and not from the first turn of the task on, no signal ends the process by itself.
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        tracing::error!("can't listen for signals");
        return signals;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {
                    reload.notify_one();
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
    signals
}
