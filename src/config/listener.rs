//! Settings of the listener: address, TLS, and bounds of connections and calls.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args, builder::BoolishValueParser};

use super::{
    error::{SettingError, require},
    listen::ListenAddress,
    values::positive_duration,
};
use crate::{domain::parse_duration, gate::GateSettings, grpc::CorsOrigins};

/// The listener.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listener")]
pub struct ListenerArgs {
    /// The address to listen on.
    #[arg(
        long,
        env = "BEFRIEND_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:50051"
    )]
    pub listen: ListenAddress,

    /// The server's certificate chain (PEM), for TLS. Needs --tls-key.
    #[arg(long, env = "BEFRIEND_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert (PEM).
    #[arg(long, env = "BEFRIEND_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Accept only clients with a certificate that one of these authorities (PEM) has signed.
    #[arg(long, env = "BEFRIEND_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,

    /// Answer gRPC reflection, from which tools such as grpcurl learn the services and messages.
    #[arg(long, env = "BEFRIEND_REFLECTION", value_name = "BOOL", default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub reflection: bool,

    /// The origins whose pages in browsers may call, as in https://console.example,http://localhost:3000;
    /// * for all [default: none].
    ///
    /// It holds for JSON and gRPC-Web. A page that may call needs a token all the same.
    #[arg(long, env = "BEFRIEND_CORS_ORIGINS", value_name = "ORIGIN,...")]
    pub cors_origins: Option<CorsOrigins>,

    /// The largest request message.
    #[arg(long, env = "BEFRIEND_MAX_MESSAGE", value_name = "BYTES", default_value = "1048576")]
    pub max_message: NonZeroUsize,

    /// How many calls may be under way at once. Further calls are refused as UNAVAILABLE.
    #[arg(long, env = "BEFRIEND_MAX_IN_FLIGHT", value_name = "N", default_value = "1024")]
    max_in_flight: NonZeroUsize,

    /// How many bytes may be there of requests of which the rest is still coming.
    ///
    /// Whose request needs more than the share of its app, or for logins of its address, is refused as
    /// UNAVAILABLE.
    #[arg(long, env = "BEFRIEND_MAX_ARRIVING", value_name = "BYTES", default_value = "67108864")]
    max_arriving: NonZeroUsize,

    /// How many calls of one connection may be under way at once.
    #[arg(long, env = "BEFRIEND_MAX_STREAMS", value_name = "N", default_value = "256")]
    pub max_streams: NonZeroU32,

    /// How many connections there may be [default: 4096, or what the file descriptors allow].
    ///
    /// Half of them may come from one address, unless --max-connections-per-address says otherwise. When
    /// there are more, one that makes no calls has to go.
    #[arg(long, env = "BEFRIEND_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroUsize>,

    /// How many connections may come from one address [default: half of --max-connections].
    #[arg(long, env = "BEFRIEND_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// How long a new connection may take until its first request, TLS included, and a later request of
    /// HTTP/1 until its head is whole.
    #[arg(long, env = "BEFRIEND_HEADER_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    pub header_timeout: Duration,

    /// How long a connection may stay without a call.
    #[arg(long, env = "BEFRIEND_IDLE_TIMEOUT", value_name = "TIME", default_value = "5m", value_parser = positive_duration)]
    pub idle_timeout: Duration,

    /// How long a caller may take to read an answer, or a message of a stream, before the connection is
    /// closed.
    #[arg(long, env = "BEFRIEND_SEND_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    pub send_timeout: Duration,

    /// How many bytes of answers may wait for callers to read them.
    ///
    /// A connection on which a sixteenth of them waits gets its next answers when it has read these.
    /// When there are more in all, the connection with most of them is closed.
    #[arg(long, env = "BEFRIEND_MAX_UNSENT", value_name = "BYTES", default_value = "67108864")]
    pub max_unsent: NonZeroUsize,

    /// How often to check that an idle connection is alive.
    #[arg(long, env = "BEFRIEND_KEEPALIVE", value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    pub keepalive: Duration,

    /// How long a call may take. A caller's own deadline can only shorten it.
    #[arg(long, env = "BEFRIEND_MAX_DURATION", value_name = "TIME", default_value = "15s", value_parser = positive_duration)]
    max_duration: Duration,

    /// How long calls under way may take to finish at shutdown.
    #[arg(long, env = "BEFRIEND_SHUTDOWN_TIMEOUT", value_name = "TIME", default_value = "20s", value_parser = positive_duration)]
    pub shutdown_timeout: Duration,

    /// How long to continue serving at shutdown after the health check says NOT_SERVING.
    ///
    /// Load balancers then send no further calls before the listener closes.
    #[arg(long, env = "BEFRIEND_DRAIN", value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub drain: Duration,
}

impl ListenerArgs {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        // Not by clap, which does not count what comes from a file of settings.
        let (cert, key) = (self.tls_cert.is_some(), self.tls_key.is_some());
        require(key || !cert, "--tls-cert", "--tls-key is missing")?;
        require(cert || !key, "--tls-key", "--tls-cert is missing")?;
        let ca = self.tls_client_ca.is_some();
        require(cert || !ca, "--tls-client-ca", "--tls-cert is missing")
    }

    /// The settings of the gate, without those of the metrics.
    #[must_use]
    pub(super) fn gate(&self) -> GateSettings {
        GateSettings {
            max_duration: self.max_duration,
            max_in_flight: self.max_in_flight.get(),
            max_arriving: self.max_arriving.get(),
            counted_apps: None,
        }
    }
}
