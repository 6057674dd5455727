//! Calls of a vendor's API: at its pace, several at once, again when it is worth it.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::VendorError;
use crate::domain::{backoff, jittered, random_fraction, with_causes};

/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer: a list of 10,000 friends with every text as long as it can be.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// How often a call is refused for coming too often, in a row, before it is given up.
const REFUSALS: u32 = 100;

/// The longest pause before a call that failed is made again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How fast, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Calls a second, of all kinds together.
    pub per_second: NonZeroU32,
    /// Calls under way at the most.
    pub in_flight: usize,
    /// How often a call that failed is made again.
    pub retries: u32,
    /// The first pause before that; it doubles each time, up to a minute.
    pub backoff: Duration,
}

/// Makes calls.
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    pace: Pace,
    turns: Turns,
}

/// When the next call may be made, of whatever kind: the vendors count an app's calls.
struct Turns {
    limiter: DefaultDirectRateLimiter,
    /// Until when the vendor wants none.
    paused: Mutex<Option<Instant>>,
}

impl Turns {
    fn new(pace: Pace) -> Self {
        // A twentieth of a second's calls at once: the vendor's second is not ours.
        let burst = NonZeroU32::new(pace.per_second.get() / 20).unwrap_or(NonZeroU32::MIN);
        let limiter = RateLimiter::direct(Quota::per_second(pace.per_second).allow_burst(burst));
        Self { limiter, paused: Mutex::default() }
    }

    async fn next(&self) {
        loop {
            let paused = *self.paused.lock().unwrap_or_else(PoisonError::into_inner);
            match paused.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => break,
            }
        }
        self.limiter.until_ready().await;
    }

    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |paused| paused.max(until)));
    }
}

/// What an answer means.
pub(super) enum Verdict<T> {
    /// It is this.
    Done(T),
    /// Too many calls: none for a while.
    TooOften(Duration),
    /// Again, perhaps it passes.
    Again(String),
    /// It does not pass.
    Never(String),
    /// It does not pass, perhaps for this user only.
    Refused(String),
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// What the answer's JSON holds.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("no such JSON: {error}"))
    }

    /// The seconds after which to come again, if the vendor says them.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// The status, and the beginning of the text.
    pub(super) fn in_words(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!("{}: {}", self.status, text.trim())
    }
}

impl Client {
    pub(super) fn new(pace: Pace) -> Result<Self, VendorError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| VendorError::Setting(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { pool, pace, turns: Turns::new(pace) })
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Makes a call, called `name`, until its answer is `judge`d to be one, or hopeless. Each try is a
    /// request of its own: signatures are good for one.
    pub(super) async fn call<T>(
        &self,
        name: &str,
        request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
        judge: impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<T, VendorError> {
        let failed = |why: String| VendorError::Call { call: name.to_owned(), why };
        let (mut failures, mut refusals) = (0, 0);
        loop {
            self.turns.next().await;
            let request = request().map_err(failed)?;
            let verdict = match timeout(TIMEOUT, self.send(request)).await {
                Ok(Ok(answer)) => judge(&answer),
                Ok(Err(why)) => Verdict::Again(why),
                Err(_) => Verdict::Again(format!("no answer within {TIMEOUT:?}")),
            };
            match verdict {
                Verdict::Done(value) => return Ok(value),
                Verdict::Never(why) => return Err(failed(why)),
                Verdict::Refused(why) => {
                    return Err(VendorError::Refused { call: name.to_owned(), why });
                }
                Verdict::TooOften(_) if refusals == REFUSALS => {
                    return Err(failed(format!("refused {REFUSALS} times for coming too often")));
                }
                Verdict::TooOften(time) => {
                    refusals += 1;
                    self.turns.pause(time);
                }
                Verdict::Again(why) if failures == self.pace.retries => {
                    return Err(failed(format!("failed {} times: {why}", failures + 1)));
                }
                Verdict::Again(_) => {
                    failures += 1;
                    let pause = backoff(self.pace.backoff, failures, LONGEST_PAUSE);
                    sleep(jittered(pause, random_fraction())).await;
                }
            }
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.pool.request(request).await.map_err(|error| with_causes(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// The address of a vendor's API, without a slash at its end.
pub(super) fn base(url: &str) -> Result<String, VendorError> {
    let refused = || VendorError::Setting(format!("{url} is no http:// or https:// address"));
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !http || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
        return Err(refused());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// Whether a call to this address goes over a network as it is.
pub(super) fn is_in_the_clear(base: &str) -> bool {
    let Ok(uri) = base.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    uri.scheme_str() == Some("http") && !here
}
