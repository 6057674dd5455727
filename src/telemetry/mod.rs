//! The log: text for people, JSON for machines.
//!
//! A message reads alone and carries its facts as fields. A failure is logged once, where it is
//! handled. Names, remarks, tokens and messages never appear at level info or above.

mod lines;

use std::{io::IsTerminal as _, sync::OnceLock};

use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use self::lines::Lines;
use crate::config::LogFormat;

static LINES: OnceLock<Lines> = OnceLock::new();

/// Writes the lines that wait; before the process ends.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// Starts logging to standard error. `filter` was checked when the settings were read.
pub fn start(format: LogFormat, filter: &str) {
    let targets: Targets = filter.parse().unwrap_or_default();
    // The database's notices tell of things that are already as they should be.
    let targets = if filter.contains("sqlx::postgres::notice") {
        targets
    } else {
        targets.with_target("sqlx::postgres::notice", LevelFilter::WARN)
    };
    let registry = tracing_subscriber::registry();
    let lines = LINES.get_or_init(Lines::start).clone();
    // A second start, as in tests, keeps the first.
    let _ = match format {
        LogFormat::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(lines)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_target(false)
                    .with_filter(targets),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_writer(lines)
                    .with_filter(targets),
            )
            .try_init(),
    };
}
