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
    domain::SigningSecret,
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
    #[arg(long, env = "BEFRIEND_RECEIVER_SECRET", value_name = "SECRET", default_value = "", hide_default_value = true, hide_env_values = true, value_parser = secret)]
    pub secret: Checked,

    /// The HTTP status to answer with.
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    pub status: u16,

    /// How long to wait before the answer.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = any_duration)]
    pub delay: Shown<Duration>,
}

fn secret(text: &str) -> Result<Checked, String> {
    // Compose files can't leave a variable out, only empty.
    if text.is_empty() {
        return Ok(Checked(None));
    }
    SigningSecret::parse("secret", text)
        .map(|secret| Checked(Some(secret)))
        .map_err(|error| error.to_string())
}

/// What signatures are checked with, if they are.
#[derive(Clone, Debug, Default)]
pub struct Checked(pub Option<SigningSecret>);

/// Receives until `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    args: ReceiverArgs,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new().fallback(receive).with_state(Arc::new(args));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn receive(State(args): State<Arc<ReceiverArgs>>, request: Request<Body>) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let checked = match &args.secret.0 {
        None => "signature not checked",
        Some(secret) if is_signed(secret, &parts.headers, &body) => "signature verified",
        Some(_) => "SIGNATURE WRONG",
    };
    let id = header(&parts.headers, "webhook-id");
    println!("callback {id} ({checked}): {}", String::from_utf8_lossy(&body));
    if checked == "SIGNATURE WRONG" {
        return StatusCode::UNAUTHORIZED;
    }
    tokio::time::sleep(args.delay.0).await;
    StatusCode::from_u16(args.status).unwrap_or(StatusCode::OK)
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
