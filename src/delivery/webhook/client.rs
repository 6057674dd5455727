//! The HTTP client of callbacks: kept connections, TLS with the system's authorities or a rule's own, a
//! time limit, no redirects, and only the first bytes of a response.

use std::{sync::Arc, time::Duration};

use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use moka::sync::Cache;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::{
    body::render, public_address_connector::PublicAddressConnector, signature::signed_headers,
};
use crate::{
    domain::{Attempt, CallbackRule, Event, unix_millis, with_causes},
    retry_after,
    trace::Trace,
};

/// The longest certificates of a rule's authorities, in bytes.
const MAX_AUTHORITIES: usize = 64 * 1024;

/// How many bytes of a response's body are read and kept.
const KEPT: usize = 1024;

/// How long an idle connection is kept for the next event.
const IDLE: Duration = Duration::from_secs(60);

/// How callbacks are posted.
#[derive(Clone, Copy, Debug)]
pub struct WebhookSettings {
    /// How long a request may take in all.
    pub timeout: Duration,
    /// Whether callbacks may go to loopback and private addresses.
    pub allow_private: bool,
}

/// What one POST led to: an HTTP response, or the reason why there is none.
#[derive(Clone, Debug)]
pub struct PostResult {
    /// The HTTP status, if the receiver responded.
    pub status: Option<u16>,
    /// How long the receiver asks to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The first 1024 bytes of the response's body.
    pub body: Vec<u8>,
    /// Why there is no response.
    pub error: Option<String>,
    /// How long the POST took.
    pub took: Duration,
}

impl PostResult {
    /// Only 2xx is a success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The entry of the event's attempt log; `at` is when the POST began.
    #[must_use]
    pub fn attempt(&self, at: OffsetDateTime) -> Attempt {
        let error = match (&self.error, self.status) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(300..=399)) => Some("redirects are not followed".to_owned()),
            (None, Some(status)) if !self.is_success() => Some(format!("status {status}")),
            _ => None,
        };
        Attempt {
            started_at_ms: unix_millis(at),
            http_status: self.status,
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            // A body may hold any bytes, and Postgres stores no NUL in a text.
            response_body: String::from_utf8_lossy(&self.body).replace('\0', "\u{fffd}"),
            error,
        }
    }
}

type HttpClient = Client<HttpsConnector<PublicAddressConnector>, Full<Bytes>>;

/// Posts events to receivers. Each set of trusted authorities has an HTTP client of its own, which
/// keeps its connections.
#[derive(Debug)]
pub struct WebhookClient {
    settings: WebhookSettings,
    clients: Cache<String, Result<Arc<HttpClient>, String>>,
}

impl WebhookClient {
    /// A client without open connections.
    #[must_use]
    pub fn new(settings: WebhookSettings) -> Self {
        let clients = Cache::builder().max_capacity(1000).time_to_idle(IDLE * 10).build();
        Self { settings, clients }
    }

    /// Whether callbacks may go to loopback and private addresses.
    #[must_use]
    pub fn allows_private(&self) -> bool {
        self.settings.allow_private
    }

    /// Posts an event to the receiver of a rule, once. Waits for the response as long as the setting
    /// says, but no longer than `at_most`. `now` is the time that is signed.
    pub async fn send(
        &self,
        rule: &CallbackRule,
        app_key: &str,
        event: &Event,
        now: OffsetDateTime,
        at_most: Duration,
    ) -> PostResult {
        let body = render(rule, app_key, event);
        let headers = signed_headers(rule, &event.id.webhook_id(), now, &body);
        let started = Instant::now();
        let limit = self.settings.timeout.min(at_most);
        let result = match timeout_at(started + limit, self.post(rule, &headers, body)).await {
            // The status alone decides. The body is only logged, so a body that breaks off or takes
            // too long is cut, and changes nothing.
            Ok(Ok(response)) => PostResult {
                status: Some(response.status().as_u16()),
                retry_after: retry_after::read(response.headers(), now),
                body: first_bytes(response.into_body(), started + limit).await,
                error: None,
                took: Duration::ZERO,
            },
            Ok(Err(error)) => no_response(error),
            Err(_) => no_response(format!("no answer within {limit:?}")),
        };
        PostResult { took: started.elapsed(), ..result }
    }

    async fn post(
        &self,
        rule: &CallbackRule,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::post(rule.url.uri())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("befriend/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        for (name, value) in Trace::current().headers().into_iter().flatten() {
            request = request.header(name, value);
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let client = self.client(&rule.ca_certificates)?;
        client.request(request).await.map_err(|error| with_causes(&error))
    }

    fn client(&self, authorities: &str) -> Result<Arc<HttpClient>, String> {
        let connector = PublicAddressConnector { allow_private: self.settings.allow_private };
        self.clients.get_with_by_ref(authorities, || {
            let https = HttpsConnectorBuilder::new()
                .with_tls_config(client_tls(authorities)?)
                .https_or_http()
                .enable_http1()
                .wrap_connector(connector);
            let client = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(https);
            Ok(Arc::new(client))
        })
    }
}

/// The TLS of a client that trusts these authorities; empty stands for the system's.
///
/// # Errors
/// A sentence about what is wrong with the authorities.
pub fn client_tls(authorities: &str) -> Result<ClientConfig, String> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(authorities)?)
        .with_no_client_auth())
}

/// Checks that the certificates of a rule's authorities can be used; empty stands for the system's.
///
/// # Errors
/// A sentence about what is wrong with them.
pub fn check_authorities(pem: &str) -> Result<(), String> {
    if pem.len() > MAX_AUTHORITIES || pem.contains('\0') {
        return Err("must be PEM of at most 64 KiB".to_owned());
    }
    if pem.is_empty() { Ok(()) } else { roots(pem).map(|_| ()) }
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if pem.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    }
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("is not PEM: {error:?}"))?;
        roots.add(certificate).map_err(|error| format!("holds a bad certificate: {error}"))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(roots)
}

fn no_response(error: String) -> PostResult {
    PostResult {
        status: None,
        retry_after: None,
        body: Vec::new(),
        error: Some(error),
        took: Duration::ZERO,
    }
}

/// The first [`KEPT`] bytes of a body, or as many as arrive before `until`. The rest of a longer body is
/// not read; its connection is closed.
async fn first_bytes(mut body: Incoming, until: Instant) -> Vec<u8> {
    let mut kept = Vec::new();
    while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
        if let Some(data) = frame.data_ref() {
            kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
        }
        if kept.len() >= KEPT {
            break;
        }
    }
    kept
}
