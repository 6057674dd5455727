//! TLS of the listener: the certificates, and the protocols that are offered.

use std::{fs, path::PathBuf, sync::Arc};

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::TlsAcceptor;

use super::error::ServeError;
use crate::config::ListenerArgs;

/// The protocols that ALPN offers, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

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
