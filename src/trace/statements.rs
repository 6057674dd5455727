//! A span for each statement of a sampled call: made of what sqlx says of a statement when it has ended.

use std::{fmt, time::Duration};

use opentelemetry::KeyValue;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
};

use super::{Trace, count, ended_now};

/// The target of sqlx's events.
const TARGET: &str = "sqlx::query";

/// Makes the spans.
#[derive(Clone, Copy, Debug)]
pub struct StatementSpans;

impl<S: Subscriber> Layer<S> for StatementSpans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let name = statement.name();
        let attributes = vec![
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.query.summary", name.clone()),
            KeyValue::new("db.response.returned_rows", statement.rows),
        ];
        ended_now(name, statement.took, attributes);
    }
}

/// Lets the events of statements of sampled calls through, and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct OfSampledCalls;

impl<S> Filter<S> for OfSampledCalls {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.target() == TARGET && Trace::current().0.is_some()
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == TARGET { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}

/// What an event tells.
#[derive(Default)]
struct Statement {
    /// The first words.
    summary: String,
    took: Duration,
    rows: i64,
}

impl Statement {
    /// The name in its first line, "-- heads.lock", or its verb: "begin". Neither holds an argument.
    fn name(&self) -> String {
        let mut words = self.summary.split_whitespace();
        let name = match words.next() {
            Some("--") => words.next(),
            verb => verb,
        };
        name.unwrap_or("statement").trim_end_matches(';').to_owned()
    }
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.took = Duration::try_from_secs_f64(value).unwrap_or_default();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.rows = count(usize::try_from(value).unwrap_or(usize::MAX));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.summary);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_the_name_of_its_first_line() {
        for (summary, name) in [
            ("-- heads.lock select u.owner_key, …", "heads.lock"),
            ("begin; set local statement_timeout …", "begin"),
            ("commit", "commit"),
            ("", "statement"),
        ] {
            let statement = Statement { summary: summary.to_owned(), ..Statement::default() };
            assert_eq!(statement.name(), name);
        }
    }
}
