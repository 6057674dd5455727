//! The operator's listener: whether the process lives, whether it is ready for calls, its metrics, its state,
//! and what it logs. It is apart from the port of the callers, speaks HTTP/1 without TLS, and asks nobody for a
//! token.
//!
//! It answers from the start of the process to its end, whatever the database does: liveness never depends on
//! it.

mod catalog;
mod exporter;
mod gauge;
mod listen;
mod process;
mod routes;
mod rules;
mod sample;
mod shown;
mod status;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub(super) use self::shown::Service;
use self::shown::Shown;
use super::{error::ServeError, readiness::Readiness};
use crate::telemetry::LogControl;

/// The operator's listener, or none.
#[derive(Debug, Default)]
pub struct Admin {
    readiness: Readiness,
    shown: Option<Arc<Shown>>,
    /// The listener ends with this.
    _listening: Option<AbortOnDropHandle<()>>,
}

impl Admin {
    /// Answers on `listener` from now on, and has everything measured that is created later.
    ///
    /// # Errors
    /// [`ServeError::Metrics`] when this process measures already.
    pub fn start(listener: TcpListener, log: LogControl) -> Result<Self, ServeError> {
        let readiness = Readiness::default();
        let shown = Arc::new(Shown::new(readiness.clone(), log)?);
        let answers = Arc::clone(&shown);
        let answering = async move {
            let router = routes::router(Arc::clone(&answers));
            tokio::join!(listen::serve(&listener, router), answers.exporter.keep_small());
        };
        Ok(Self {
            readiness,
            shown: Some(shown),
            _listening: Some(AbortOnDropHandle::new(tokio::spawn(answering))),
        })
    }

    /// Whether anybody can look.
    pub(super) fn is_on(&self) -> bool {
        self.shown.is_some()
    }

    /// What is to be told of the service's readiness.
    pub(super) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Shows the service from now on.
    pub(super) fn show(&self, service: Service) {
        if let Some(shown) = &self.shown {
            // A process serves once.
            let _ = shown.service.set(service);
        }
    }
}
