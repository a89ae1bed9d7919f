//! A build without traces. The configuration refuses `tracing.endpoint` there, so nothing here ever runs.

use std::sync::Arc;

use fanfare_core::Tracer;

use super::SpanMetrics;
use crate::config::Tracing;

/// The traces of a node: there are none.
#[derive(Debug)]
pub(crate) enum Traces {}

/// Why nothing can be traced.
#[derive(Debug, thiserror::Error)]
#[error(
    "this fanfare was built without traces: build it with the cargo feature `traces`, which releases have"
)]
pub struct TracingError;

impl Traces {
    /// # Errors
    /// Always.
    pub(crate) fn start(_: &Tracing, _: &str, _: &'static str, _: SpanMetrics) -> Result<Self, TracingError> {
        Err(TracingError)
    }

    /// What makes the spans.
    pub(crate) fn tracer(&self) -> Arc<dyn Tracer> {
        match *self {}
    }

    /// Sends what waits.
    pub(crate) async fn finish(self) {
        match self {}
    }
}
