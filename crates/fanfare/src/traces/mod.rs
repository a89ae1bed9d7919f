//! Traces, by OpenTelemetry: spans are made here, and sent to a collector by OTLP. A build without the feature `traces`
//! has none of it but the metric, and refuses a configuration that asks for traces.
//!
//! - `sending`: a node's traces, from the configuration to the last span; `absent`: a build without them
//! - `tracer`: the spans, and what they say
//! - `sampling`: which traces are begun
//! - `export`: what waits for the collector, and what became of it; `metrics`: the same in numbers
//!
//! Invariants
//! - A collector that is slow or away costs spans, which are counted, and nothing else: at most [`QUEUE`] spans wait,
//!   and who makes one never does.
//! - Log lines and spans do not meet: spans are made by a subscriber of their own, so that no log level hides a span,
//!   and no log line carries one.

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

use std::time::Duration;

#[cfg(not(feature = "traces"))]
pub(crate) use self::absent::Traces;
#[cfg(not(feature = "traces"))]
pub use self::absent::TracingError;
pub(crate) use self::metrics::SpanMetrics;
#[cfg(feature = "traces")]
pub(crate) use self::sending::Traces;
#[cfg(feature = "traces")]
pub use self::sending::TracingError;

/// How many spans wait for the collector at most.
pub const QUEUE: usize = 2048;

/// How long what waits may take once the node ends.
pub(crate) const LAST_SPANS: Duration = Duration::from_secs(1);
