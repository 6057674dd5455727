//! The life of the process that started this one: what is started for a test must end with the test, however
//! that ends.

use std::{
    io::{self, Read as _},
    os::unix::process::parent_id,
    thread,
    time::Duration,
};

use nix::sys::stat::{SFlag, fstat};
use tokio_util::sync::CancellationToken;

/// The time between two looks at who the parent is.
const LOOK: Duration = Duration::from_millis(50);

/// The parent of this process, since its first moment.
pub(super) struct Parent(u32);

impl Parent {
    pub(super) fn now() -> Self {
        Self(parent_id())
    }

    /// Cancels `stop` when the parent has ended, which gives its children to another process, and when standard
    /// input ends, if that is a pipe or a socket: its other end is with the one who wants this process, who may
    /// have started it by way of a shell.
    pub(super) fn watch(&self, stop: &CancellationToken) {
        if is_from_a_process() {
            let stop = stop.clone();
            let reading = thread::Builder::new().name("standard-input".to_owned());
            let reading = reading.stack_size(64 << 10).spawn(move || {
                let mut input = io::stdin().lock();
                while matches!(input.read(&mut [0; 512]), Ok(1..)) {}
                tracing::info!("standard input has ended, and befriend stops");
                stop.cancel();
            });
            if let Err(error) = reading {
                tracing::warn!(%error, "the end of standard input will not be seen");
            }
        }
        let (stop, parent) = (stop.clone(), self.0);
        tokio::spawn(async move {
            while parent_id() == parent {
                tokio::time::sleep(LOOK).await;
            }
            tracing::info!(parent, "the parent process has ended, and befriend stops");
            stop.cancel();
        });
    }
}

fn is_from_a_process() -> bool {
    let kind =
        fstat(io::stdin()).map(|found| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT);
    matches!(kind, Ok(SFlag::S_IFIFO | SFlag::S_IFSOCK))
}
