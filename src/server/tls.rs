//! TLS of the listener. tonic's own TLS offers only HTTP/2, and clients of the HTTP APIs need
//! HTTP/1.1.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::error::ServeError;
use crate::config::ListenerArgs;

/// The protocols that ALPN offers, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes may be in progress at once.
const MAX_HANDSHAKES: usize = 1024;

/// Makes TLS connections of TCP connections; `None` when the settings name no certificate.
pub(super) fn acceptor(args: &ListenerArgs) -> Result<Option<TlsAcceptor>, ServeError> {
    let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(None);
    };
    let chain = certificates("--tls-cert", cert)?;
    let unusable = |why: &dyn ToString| ServeError::Tls("--tls-key", why.to_string());
    let key = PrivateKeyDer::from_pem_slice(&read("--tls-key", key)?).map_err(|e| unusable(&e))?;
    let builder = match &args.tls_client_ca {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(ca) => {
            let unusable = |why: &dyn ToString| ServeError::Tls("--tls-client-ca", why.to_string());
            let mut roots = RootCertStore::empty();
            for authority in certificates("--tls-client-ca", ca)? {
                roots.add(authority).map_err(|e| unusable(&e))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            ServerConfig::builder().with_client_cert_verifier(verifier.map_err(|e| unusable(&e))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| unusable(&e))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// The connections whose handshakes succeeded or failed, in the order in which they did.
pub(super) fn accept(
    incoming: impl Stream<Item = io::Result<TcpStream>>,
    acceptor: TlsAcceptor,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let handshake = move |tcp: io::Result<TcpStream>| {
        let acceptor = acceptor.clone();
        async move { timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp?)).await? }
    };
    incoming.map(handshake).buffer_unordered(MAX_HANDSHAKES)
}

fn certificates(
    setting: &'static str,
    path: &PathBuf,
) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let pem = read(setting, path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(ServeError::Tls(setting, format!("{} contains no certificate", path.display())))
        }
        Ok(chain) => Ok(chain),
        Err(why) => Err(ServeError::Tls(setting, why.to_string())),
    }
}

fn read(setting: &'static str, path: &PathBuf) -> Result<Vec<u8>, ServeError> {
    fs::read(path).map_err(|source| ServeError::File { setting, path: path.clone(), source })
}
