//! Takes new connections, and goes on when none can be taken for a while.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    connection::{Protocols, Routes},
    peers::Peers,
};
use crate::gate::Connection;

/// The pause after a connection could not be taken: for want of descriptors or memory, the next try would
/// fail as well, and the one after it.
const PAUSE: Duration = Duration::from_millis(50);

/// Without a failure for so long, connections count as taken again.
const RECOVERED: Duration = Duration::from_secs(5);

/// Takes connections and serves each in a task of its own, for ever.
pub(super) async fn accept<S: Routes>(
    listener: &TcpListener,
    peers: &Arc<Peers>,
    protocols: &Protocols<S>,
) {
    let mut failed: Option<Instant> = None;
    loop {
        peers.until_room().await;
        match listener.accept().await {
            Ok((tcp, address)) => {
                if failed.is_some_and(|at| at.elapsed() > RECOVERED) {
                    failed = None;
                    tracing::info!("connections can be taken again");
                }
                let connection = Connection::new(Some(address.ip()), protocols.has_tls());
                spawn(tcp, connection, peers, protocols);
            }
            // The caller has gone before it was its turn.
            Err(error) if is_of_the_caller(&error) => {}
            Err(error) => {
                if failed.replace(Instant::now()).is_none() {
                    tracing::error!(%error, "connections can't be taken; the next ones wait");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn spawn<S: Routes>(
    tcp: TcpStream,
    connection: Connection,
    peers: &Arc<Peers>,
    protocols: &Protocols<S>,
) {
    if let Some(admission) = peers.admit(connection) {
        tokio::spawn(protocols.clone().serve(tcp, admission));
    }
}

fn is_of_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
