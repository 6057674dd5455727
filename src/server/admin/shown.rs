//! What the operator's listener shows.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use super::{exporter::Exporter, rules::RuleGauges};
use crate::{
    delivery::DeliveryState,
    ops::Core,
    server::{error::ServeError, peers::Peers, readiness::Readiness},
    telemetry::LogControl,
};

/// All of it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) readiness: Readiness,
    pub(super) exporter: Exporter,
    pub(super) log: LogControl,
    pub(super) started: Instant,
    /// One scrape at a time: each looks at everything.
    pub(super) scrape: tokio::sync::Mutex<()>,
    pub(super) rules: Mutex<RuleGauges>,
    /// Set when the service has begun to serve.
    pub(super) service: OnceLock<Service>,
}

/// The service that is shown.
#[derive(Debug)]
pub(in crate::server) struct Service {
    pub(super) core: Arc<Core>,
    pub(super) peers: Arc<Peers>,
    pub(super) delivery: Arc<DeliveryState>,
}

impl Shown {
    /// A process that does not serve yet. From here on everything is measured that is created.
    ///
    /// # Errors
    /// [`ServeError::Metrics`] when this process measures already.
    pub(super) fn new(readiness: Readiness, log: LogControl) -> Result<Self, ServeError> {
        Ok(Self {
            readiness,
            exporter: Exporter::install()?,
            log,
            started: Instant::now(),
            scrape: tokio::sync::Mutex::default(),
            rules: Mutex::default(),
            service: OnceLock::new(),
        })
    }
}

impl Service {
    /// What this process serves with.
    pub(in crate::server) fn new(
        core: &Arc<Core>,
        peers: &Arc<Peers>,
        delivery: &Arc<DeliveryState>,
    ) -> Self {
        let (core, peers) = (Arc::clone(core), Arc::clone(peers));
        Self { core, peers, delivery: Arc::clone(delivery) }
    }
}
