//! Settings of the operator's listener and of the metrics.

use clap::Args;

use super::listen::ListenAddress;

/// The operator's listener.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct AdminArgs {
    /// The address on which the operator finds /livez, /readyz, /metrics, /status and /log [default: none].
    ///
    /// It asks nobody for a token: give it an address that only the operator reaches.
    #[arg(long, env = "BEFRIEND_ADMIN_LISTEN", value_name = "ADDRESS:PORT")]
    pub admin_listen: Option<ListenAddress>,

    /// Of how many apps the calls are counted under the app's own name; further apps count together.
    #[arg(long, env = "BEFRIEND_METRICS_APPS", value_name = "N", default_value = "20")]
    pub metrics_apps: u16,
}

impl AdminArgs {
    /// Of how many apps the calls are counted each by itself; `None` while nobody reads the counts.
    pub(super) fn counted_apps(&self) -> Option<usize> {
        self.admin_listen.as_ref().map(|_| self.metrics_apps.into())
    }
}
