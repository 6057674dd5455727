//! One POST: connections that are kept, TLS with the system's authorities or a rule's own, a time
//! limit, no redirects, and no more of the answer than is kept.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use httpdate::parse_http_date;
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use moka::sync::Cache;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::{Instant, timeout_at};

use super::{Answer, guard::Guard};
use crate::domain::{CallbackRule, with_causes};

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

    /// Posts a body by a rule, once, and waits no longer than `at_most` or the setting for the answer.
    pub async fn post(
        &self,
        rule: &CallbackRule,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        at_most: Duration,
    ) -> Answer {
        let started = Instant::now();
        let limit = self.settings.timeout.min(at_most);
        let answer = match timeout_at(started + limit, self.request(rule, headers, body)).await {
            // The status tells what the receiver thinks. Its body is for the log only: one that is
            // cut off, or does not end, changes nothing.
            Ok(Ok(response)) => Answer {
                status: Some(response.status().as_u16()),
                retry_after: retry_after(response.headers()),
                body: first_bytes(response.into_body(), started + limit).await,
                error: None,
                took: Duration::ZERO,
            },
            Ok(Err(error)) => failure(error),
            Err(_) => failure(format!("no answer within {limit:?}")),
        };
        Answer { took: started.elapsed(), ..answer }
    }

    async fn request(
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
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let client = self.client(&rule.ca_certificates)?;
        client.request(request).await.map_err(|error| with_causes(&error))
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

/// "Retry-After: 120", or a date, which counts from the answer's own date: our clocks may differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let asked = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = parse_http_date(asked).ok()?;
    then.duration_since(parse_http_date(text(header::DATE)?).ok()?).ok()
}

/// The first bytes of a body, as far as they come until then. The rest of a longer one is not read:
/// its connection is closed.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_beside_the_answers_own() {
        let asked = |retry: &str, date: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, retry.parse().unwrap());
            headers.insert(header::DATE, date.parse().unwrap());
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let now = "Sat, 21 Nov 2026 12:00:00 GMT";
        assert_eq!(asked("120", now), Some(120));
        assert_eq!(asked("Sat, 21 Nov 2026 12:01:30 GMT", now), Some(90));
        for nonsense in ["Sat, 21 Nov 2026 11:00:00 GMT", "-1", "1.5", "soon", ""] {
            assert_eq!(asked(nonsense, now), None, "{nonsense:?}");
        }
        assert_eq!(asked("Sat, 21 Nov 2026 12:01:30 GMT", "no date"), None);
    }
}
