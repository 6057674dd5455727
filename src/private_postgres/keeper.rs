//! Keeps the private Postgres running for as long as its service runs.
//!
//! The watchdog ensures that a server does not outlive its users; the keeper, that a service does not
//! outlive its server. It restarts a server that was killed (the kernel's out-of-memory killer chooses large
//! processes) or stopped by hand. The socket keeps its path, so the service's pool reconnects by itself.

use std::{
    convert::Infallible,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    error::StartError,
    server::{PrivatePostgres, Stopped},
    settings::Settings,
};

/// The time between two checks of the server's process, each of which reads a file in /proc.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The longest pause after failed restarts; the pause doubles with each of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A private Postgres that is kept running. Dropping it is [`Self::stop`] without waiting.
#[derive(Debug)]
pub struct Keeper {
    url: String,
    /// Nothing is ever sent. The keeper's thread stops the server when this is dropped.
    stop: Sender<Infallible>,
    thread: JoinHandle<Result<Stopped, StartError>>,
}

impl Keeper {
    /// Starts or joins the server as [`PrivatePostgres::start`] does, and keeps it running from then on.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::start`].
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let postgres = PrivatePostgres::start(&settings)?;
        let url = postgres.url().to_owned();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || keep_running(postgres, &settings, &stopped));
        Ok(Self { url, stop, thread })
    }

    /// The server's URL, which stays the same when the server is restarted.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the use of the server as [`PrivatePostgres::stop`] does.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::stop`].
    ///
    /// # Panics
    ///
    /// When the keeper's thread panicked.
    pub fn stop(self) -> Result<Stopped, StartError> {
        drop(self.stop);
        self.thread.join().expect("the keeper does not panic")
    }
}

fn keep_running(
    mut postgres: PrivatePostgres,
    settings: &Settings,
    stopped: &Receiver<Infallible>,
) -> Result<Stopped, StartError> {
    let mut pause = CHECK_INTERVAL;
    loop {
        match stopped.recv_timeout(pause) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Disconnected) => return postgres.stop(),
            Err(RecvTimeoutError::Timeout) if postgres.is_running() => {}
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("the private Postgres has ended and is started again");
                match postgres.start_again(settings) {
                    Ok(again) => (postgres, pause) = (again, CHECK_INTERVAL),
                    Err(error) => {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        tracing::error!(%error, retry_in = ?pause, "the private Postgres could not be started again");
                    }
                }
            }
        }
    }
}
