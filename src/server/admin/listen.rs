//! Takes the connections of the operator's listener, few at a time.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

/// How many connections there may be. A scraper and a few probes each need one; the others wait.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection may take until its next request's head is whole.
const HEAD: Duration = Duration::from_secs(60);

/// How long a connection may last, so that clients which read no answers keep no probe out for long.
const LONGEST: Duration = Duration::from_secs(300);

/// The pause after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `router`, for ever.
pub(super) async fn serve(listener: &TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((tcp, from)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let service = router.clone().layer(Extension(from.ip()));
        let service = TowerToHyperService::new(service);
        let connection = http.serve_connection(TokioIo::new(tcp), service);
        tokio::spawn(async move {
            // Why a connection broke off is its caller's affair.
            let _ = timeout(LONGEST, connection).await;
            drop(place);
        });
    }
}
