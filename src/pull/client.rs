//! HTTP calls of a vendor's API: within its rate, several at once, repeated when they fail in passing.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::PullError;
use crate::{
    clock::Clock,
    domain::{backoff, jittered, random_fraction, with_causes},
    retry_after,
};

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest response body, in bytes: 10,000 friends with the longest texts.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// How often in a row the vendor may throttle a call before the pull gives up.
const MAX_THROTTLED: u32 = 100;

/// The longest pause that the vendor may ask for. A pull that is run again goes on where it ended.
const LONGEST_THROTTLE: Duration = Duration::from_mins(10);

/// The longest pause before a call that failed is made again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How fast calls are made, and how often a failed one is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Calls a second, of all kinds together.
    pub per_second: NonZeroU32,
    /// How many calls may be under way at once.
    pub in_flight: usize,
    /// How often a call that failed is repeated.
    pub retries: u32,
    /// The pause before the first repetition; it doubles each time, up to a minute.
    pub backoff: Duration,
}

/// Calls a vendor's API.
pub(super) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    pace: Pace,
    throttle: Throttle,
}

/// When the next call may be made. The vendors count all calls of an app together.
struct Throttle {
    limiter: DefaultDirectRateLimiter,
    /// The end of the pause that the vendor asked for.
    paused_until: Mutex<Option<Instant>>,
}

impl Throttle {
    fn new(pace: Pace) -> Self {
        // Calls spread over the second: the vendor's seconds begin at other moments than ours.
        let burst = NonZeroU32::new(pace.per_second.get() / 20).unwrap_or(NonZeroU32::MIN);
        let limiter = RateLimiter::direct(Quota::per_second(pace.per_second).allow_burst(burst));
        Self { limiter, paused_until: Mutex::default() }
    }

    async fn until_ready(&self) {
        loop {
            let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => break,
            }
        }
        self.limiter.until_ready().await;
    }

    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = (*paused).max(Some(until));
    }
}

/// What a response means for the call. The texts say why.
pub(super) enum Outcome<T> {
    Done(T),
    /// Too many calls: no call may be made for this long.
    Throttled(Duration),
    /// The call failed in passing, and is repeated.
    Retry(String),
    /// The call fails however often it is repeated.
    Failed(String),
    /// The call fails, perhaps for this user only.
    Refused(String),
}

/// A response with its whole body.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Response {
    /// Parses the body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("unexpected JSON: {error}"))
    }

    /// How long the vendor asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after::read(&self.headers, Clock::system().now())
    }

    /// The status, and the beginning of the body.
    pub(super) fn summary(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!("{}: {}", self.status, text.trim())
    }
}

impl Client {
    pub(super) fn new(pace: Pace) -> Result<Self, PullError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| PullError::Setting(error.to_string()))?
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
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { http, pace, throttle: Throttle::new(pace) })
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Makes a call, and repeats it until `classify` says that it is done or failed. `name` is for error
    /// messages. Each attempt builds its own request, because a signature is good for one request.
    pub(super) async fn call<T>(
        &self,
        name: &str,
        request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
        classify: impl Fn(&Response) -> Outcome<T>,
    ) -> Result<T, PullError> {
        let failed = |why: String| PullError::Call { call: name.to_owned(), why };
        let (mut failures, mut throttled) = (0, 0);
        loop {
            self.throttle.until_ready().await;
            let request = request().map_err(failed)?;
            let outcome = match timeout(TIMEOUT, self.send(request)).await {
                Ok(Ok(response)) => classify(&response),
                Ok(Err(why)) => Outcome::Retry(why),
                Err(_) => Outcome::Retry(format!("no answer within {TIMEOUT:?}")),
            };
            match outcome {
                Outcome::Done(value) => return Ok(value),
                Outcome::Failed(why) => return Err(failed(why)),
                Outcome::Refused(why) => {
                    return Err(PullError::Refused { call: name.to_owned(), why });
                }
                Outcome::Throttled(_) if throttled == MAX_THROTTLED => {
                    return Err(failed(format!("throttled {MAX_THROTTLED} times in a row")));
                }
                Outcome::Throttled(time) if time > LONGEST_THROTTLE => {
                    return Err(failed(format!(
                        "throttled for {} s, and a pull waits {} s at most: run it again later",
                        time.as_secs(),
                        LONGEST_THROTTLE.as_secs()
                    )));
                }
                Outcome::Throttled(time) => {
                    throttled += 1;
                    self.throttle.pause(time);
                }
                Outcome::Retry(why) if failures == self.pace.retries => {
                    return Err(failed(format!("failed {} times: {why}", failures + 1)));
                }
                Outcome::Retry(_) => {
                    failures += 1;
                    let pause = backoff(self.pace.backoff, failures, LONGEST_PAUSE);
                    sleep(jittered(pause, random_fraction())).await;
                }
            }
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response, String> {
        let response = self.http.request(request).await.map_err(|error| with_causes(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Response { status: parts.status, headers: parts.headers, body })
    }
}

/// Checks the address of a vendor's API, and cuts off a slash at its end.
pub(super) fn base(url: &str) -> Result<String, PullError> {
    let refused = || PullError::Setting(format!("{url} is not an http:// or https:// address"));
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !http || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
        return Err(refused());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// Whether a call to this address crosses a network without TLS.
pub(super) fn is_in_the_clear(base: &str) -> bool {
    let Ok(uri) = base.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    uri.scheme_str() == Some("http") && !is_local
}
