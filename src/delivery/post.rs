//! One POST: connections that are kept, TLS with the system's authorities or a rule's own, a time
//! limit, no redirects, and no more of the answer than is kept.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioTimer},
};
use moka::sync::Cache;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::Instant;

use super::{Answer, guard::Guard};
use crate::domain::CallbackRule;

/// How much of an answer is kept.
const KEPT: usize = 1024;

/// How long a connection is kept for the next event.
const IDLE: Duration = Duration::from_secs(60);

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub struct PostmanSettings {
    /// How long a request may take in all.
    pub timeout: Duration,
    /// Whether callbacks may go to loopback and private addresses.
    pub allow_private: bool,
}

type HttpClient = Client<HttpsConnector<Guard>, Full<Bytes>>;

/// Makes requests; one client for each set of authorities, whose connections are kept.
#[derive(Debug)]
pub struct Postman {
    settings: PostmanSettings,
    clients: Cache<String, Result<Arc<HttpClient>, String>>,
}

impl Postman {
    /// A postman without connections.
    #[must_use]
    pub fn new(settings: PostmanSettings) -> Self {
        let clients = Cache::builder().max_capacity(1000).time_to_idle(IDLE * 10).build();
        Self { settings, clients }
    }

    /// Posts a body by a rule, once.
    pub async fn post(
        &self,
        rule: &CallbackRule,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Answer {
        let started = Instant::now();
        let request = self.request(rule, headers, body);
        let answer = match tokio::time::timeout(self.settings.timeout, request).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => failure(error),
            Err(_) => failure(format!("no answer within {:?}", self.settings.timeout)),
        };
        Answer { took: started.elapsed(), ..answer }
    }

    async fn request(
        &self,
        rule: &CallbackRule,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let mut request = Request::post(rule.url.uri())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("befriend/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let client = self.client(&rule.ca_certificates)?;
        let response = client.request(request).await.map_err(|error| in_words(&error))?;
        Ok(Answer {
            status: Some(response.status().as_u16()),
            retry_after: retry_after(response.headers()),
            body: first_bytes(response.into_body()).await,
            error: None,
            took: Duration::ZERO,
        })
    }

    fn client(&self, authorities: &str) -> Result<Arc<HttpClient>, String> {
        let guard = Guard { allow_private: self.settings.allow_private };
        self.clients.get_with_by_ref(authorities, || {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_root_certificates(roots(authorities)?)
                .with_no_client_auth();
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(config)
                .https_or_http()
                .enable_http1()
                .wrap_connector(guard);
            let client = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector);
            Ok(Arc::new(client))
        })
    }
}

/// Makes sure that a rule's authorities can be used; empty stands for the system's.
///
/// # Errors
/// A sentence about what is wrong with them.
pub fn check_authorities(pem: &str) -> Result<(), String> {
    if pem.is_empty() { Ok(()) } else { roots(pem).map(|_| ()) }
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if pem.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    }
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("is no PEM: {error:?}"))?;
        roots.add(certificate).map_err(|error| format!("holds a bad certificate: {error}"))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(roots)
}

fn failure(error: String) -> Answer {
    Answer {
        status: None,
        retry_after: None,
        body: Vec::new(),
        error: Some(error),
        took: Duration::ZERO,
    }
}

/// The whole chain of causes: the outermost says only that connecting failed.
fn in_words(error: &ClientError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// "Retry-After: 120"; the form with a date is left to the schedule.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The first bytes of a body. The rest of a longer one is not read: its connection is closed.
async fn first_bytes(mut body: Incoming) -> Vec<u8> {
    let mut kept = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
        }
        if kept.len() >= KEPT {
            break;
        }
    }
    kept
}
