//! Signals: the first SIGINT or SIGTERM asks the command to stop, the second one ends the process. SIGHUP has
//! a service read certificates and secrets again, and ends it never: a terminal that is gone sends it too.
//! Every other command that listens stops at SIGHUP, since it belongs to the terminal that is gone.

use std::fs;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::CommandError;
use crate::{server::Signals, telemetry};

/// What the signals of a service ask for: the first SIGINT or SIGTERM stops, SIGHUP reloads. A second SIGINT
/// or SIGTERM ends the process at once.
pub(super) fn listen_to_signals() -> Signals {
    let signals = Signals::default();
    let reload = signals.reload.clone();
    listen(&signals.stop, move || reload.notify_one());
    signals
}

/// Cancelled when a signal asks a command to stop: SIGINT, SIGTERM, or SIGHUP, unless SIGHUP was ignored when
/// the process started, as under nohup. A second SIGINT or SIGTERM ends the process at once; a second SIGHUP
/// does nothing, because the kernel and the shell may both send one.
pub(super) fn listen_to_stops() -> CancellationToken {
    let stop = CancellationToken::new();
    let hung_up = stop.clone();
    let ignores = ignores_hang_ups();
    listen(&stop, move || {
        if !ignores {
            hung_up.cancel();
        }
    });
    stop
}

/// The outcome of work that may be dropped at any point; an error that says how to go on when a signal asks the
/// command to stop before.
pub(super) async fn unless_stopped<T>(
    work: impl Future<Output = T>,
    how_to_go_on: &str,
) -> Result<T, CommandError> {
    let stop = listen_to_stops();
    tokio::select! {
        done = work => Ok(done),
        () = stop.cancelled() => Err(format!("stopped; {how_to_go_on}").into()),
    }
}

/// Cancels `stop` at SIGINT and SIGTERM, and calls `on_hang_up` at SIGHUP.
fn listen(stop: &CancellationToken, on_hang_up: impl Fn() + Send + 'static) {
    // From here on, and not from the first turn of the task on, no signal ends the process by itself.
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        tracing::error!("can't listen for signals");
        return;
    };
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {
                    on_hang_up();
                    continue;
                }
            }
            if stop.is_cancelled() {
                telemetry::flush();
                std::process::exit(1);
            }
            stop.cancel();
        }
    });
}

/// Whether whoever started the process had it ignore SIGHUP. The kernel tells it on Linux; elsewhere the answer
/// is no.
fn ignores_hang_ups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1, the lowest bit.
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}
