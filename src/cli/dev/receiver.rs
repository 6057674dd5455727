//! `befriend receiver`: receives callbacks during development. It checks signatures, prints each
//! callback, and answers as its settings say.

use std::{path::PathBuf, sync::Arc, time::Duration};

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
    cli::{
        error::CommandError, listener::listen, output::print, progress::print_error,
        signals::listen_to_stops,
    },
    clock::Clock,
    config::{self, ListenAddress},
    delivery::sign,
    domain::{Secret, SigningSecret, parse_duration},
};

/// The largest body that is accepted, in bytes; the service's own are far smaller.
const MAX_BODY: usize = 1024 * 1024;

/// How old a signature may be: as Standard Webhooks recommends, against replays.
const MAX_AGE_SECONDS: u64 = 300;

#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ReceiverArgs {
    /// The address to listen on.
    #[arg(
        long,
        env = "BEFRIEND_RECEIVER_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8090"
    )]
    listen: ListenAddress,

    /// The secret of the callback rule. Without it, signatures are not checked.
    #[arg(long, env = "BEFRIEND_RECEIVER_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = config::secret)]
    secret: Option<Secret>,

    /// A file that holds --secret.
    #[arg(long, env = "BEFRIEND_RECEIVER_SECRET_FILE", value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// The HTTP status to answer with.
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,

    /// How long to wait before answering.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    delay: Duration,
}

impl ReceiverArgs {
    /// Parses the secret here, because the error message of clap would show it.
    fn behavior(&self) -> Result<Behavior, CommandError> {
        let file = self.secret_file.as_deref();
        let secret = config::secret_of("--secret", self.secret.as_ref(), file)?;
        let parse = |secret: Secret| SigningSecret::parse("--secret", secret.reveal());
        Ok(Behavior {
            secret: secret.map(parse).transpose()?,
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK),
            delay: self.delay,
        })
    }
}

/// How a receiver treats callbacks.
#[derive(Clone, Debug)]
pub(super) struct Behavior {
    /// Signatures are checked with this, if it is set.
    pub(super) secret: Option<SigningSecret>,
    /// The HTTP status of its answers.
    pub(super) status: StatusCode,
    /// How long to wait before answering.
    pub(super) delay: Duration,
}

/// Receives callbacks until a signal.
pub(in crate::cli) async fn run(args: ReceiverArgs) -> Result<(), CommandError> {
    let behavior = args.behavior()?;
    let stop = listen_to_stops();
    let listener = listen("--listen", &args.listen).await?;
    if let Err(error) =
        print(format_args!("receiving callbacks on http://{}", listener.local_addr()?))
    {
        print_error(&format!("befriend: {error}; callbacks are answered all the same"));
    }
    Ok(serve(listener, behavior, stop).await?)
}

/// Receives callbacks until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    behavior: Behavior,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new().fallback(receive).with_state(Arc::new(behavior));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn receive(State(behavior): State<Arc<Behavior>>, request: Request<Body>) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let (verdict, forged) = match &behavior.secret {
        None => ("signature not checked", false),
        Some(secret) if is_signed(secret, &parts.headers, &body) => ("signature verified", false),
        Some(_) => ("SIGNATURE WRONG", true),
    };
    let id = header(&parts.headers, "webhook-id");
    // The sender needs an answer also when nobody reads what is printed.
    let _ = print(format_args!("callback {id} ({verdict}): {}", String::from_utf8_lossy(&body)));
    if forged {
        return StatusCode::UNAUTHORIZED;
    }
    tokio::time::sleep(behavior.delay).await;
    behavior.status
}

/// Whether one of the signatures was made with `secret`, for this body, and is recent.
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
