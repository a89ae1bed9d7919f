//! The traces of a node: the configured exporter, and the tracer that feeds it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use fanfare_core::Tracer;
use http::HeaderMap;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::metadata::MetadataMap,
};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tokio::{runtime::Handle, task::spawn_blocking};

use super::{
    LAST_SPANS, QUEUE, SpanMetrics,
    export::{Counted, Queue, Queued},
    sampling::Ratio,
    tracer::SpanMaker,
};
use crate::config::{Tracing, TracingProtocol};

/// The most time that the collector may take for a request, with retries.
const EXPORT: Duration = Duration::from_secs(10);

/// Makes a node's spans and sends them.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: Arc<dyn Tracer>,
}

/// The exporter cannot be made from the configuration and the environment.
#[derive(Debug, thiserror::Error)]
#[error(
    "traces cannot be sent ([tracing] in the configuration, OTEL_EXPORTER_OTLP_* in the environment): {0}"
)]
pub struct TracingError(#[from] ExporterBuildError);

impl Traces {
    /// Starts the traces of the node `node`, whose broker is called `broker`, on the current runtime. The collector
    /// need not be up.
    ///
    /// # Errors
    /// The exporter cannot be made.
    pub(crate) fn start(
        config: &Tracing,
        node: &str,
        broker: &'static str,
        metrics: SpanMetrics,
    ) -> Result<Self, TracingError> {
        let queue = Arc::new(Queue::new(metrics));
        let exporter = Counted::new(exporter(config)?, queue.clone());
        let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let ratio = Ratio::new(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queued::new(processor, queue))
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
            .with_id_generator(ratio)
            .with_resource(resource(config, node))
            .build();
        let tracer = Arc::new(SpanMaker::new(provider.tracer("fanfare"), ratio, broker));
        Ok(Self { provider, tracer })
    }

    /// The tracer of the node.
    pub(crate) fn tracer(&self) -> Arc<dyn Tracer> {
        self.tracer.clone()
    }

    /// Sends the spans that wait, for at most [`LAST_SPANS`]. Later spans are lost.
    pub(crate) async fn finish(self) {
        let sent = spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_SPANS)).await;
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::error!(%error, "the end of the traces ended badly"),
        }
    }
}

fn exporter(config: &Tracing) -> Result<SpanExporter, ExporterBuildError> {
    let endpoint = config.endpoint.for_traces(config.protocol);
    let headers = config.headers.iter().map(|header| (header.name.clone(), header.value.clone()));
    match config.protocol {
        TracingProtocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_metadata(MetadataMap::from_headers(headers.collect()))
            .with_endpoint(endpoint)
            .with_timeout(EXPORT)
            .build(),
        TracingProtocol::Http => SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Client::new(headers.collect()))
            .with_endpoint(endpoint)
            .with_timeout(EXPORT)
            .build(),
    }
}

/// The attributes of all spans of this node (OpenTelemetry semantic conventions, "Service"). The SDK adds
/// `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(config: &Tracing, node: &str) -> Resource {
    Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.to_owned()),
        ])
        .build()
}

/// An HTTP client on the node's runtime: the SDK sends from a thread of its own.
#[derive(Debug)]
struct Client {
    runtime: Handle,
    client: HyperClient,
    headers: HeaderMap,
}

impl Client {
    fn new(headers: HeaderMap) -> Self {
        let client = HyperClient::with_default_connector(EXPORT, None);
        Self { runtime: Handle::current(), client, headers }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
