//! The habits that all calls have: a deadline, a token, and retries that can do no harm.

use std::{
    error::Error,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, ConnectError, Status, TimeoutExpired, body::Body, transport::Channel};
use tower::Service;

use crate::{
    error,
    methods::{self, Method},
    proto::ErrorReason,
    tokens::Tokens,
};

/// A connection to befriend with the client's habits, which the generated clients call through.
#[derive(Clone)]
pub struct Transport {
    pub(crate) channel: Channel,
    pub(crate) tokens: Tokens,
    /// For calls that have no timeout of their own.
    pub(crate) timeout: Duration,
    /// How often a call is tried in all; at least once.
    pub(crate) attempts: u32,
    /// The first pause before a retry, doubled with each one up to twenty times as long.
    pub(crate) first_pause: Duration,
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each try waits for the channel by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().run(request))
    }
}

/// A call that can be tried again.
struct Call {
    method: Method,
    parts: http::request::Parts,
    body: Full<tonic::codegen::Bytes>,
    deadline: Option<Instant>,
}

/// What comes after a try.
enum Next {
    /// The answer is the caller's.
    Done,
    /// The call may be tried again after a pause of at least this length.
    Retry(Duration),
    /// The call may be tried again at once with another token.
    Renew,
}

impl Transport {
    async fn run(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let method = Method::of(parts.uri.path());
        let limit = methods::timeout(&parts.headers).or((!method.streams).then_some(self.timeout));
        let body = Full::new(body.collect().await?.to_bytes());
        let call =
            Call { method, parts, body, deadline: limit.map(|limit| Instant::now() + limit) };

        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let (token, answer) = self.attempt(&call).await;
            // Without the token that it needs a call is not sent.
            let unsent = call.method.with_token && token.is_none() && !self.tokens.is_none();
            let pause = match next(method, unsent, &answer) {
                Next::Retry(least) if attempt < self.attempts => least.max(self.pause(attempt)),
                Next::Renew if !renewed => match token {
                    Some(token) if self.tokens.refused(&token) => {
                        renewed = true;
                        continue;
                    }
                    _ => return answer,
                },
                _ => return answer,
            };
            // A pause that the deadline would end tells the caller less than the answer does.
            if call.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
                return answer;
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// Makes the call once. Returns the token that it was made with too.
    async fn attempt(&self, call: &Call) -> (Option<HeaderValue>, Result<Response<Body>, Status>) {
        let mut token = None;
        let answer = async {
            if call.method.with_token {
                token = self.tokens.header(&self.channel).await?;
            }
            let mut request = Request::new(Body::new(call.body.clone()));
            *request.method_mut() = call.parts.method.clone();
            *request.uri_mut() = call.parts.uri.clone();
            *request.version_mut() = call.parts.version;
            *request.headers_mut() = call.parts.headers.clone();
            if let Some(token) = &token {
                request.headers_mut().insert(AUTHORIZATION, token.clone());
            }
            if let Some(deadline) = call.deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                // Rounded up: eight digits are the most that the header may have.
                let micros = (left.as_micros() + 1).min(99_999_999);
                let value = if left < Duration::from_secs(99) {
                    format!("{micros}u")
                } else {
                    format!("{}S", left.as_secs().min(99_999_999))
                };
                let value = HeaderValue::try_from(value)
                    .map_err(|error| Status::from_error(error.into()))?;
                request.headers_mut().insert("grpc-timeout", value);
            }
            let mut channel = self.channel.clone();
            poll_fn(|context| Service::<Request<Body>>::poll_ready(&mut channel, context))
                .await
                .map_err(failed)?;
            channel.call(request).await.map_err(failed)
        };
        let answer = match call.deadline {
            Some(deadline) => {
                timeout_at(deadline, answer).await.unwrap_or_else(|_| Err(past_deadline()))
            }
            None => answer.await,
        };
        (token, answer)
    }

    /// Grows with each attempt.
    fn pause(&self, attempt: u32) -> Duration {
        let longest = self.first_pause.saturating_mul(20);
        jittered(self.first_pause.saturating_mul(1 << (attempt - 1).min(5)).min(longest))
    }
}

/// Half of a pause to all of it, drawn at random, so that clients that failed together do not come back together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

/// A failure of the connection. The status keeps it as its source.
fn failed(error: tonic::transport::Error) -> Status {
    if has_source::<TimeoutExpired>(&error) {
        return past_deadline();
    }
    Status::from_error(error.into())
}

fn past_deadline() -> Status {
    Status::deadline_exceeded("the call's deadline has passed at the client")
}

/// Whether the request was never sent, since there was no connection.
fn was_not_sent(status: &Status) -> bool {
    has_source::<ConnectError>(status)
}

/// Whether an error of this type is among the causes.
fn has_source<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn next(method: Method, unsent: bool, answer: &Result<Response<Body>, Status>) -> Next {
    let from_headers;
    let status = match answer {
        Err(status) => status,
        // An answer that is only an error has its status in the headers.
        Ok(response) => match Status::from_header_map(response.headers()) {
            Some(status) if status.code() != Code::Ok => {
                from_headers = status;
                &from_headers
            }
            _ => return Next::Done,
        },
    };
    let wait = error::retry_after(status);
    match (status.code(), error::reason(status)) {
        // What UNAVAILABLE ends may have happened, unless nothing was sent.
        (Code::Unavailable, _) if method.repeatable || unsent || was_not_sent(status) => {
            Next::Retry(wait.unwrap_or_default())
        }
        // The service says that nothing has happened.
        (Code::Aborted, Some(ErrorReason::Conflict)) => Next::Retry(Duration::ZERO),
        (Code::ResourceExhausted, Some(ErrorReason::RateLimited)) => {
            wait.map_or(Next::Done, Next::Retry)
        }
        (Code::Unauthenticated, Some(ErrorReason::Unauthenticated)) => Next::Renew,
        _ => Next::Done,
    }
}
