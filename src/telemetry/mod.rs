//! The log: text for people, JSON for machines.
//!
//! A message can be understood alone, and carries its facts as fields. A failure is logged once, where it
//! is handled. Names, remarks, tokens and messages never appear at level info or above.

mod writer;

use std::{io::IsTerminal as _, sync::OnceLock};

use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use self::writer::LogWriter;
use crate::config::LogFormat;

static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Writes out the buffered lines. Called before the process ends.
pub fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush();
    }
}

/// Starts logging to standard error. `filter` has been checked by the parser of the settings.
pub fn start(format: LogFormat, filter: &str) {
    let targets: Targets = filter.parse().unwrap_or_default();
    // Postgres' notices say that there is nothing to do, such as for a table that exists already.
    let targets = if filter.contains("sqlx::postgres::notice") {
        targets
    } else {
        targets.with_target("sqlx::postgres::notice", LevelFilter::WARN)
    };
    let registry = tracing_subscriber::registry();
    let writer = WRITER.get_or_init(LogWriter::start).clone();
    // A second start, as in tests, changes nothing.
    let _ = match format {
        LogFormat::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(writer)
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
                    .with_writer(writer)
                    .with_filter(targets),
            )
            .try_init(),
    };
}
