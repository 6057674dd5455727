//! TLS of the listener: what is in the files of certificates, and the protocols that are offered.

use std::{fs, path::PathBuf, sync::Arc};

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;
use x509_parser::parse_x509_certificate;

use super::error::ServeError;

/// The protocols that ALPN offers, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The names of the files, from the settings.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    /// The chain of certificates.
    pub(super) cert: PathBuf,
    /// Its private key.
    pub(super) key: PathBuf,
    /// The authorities of the clients' certificates; `None`: clients need none.
    pub(super) client_ca: Option<PathBuf>,
}

/// The contents of the files.
pub(super) struct TlsContents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What makes TLS connections of TCP connections.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// When the first certificate of the chain expires.
    pub(super) expires_at: OffsetDateTime,
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`ServeError::File`].
    pub(super) fn read(&self) -> Result<TlsContents, ServeError> {
        let client_ca = self.client_ca.as_ref().map(|path| read("--tls-client-ca", path));
        Ok(TlsContents {
            cert: read("--tls-cert", &self.cert)?,
            key: read("--tls-key", &self.key)?,
            client_ca: client_ca.transpose()?,
        })
    }
}

impl TlsContents {
    /// A digest by which contents are compared, so that the key is not kept for it.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        for part in [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()] {
            let part = part.map_or(&[][..], Vec::as_slice);
            all.update(part.len().to_be_bytes());
            all.update(part);
        }
        all.finalize().into()
    }

    /// Makes of the contents what new connections use.
    ///
    /// # Errors
    /// [`ServeError::Tls`]: no certificate, no key, or a key of another certificate.
    pub(super) fn load(&self) -> Result<Tls, ServeError> {
        let chain = certificates("--tls-cert", &self.cert)?;
        let expires_at = first_expiry(&chain)?;
        let unusable = |why: &dyn ToString| ServeError::Tls("--tls-key", why.to_string());
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|e| unusable(&e))?;
        let builder = match &self.client_ca {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(ca) => {
                let unusable =
                    |why: &dyn ToString| ServeError::Tls("--tls-client-ca", why.to_string());
                let mut roots = RootCertStore::empty();
                for authority in certificates("--tls-client-ca", ca)? {
                    roots.add(authority).map_err(|e| unusable(&e))?;
                }
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
                let verifier = verifier.map_err(|e| unusable(&e))?;
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|e| unusable(&e))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), expires_at })
    }
}

fn certificates(
    setting: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(ServeError::Tls(setting, "the file contains no certificate".to_owned()))
        }
        Ok(chain) => Ok(chain),
        Err(why) => Err(ServeError::Tls(setting, why.to_string())),
    }
}

/// When the first of the certificates expires: clients refuse the chain from then on.
fn first_expiry(chain: &[CertificateDer<'static>]) -> Result<OffsetDateTime, ServeError> {
    let expiries = chain.iter().map(|certificate| {
        let parsed = parse_x509_certificate(certificate);
        parsed.map(|(_, certificate)| certificate.validity().not_after.to_datetime())
    });
    let expiries: Result<Vec<_>, _> = expiries.collect();
    let expiries = expiries.map_err(|why| ServeError::Tls("--tls-cert", why.to_string()))?;
    Ok(expiries.into_iter().min().expect("a chain has a certificate"))
}

fn read(setting: &'static str, path: &PathBuf) -> Result<Vec<u8>, ServeError> {
    fs::read(path).map_err(|source| ServeError::File { setting, path: path.clone(), source })
}
