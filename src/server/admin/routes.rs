//! What the operator's listener answers.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use serde_json::json;

use super::{sample::sample, shown::Shown, status};

/// The form of Prometheus that the metrics are in.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The paths, for those who ask for another one.
const PATHS: &str = "there are /livez, /readyz, /metrics, /status and /log\n";

/// The longest body, in bytes: a filter of the log.
const MAX_BODY: usize = 4096;

/// The routes. The extensions of a request hold the address at the other end of its connection.
pub(super) fn router(shown: Arc<Shown>) -> Router {
    Router::new()
        // Never the database: a process without one must not be restarted for it.
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/log", get(log).put(set_log))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .fallback(async || (StatusCode::NOT_FOUND, PATHS))
        .with_state(shown)
}

async fn readyz(State(shown): State<Arc<Shown>>) -> Response {
    let report = shown.readiness.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &report)
}

async fn metrics(State(shown): State<Arc<Shown>>) -> Response {
    let _scrape = shown.scrape.lock().await;
    let scraped = Arc::clone(&shown);
    // Reading what the kernel knows, and writing thousands of lines, would hold up calls.
    let text = tokio::task::spawn_blocking(move || {
        sample(&scraped.readiness, scraped.service.get(), &scraped.rules);
        scraped.exporter.render()
    });
    match text.await {
        Ok(text) => ([(CONTENT_TYPE, PROMETHEUS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics can't be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn status(State(shown): State<Arc<Shown>>) -> Response {
    json(StatusCode::OK, &status::of(&shown))
}

async fn log(State(shown): State<Arc<Shown>>) -> Response {
    json(StatusCode::OK, &json!({ "log": shown.log.filter() }))
}

async fn set_log(
    State(shown): State<Arc<Shown>>,
    Extension(from): Extension<IpAddr>,
    filter: String,
) -> Response {
    match shown.log.set(filter.trim(), from) {
        Ok(()) => log(State(shown)).await,
        Err(why) => json(StatusCode::BAD_REQUEST, &json!({ "error": why })),
    }
}

/// A response of JSON, over several lines: it is read by people too.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut text = serde_json::to_string_pretty(body).unwrap_or_default();
    text.push('\n');
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}
