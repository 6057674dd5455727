//! The certificates that the listener serves, and their renewal while it does.
//!
//! The contents of the files are read every second and compared. That sees every way in which a
//! certificate is renewed: a file that is written over or renamed into its place, and the symbolic link to
//! another folder by which Kubernetes replaces all files of a secret at once. Notifications of the file
//! system tell about the folder that was watched, and miss the latter two on some file systems; modification
//! times miss a file that was copied with its time. Connections that are open keep what they began with.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;

use super::{
    error::ServeError,
    tls::{Tls, TlsContents, TlsFiles},
};
use crate::{
    background_work::{BackgroundWork, Work},
    clock::Clock,
    config::ListenerArgs,
    domain::Replaceable,
};

/// The certificates, as new connections use them.
pub(super) struct Certificates {
    files: TlsFiles,
    served: Replaceable<Arc<Tls>>,
    clock: Clock,
}

/// What is known of the files: the digest of their contents, or why they can't be read.
type Seen = Result<[u8; 32], String>;

/// What the rounds of a renewal remember.
pub(super) struct Renewal {
    certificates: Arc<Certificates>,
    /// The contents that were served or refused last.
    judged: Seen,
    /// The contents of the last round.
    seen: Seen,
}

impl Certificates {
    /// Reads the certificates that the settings name; `None` if they name none.
    ///
    /// # Errors
    /// [`ServeError::File`], [`ServeError::Tls`].
    pub(super) fn open(
        args: &ListenerArgs,
        clock: &Clock,
    ) -> Result<Option<(Arc<Self>, Renewal)>, ServeError> {
        let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
        let client_ca = args.tls_client_ca.clone();
        let files = TlsFiles { cert: cert.clone(), key: key.clone(), client_ca };
        let contents = files.read()?;
        let tls = contents.load()?;
        if tls.expires_at <= clock.now() {
            tracing::error!(expired_at = %tls.expires_at, "the certificate has expired: clients refuse it");
        }
        show_expiry(tls.expires_at);
        let served = Replaceable::new(Arc::new(tls));
        let certificates = Arc::new(Self { files, served, clock: clock.clone() });
        let (judged, seen) = (Ok(contents.digest()), Ok(contents.digest()));
        Ok(Some((Arc::clone(&certificates), Renewal { certificates, judged, seen })))
    }

    /// What makes a TLS connection of the next TCP connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.served.get().acceptor.clone()
    }

    /// Serves what is in the files, if it can be used.
    fn renew(&self, contents: Result<TlsContents, ServeError>) -> Result<(), ServeError> {
        let tls = contents?.load()?;
        if tls.expires_at <= self.clock.now() {
            let why = format!("the new certificate expired at {}", tls.expires_at);
            return Err(ServeError::Tls("--tls-cert", why));
        }
        let expires_at = tls.expires_at;
        self.served.set(Arc::new(tls));
        show_expiry(expires_at);
        tracing::info!(%expires_at, "new connections use the renewed certificate");
        Ok(())
    }
}

impl Renewal {
    /// Looks at the files, and serves what is new in them, as soon as two rounds in a row have seen the same;
    /// `at_once`: without waiting for a second round. A certificate and its key are two files, which are
    /// seldom written at one moment.
    pub(super) async fn round(mut self, work: &BackgroundWork, at_once: bool) -> Self {
        let files = self.certificates.files.clone();
        let read = tokio::task::spawn_blocking(move || files.read()).await;
        // The task panicked, or the runtime is ending.
        let Ok(contents) = read else { return self };
        let seen = match &contents {
            Ok(contents) => Ok(contents.digest()),
            Err(error) => Err(error.to_string()),
        };
        let settled = self.seen == seen;
        self.seen = seen;
        if at_once || (settled && self.judged != self.seen) {
            self.judged.clone_from(&self.seen);
            let renewed = self.certificates.renew(contents);
            if let Err(error) = &renewed {
                let expires_at = self.certificates.served.get().expires_at;
                tracing::error!(%error, %expires_at, "the new certificate can't be used: the one from before is served on");
            }
            work.stands(Work::Certificates, &renewed);
        }
        self
    }
}

/// Tells when the served certificate expires, to whoever collects metrics.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in an f64 for ages")]
fn show_expiry(at: OffsetDateTime) {
    let gauge = metrics::gauge!("befriend_tls_certificate_expiry_timestamp_seconds");
    gauge.set(at.unix_timestamp() as f64);
}
