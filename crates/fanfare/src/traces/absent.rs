//! A build without traces. The configuration refuses `tracing.endpoint` there, so nothing here ever runs.

use std::sync::Arc;

use fanfare_core::Tracer;

use super::SpanMetrics;
use crate::config::Tracing;

/// The traces of a node, which a build without traces cannot have.
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

    /// The tracer of the node.
    pub(crate) fn tracer(&self) -> Arc<dyn Tracer> {
        match *self {}
    }

    /// Sends the spans that wait.
    pub(crate) async fn finish(self) {
        match self {}
    }
}
