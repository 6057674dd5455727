//! The log: text for people, JSON for machines.
//!
//! A message can be understood alone, and carries its facts as fields. A failure is logged once, where it
//! is handled. Names, remarks, tokens and messages never appear at level info or above.

mod json;
mod writer;

use std::{
    io::IsTerminal as _,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tracing::Level;
use tracing_subscriber::{
    Layer as _, Registry,
    filter::{LevelFilter, Targets},
    fmt::format::JsonFields,
    layer::{Filter, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use self::{json::Json, writer::LogWriter};
use crate::{
    config::{LogFormat, log_filter},
    trace::statements::{OfSampledCalls, StatementSpans},
};

static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Writes out the buffered lines. Called before the process ends.
pub fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush();
    }
}

/// Starts logging to standard error. `filter` has been checked by the parser of the settings. With
/// `changeable` it can be changed later, which costs each line a little. With `traces`, statements become
/// spans of the traces that are exported.
pub fn start(format: LogFormat, filter: &str, changeable: bool, traces: bool) -> LogControl {
    let targets = targets(filter).unwrap_or_default();
    let (control, filter) = LogControl::of(filter, targets, changeable);
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
                    .with_filter(filter),
            )
            .with(traces.then(|| StatementSpans.with_filter(OfSampledCalls)))
            .try_init(),
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .event_format(Json)
                    .fmt_fields(JsonFields::new())
                    .with_writer(writer)
                    .with_filter(filter),
            )
            .with(traces.then(|| StatementSpans.with_filter(OfSampledCalls)))
            .try_init(),
    };
    control
}

/// What the filter lets through.
fn targets(filter: &str) -> Result<Targets, String> {
    let targets: Targets = log_filter(filter)?.parse().map_err(|error| format!("{error}"))?;
    // Postgres' notices say that there is nothing to do, such as for a table that exists already.
    Ok(if filter.contains("sqlx::postgres::notice") {
        targets
    } else {
        targets.with_target("sqlx::postgres::notice", LevelFilter::WARN)
    })
}

type AnyFilter = Box<dyn Filter<Registry> + Send + Sync>;

/// What is logged, which can be changed while the process runs. Clones are one.
#[derive(Clone, Debug)]
pub struct LogControl {
    filter: Arc<Mutex<String>>,
    handle: Option<reload::Handle<Targets, Registry>>,
}

impl LogControl {
    fn of(filter: &str, targets: Targets, changeable: bool) -> (Self, AnyFilter) {
        let filter = Arc::new(Mutex::new(filter.to_owned()));
        if !changeable {
            return (Self { filter, handle: None }, Box::new(targets));
        }
        let (layer, handle) = reload::Layer::new(targets);
        (Self { filter, handle: Some(handle) }, Box::new(layer))
    }

    /// What is logged, in the form of `--log`.
    #[must_use]
    pub fn filter(&self) -> String {
        self.filter.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs this from now on, until the next change or the end of the process, as somebody at the address
    /// `from` wants it. The change is a line of the log if the filter before or the one after lets it through.
    ///
    /// # Errors
    /// Why the filter can't be read.
    pub fn set(&self, filter: &str, from: IpAddr) -> Result<(), String> {
        let targets = targets(filter)?;
        let handle = self.handle.as_ref().ok_or("the log can't be changed in this process")?;
        let mut known = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        let tell =
            || tracing::info!(%from, before = *known, now = filter, "what is logged was changed");
        let told = tracing::enabled!(Level::INFO);
        if told {
            tell();
        }
        handle.reload(targets).map_err(|error| error.to_string())?;
        if !told {
            tell();
        }
        filter.clone_into(&mut known);
        Ok(())
    }
}
