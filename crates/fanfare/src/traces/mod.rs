//! Traces, by OpenTelemetry: spans are made here, and sent to a collector by OTLP. A build without the feature `traces`
//! has only the metric, and refuses a configuration that asks for traces.
//!
//! - `sending`: the traces of a node, from the configuration to the last span; `absent`: a build without them
//! - `tracer`: the spans and their attributes; `sampling`: the traces that are begun
//! - `export`: the spans that wait for the collector, and their outcome; `metrics`: the outcome in numbers; `bounds`
//!
//! Invariants
//! - A collector that is slow or away costs spans, which are counted, and nothing else. At most [`QUEUE`] spans wait,
//!   and a task that makes a span never does.
//! - Log lines and spans are apart: a subscriber of their own makes the spans, so that no log level hides a span, and
//!   no log line carries one.

mod bounds;
mod metrics;

#[cfg(feature = "traces")]
mod export;
#[cfg(feature = "traces")]
mod sampling;
#[cfg(feature = "traces")]
mod sending;
#[cfg(feature = "traces")]
mod tracer;

#[cfg(not(feature = "traces"))]
mod absent;

#[cfg(not(feature = "traces"))]
pub(crate) use self::absent::Traces;
#[cfg(not(feature = "traces"))]
pub use self::absent::TracingError;
pub use self::bounds::QUEUE;
#[cfg(feature = "traces")]
pub(crate) use self::sending::Traces;
#[cfg(feature = "traces")]
pub use self::sending::TracingError;
pub(crate) use self::{bounds::LAST_SPANS, metrics::SpanMetrics};
