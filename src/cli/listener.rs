//! Listening on the address that a setting names.

use std::io;

use tokio::net::{TcpListener, lookup_host};

use super::error::CommandError;
use crate::config::ListenAddress;

/// Listens on the first of the addresses that can be had; IPv4 first, because what connects to "localhost"
/// by its number mostly means 127.0.0.1.
pub(super) async fn listen(
    setting: &str,
    address: &ListenAddress,
) -> Result<TcpListener, CommandError> {
    let found = lookup_host(address.host_and_port()).await;
    let found = found.map_err(|error| format!("{setting}: can't resolve {address}: {error}"))?;
    let (v4, v6): (Vec<_>, Vec<_>) = found.partition(std::net::SocketAddr::is_ipv4);
    TcpListener::bind(&*[v4, v6].concat()).await.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "{setting}: another program listens on {address}; choose another port, or port 0 for \
                 any free one"
            ),
            _ => format!("{setting}: can't listen on {address}: {error}"),
        };
        why.into()
    })
}
