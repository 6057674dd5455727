//! A line of the log as one flat JSON object: time, level, what the line itself says, and the fields of the
//! request to which it belongs.

use std::fmt;

use serde::ser::{SerializeMap as _, Serializer as _};
use tracing::{Event, Subscriber};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// Formats events as JSON. The fields of spans have to be formatted by
/// [`tracing_subscriber::fmt::format::JsonFields`], as objects.
#[derive(Debug)]
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = own_members(event)?;
        // Both are objects: the members of the second one go before the closing brace of the first one.
        writer.write_str(line.strip_suffix('}').unwrap_or(&line))?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            let members = fields.and_then(|fields| fields.strip_prefix('{')?.strip_suffix('}'));
            if let Some(members) = members.filter(|members| !members.is_empty()) {
                write!(writer, ",{members}")?;
            }
        }
        writer.write_str("}\n")
    }
}

/// What the line itself says, as an object.
fn own_members(event: &Event<'_>) -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut line = Vec::with_capacity(512);
    let mut write = || {
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("timestamp", &time)?;
        members.serialize_entry("level", event.metadata().level().as_str())?;
        let mut visitor = SerdeMapVisitor::new(members);
        event.record(&mut visitor);
        let mut members = visitor.take_serializer()?;
        members.serialize_entry("target", event.metadata().target())?;
        members.end()
    };
    write().map_err(|_: serde_json::Error| fmt::Error)?;
    String::from_utf8(line).map_err(|_| fmt::Error)
}
