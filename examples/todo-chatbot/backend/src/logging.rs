//! Structured logs: one JSON object per line on stdout, in the shape of OpenTelemetry's log records,
//! filtered by `RUST_LOG`. A line of a request carries its `trace_id`, the same in every server.

use std::fmt;

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Starts the log. `filter` is `info` or `info,sqlx=warn`; one that cannot be read becomes `info`.
pub fn start(filter: &str) {
    let parsed = filter.parse::<Targets>();
    let unreadable = parsed.is_err();
    let targets = parsed
        .unwrap_or_else(|_| Targets::new().with_default(Level::INFO))
        // A connect parameter that sqlx does not know is printed by it with its value.
        .with_target("sqlx_postgres::options", Level::ERROR);
    let lines = tracing_subscriber::fmt::layer().event_format(LogRecord);
    // A second call (several servers in one test process) changes nothing.
    let started = tracing_subscriber::registry()
        .with(targets)
        .with(SpanFields)
        .with(lines)
        .try_init();
    if started.is_ok() && unreadable {
        tracing::warn!("RUST_LOG could not be read, using info");
    }
}

/// Keeps a span's fields, so that each line inside it can repeat them.
struct SpanFields;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanFields {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }
}

/// One line: <https://opentelemetry.io/docs/specs/otel/logs/data-model/>.
struct LogRecord;

impl<S, N> FormatEvent<S, N> for LogRecord
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
        let (severity, number) = match *event.metadata().level() {
            Level::TRACE => ("TRACE", 1),
            Level::DEBUG => ("DEBUG", 5),
            Level::INFO => ("INFO", 9),
            Level::WARN => ("WARN", 13),
            Level::ERROR => ("ERROR", 17),
        };
        let mut fields = Fields::default();
        for span in context.event_scope().into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        event.record(&mut fields);
        let mut attributes = fields.0;
        attributes.insert(
            "code.namespace".to_owned(),
            event.metadata().target().into(),
        );
        let mut record = json!({
            "timestamp": humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
            "severity_text": severity,
            "severity_number": number,
            "body": attributes.remove("message").unwrap_or_default(),
            "resource": {
                "service.name": env!("CARGO_PKG_NAME"),
                "service.version": env!("CARGO_PKG_VERSION"),
            },
        });
        for id in ["trace_id", "span_id"] {
            if let Some(value) = attributes.remove(id) {
                record[id] = value;
            }
        }
        record["attributes"] = attributes.into();
        writeln!(writer, "{record}")
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}
