//! A receiver of callbacks for development: checks signatures, prints what came, and answers as it is
//! told to.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
};
use clap::Args;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{Shown, any_duration},
    delivery::sign,
    domain::{Invalid, SigningSecret},
};

/// The largest body that is taken; ours are far smaller.
const MAX_BODY: usize = 1024 * 1024;

/// How old a signature may be: Standard Webhooks' advice against replays.
const MAX_AGE_SECONDS: u64 = 300;

/// The settings of `befriend receiver`.
#[derive(Args, Clone, Debug)]
pub struct ReceiverArgs {
    /// Where to listen.
    #[arg(
        long,
        env = "BEFRIEND_RECEIVER_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8090"
    )]
    pub listen: SocketAddr,

    /// The rule's secret; without one signatures are not checked.
    #[arg(long, env = "BEFRIEND_RECEIVER_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub secret: Option<String>,

    /// The HTTP status to answer with.
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    pub status: u16,

    /// How long to wait before the answer.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = any_duration)]
    pub delay: Shown<Duration>,
}

impl ReceiverArgs {
    /// How the receiver answers. The secret is read here and not by clap, whose complaint would show
    /// it; an empty one is none, since compose files can't leave a variable out.
    ///
    /// # Errors
    /// When the secret is none.
    pub fn answers(&self) -> Result<Answers, Invalid> {
        let secret = self.secret.as_deref().filter(|text| !text.is_empty());
        Ok(Answers {
            secret: secret.map(|text| SigningSecret::parse("--secret", text)).transpose()?,
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK),
            delay: self.delay.0,
        })
    }
}

/// How a receiver answers.
#[derive(Clone, Debug)]
pub struct Answers {
    /// What signatures are checked with, if they are.
    pub secret: Option<SigningSecret>,
    /// The HTTP status.
    pub status: StatusCode,
    /// How long before the answer.
    pub delay: Duration,
}

/// Receives until `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    answers: Answers,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new().fallback(receive).with_state(Arc::new(answers));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn receive(State(answers): State<Arc<Answers>>, request: Request<Body>) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let checked = match &answers.secret {
        None => "signature not checked",
        Some(secret) if is_signed(secret, &parts.headers, &body) => "signature verified",
        Some(_) => "SIGNATURE WRONG",
    };
    let id = header(&parts.headers, "webhook-id");
    println!("callback {id} ({checked}): {}", String::from_utf8_lossy(&body));
    if checked == "SIGNATURE WRONG" {
        return StatusCode::UNAUTHORIZED;
    }
    tokio::time::sleep(answers.delay).await;
    answers.status
}

/// Whether one of the signatures is by `secret`, over this body and not long ago.
fn is_signed(secret: &SigningSecret, headers: &HeaderMap, body: &[u8]) -> bool {
    let Ok(timestamp) = header(headers, "webhook-timestamp").parse::<i64>() else {
        return false;
    };
    let age = Clock::system().now().unix_timestamp().abs_diff(timestamp);
    let expected = sign(secret, header(headers, "webhook-id"), timestamp, body);
    age <= MAX_AGE_SECONDS
        && header(headers, "webhook-signature")
            .split(' ')
            .any(|signature| signature.as_bytes().ct_eq(expected.as_bytes()).into())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
