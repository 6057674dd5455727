//! Listening on the address that `--listen` names.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use super::error::CommandError;

pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "--listen: another program listens on {address}; choose another port, or port 0 for \
                 any free one"
            ),
            _ => format!("--listen: can't listen on {address}: {error}"),
        };
        why.into()
    })
}
