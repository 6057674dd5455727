//! Sends the spans of the service to a receiver of OTLP, from a bounded queue: spans are lost, and no call
//! waits, while the receiver does not take them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{
    Protocol, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    resource::EnvResourceDetector,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
    },
};
use tokio::{runtime::Handle, time::timeout};
use tonic::transport::{ClientTlsConfig, Endpoint};
use uuid::Uuid;

use crate::{
    config::{OtlpEndpoint, OtlpProtocol, TraceArgs},
    delivery::client_tls,
    domain::with_causes,
    trace,
};

/// How many spans wait to be sent at the most; further ones are lost.
const MAX_WAITING: usize = 8192;

/// How many spans are sent together, and how long the first of them waits.
const MAX_BATCH: usize = 512;
const MAX_DELAY: Duration = Duration::from_secs(1);

/// How long sending a batch may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last spans have at the end of the process.
const LAST_TIMEOUT: Duration = Duration::from_secs(3);

/// Why traces can't be exported.
type ExportError = Box<dyn std::error::Error + Send + Sync>;

/// The export of traces, if there is one.
#[derive(Debug)]
pub struct TraceExport(Option<SdkTracerProvider>);

impl TraceExport {
    /// Starts it, if the settings name an endpoint, on the runtime of now.
    ///
    /// # Errors
    /// When the endpoint or the system's certificate authorities can't be used.
    pub fn start(args: &TraceArgs) -> Result<Self, ExportError> {
        let Some(endpoint) = &args.otlp_endpoint else { return Ok(Self(None)) };
        let exporter = match args.otlp_protocol {
            OtlpProtocol::Grpc => over_grpc(endpoint)?,
            OtlpProtocol::Http => over_http(endpoint)?,
        };
        let exporter =
            Exporter { to: Arc::new(exporter), runtime: Handle::current(), fails: false.into() };
        let queue = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_WAITING)
            .with_max_export_batch_size(MAX_BATCH)
            .with_scheduled_delay(MAX_DELAY)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(queue).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_sampler(sampler(args.trace_sampling))
            .with_span_processor(processor)
            .build();
        trace::start(provider.tracer("befriend"));
        tracing::info!(
            endpoint = endpoint.url(),
            sampling = args.trace_sampling,
            "traces are exported"
        );
        Ok(Self(Some(provider)))
    }

    /// Sends the spans that still wait, for at most 3 s.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let last = move || provider.shutdown_with_timeout(LAST_TIMEOUT);
        let sent = tokio::task::spawn_blocking(last).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be exported");
        }
    }
}

/// Who the service is to the receiver. The standard variable OTEL_RESOURCE_ATTRIBUTES adds to it, and
/// goes before.
fn resource() -> Resource {
    let own = [
        KeyValue::new("service.name", "befriend"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ];
    let given = Box::new(EnvResourceDetector::new());
    Resource::builder_empty().with_attributes(own).with_detector(given).build()
}

/// Callers decide about their own traces, but nothing is sampled at 0.
fn sampler(ratio: f64) -> Sampler {
    if ratio == 0.0 {
        return Sampler::AlwaysOff;
    }
    Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))
}

fn over_grpc(endpoint: &OtlpEndpoint) -> Result<opentelemetry_otlp::SpanExporter, ExportError> {
    let mut channel = Endpoint::from_shared(endpoint.url())?.connect_timeout(SEND_TIMEOUT);
    if endpoint.is_tls() {
        channel = channel.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    let builder = opentelemetry_otlp::SpanExporter::builder().with_tonic();
    let builder = builder.with_timeout(SEND_TIMEOUT).with_channel(channel.connect_lazy());
    Ok(builder.build()?)
}

fn over_http(endpoint: &OtlpEndpoint) -> Result<opentelemetry_otlp::SpanExporter, ExportError> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(client_tls("")?)
        .https_or_http()
        .enable_http1()
        .build();
    let client = HyperClient::new(connector, SEND_TIMEOUT, None);
    let builder = opentelemetry_otlp::SpanExporter::builder().with_http();
    let builder = builder.with_http_client(client).with_protocol(Protocol::HttpBinary);
    Ok(builder.with_endpoint(format!("{}/v1/traces", endpoint.url())).build()?)
}

/// Sends batches on the runtime: the queue's thread has none, and the clients need one.
#[derive(Debug)]
struct Exporter {
    to: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: Handle,
    fails: AtomicBool,
}

impl Exporter {
    /// Logs when sending begins to fail, and when it succeeds again.
    fn note(&self, result: &OTelSdkResult) {
        let failed_before = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !failed_before => {
                tracing::warn!(
                    error = with_causes(error),
                    "traces can't be exported: spans are lost"
                );
            }
            Ok(()) if failed_before => tracing::info!("traces are exported again"),
            _ => {}
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let to = Arc::clone(&self.to);
        let sending =
            self.runtime.spawn(async move { timeout(SEND_TIMEOUT, to.export(batch)).await });
        let result = match sending.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(SEND_TIMEOUT)),
            Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
        };
        self.note(&result);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(to) = Arc::get_mut(&mut self.to) {
            to.set_resource(resource);
        }
    }
}
