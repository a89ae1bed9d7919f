//! Spans on their way to the collector: how many wait, how many are sent, and what is logged if they are lost.
//!
//! Invariant: lost spans are logged at most once in [`SAY_EVERY`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use parking_lot::Mutex;

use super::{LAST_SPANS, QUEUE, SpanMetrics};

const SAY_EVERY: Duration = Duration::from_secs(60);

/// The number of spans that wait. The SDK has a queue of its own, whose losses are not counted. This one never lets it
/// become full.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    metrics: SpanMetrics,
}

impl Queue {
    pub(super) fn new(metrics: SpanMetrics) -> Self {
        Self { waiting: AtomicUsize::new(0), metrics }
    }

    /// Adds a span, if the queue is not full.
    fn enter(&self) -> bool {
        let is_room = self.waiting.fetch_add(1, Ordering::Relaxed) < QUEUE;
        if !is_room {
            self.leave(1);
            self.metrics.dropped.inc();
        }
        is_room
    }

    fn leave(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
    }
}

/// The SDK's queue behind ours.
#[derive(Debug)]
pub(super) struct Queued {
    processor: BatchSpanProcessor,
    queue: Arc<Queue>,
}

impl Queued {
    pub(super) fn new(processor: BatchSpanProcessor, queue: Arc<Queue>) -> Self {
        Self { processor, queue }
    }
}

impl SpanProcessor for Queued {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.queue.enter() {
            self.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    /// The SDK calls it too when the last provider is dropped, with its own timeout.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout.min(LAST_SPANS))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// Counts the spans that are sent, and logs those that are lost.
#[derive(Debug)]
pub(super) struct Counted<E> {
    exporter: E,
    queue: Arc<Queue>,
    trouble: Mutex<Trouble>,
}

/// Losses that were not logged yet.
#[derive(Debug, Default)]
struct Trouble {
    said: Option<Instant>,
    failed: usize,
    /// The count of dropped spans when losses were last logged.
    dropped: u64,
}

impl<E> Counted<E> {
    pub(super) fn new(exporter: E, queue: Arc<Queue>) -> Self {
        Self { exporter, queue, trouble: Mutex::default() }
    }

    fn answered(&self, spans: usize, result: &OTelSdkResult) {
        let metrics = &self.queue.metrics;
        let mut trouble = self.trouble.lock();
        match result {
            Ok(()) => metrics.sent.inc_by(spans as u64),
            Err(_) => {
                metrics.failed.inc_by(spans as u64);
                trouble.failed += spans;
            }
        }
        let dropped = metrics.dropped.get() - trouble.dropped;
        let was_said_lately = trouble.said.is_some_and(|said| said.elapsed() < SAY_EVERY);
        if (trouble.failed == 0 && dropped == 0) || was_said_lately {
            return;
        }
        let failed = trouble.failed;
        *trouble = Trouble { said: Some(Instant::now()), failed: 0, dropped: metrics.dropped.get() };
        let error = result.as_ref().err().map(tracing::field::display);
        tracing::warn!(
            failed,
            dropped,
            error,
            "spans are lost: the collector does not take them, or not fast enough"
        );
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.queue.leave(spans);
        let result = self.exporter.export(batch).await;
        self.answered(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
