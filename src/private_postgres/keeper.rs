//! Keeps the private Postgres running for as long as its service does.
//!
//! The watchdog sees to it that a server does not outlive its users; this is the other half. A server that was killed
//! (the kernel's out-of-memory killer takes the largest process) or stopped by hand is started again. The socket stays
//! where it was, so the service's pool finds the new server by itself.

use std::{
    convert::Infallible,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{PrivatePostgres, Settings, StartError, Stopped};

/// Between two looks at the server's process: one read in /proc.
const LOOK: Duration = Duration::from_millis(500);

/// After starts that failed: twice as long each time, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A running private Postgres that is looked after. Dropping it leaves the server as [`Self::stop`] does, unawaited.
#[derive(Debug)]
pub struct Keeper {
    url: String,
    /// Nothing is ever sent: the keeper's thread stops the server when this is gone.
    leave: Sender<Infallible>,
    thread: JoinHandle<Result<Stopped, StartError>>,
}

impl Keeper {
    /// Starts or joins the server as [`PrivatePostgres::start`] does, and looks after it from then on.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::start`].
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let postgres = PrivatePostgres::start(&settings)?;
        let url = postgres.url().to_owned();
        let (leave, left) = mpsc::channel();
        let thread = thread::spawn(move || keep(postgres, &settings, &left));
        Ok(Self { url, leave, thread })
    }

    /// Where the server is reached, also after it was started again.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Leaves the server as [`PrivatePostgres::stop`] does.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::stop`].
    ///
    /// # Panics
    ///
    /// When the keeper's thread did.
    pub fn stop(self) -> Result<Stopped, StartError> {
        drop(self.leave);
        self.thread.join().expect("the keeper does not panic")
    }
}

fn keep(
    mut postgres: PrivatePostgres,
    settings: &Settings,
    left: &Receiver<Infallible>,
) -> Result<Stopped, StartError> {
    let mut pause = LOOK;
    loop {
        match left.recv_timeout(pause) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Disconnected) => return postgres.stop(),
            Err(RecvTimeoutError::Timeout) if postgres.is_running() => {}
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("the private Postgres is gone and is started again");
                match postgres.start_again(settings) {
                    Ok(again) => (postgres, pause) = (again, LOOK),
                    Err(error) => {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        tracing::error!(%error, retry_in = ?pause, "the private Postgres could not be started again");
                    }
                }
            }
        }
    }
}
