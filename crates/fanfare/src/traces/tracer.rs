//! The spans of a node and their attributes, by OpenTelemetry's semantic conventions for HTTP and for messaging.
//!
//! Invariants
//! - A span has no secret: no payload, no query, no header. It may have a channel's name.
//! - A span's name has few values; a value with many variants is an attribute.

use fanfare_core::{
    PublishError, TraceContext, Tracer,
    trace::{Delivery, Finish, Handshake, Published, Publishing},
};
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Dispatch, Level, Span, dispatcher, field::Empty, info_span};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::{Registry, filter::Targets, layer::SubscriberExt};

use super::sampling::Ratio;

/// The target of its spans. Its subscriber takes nothing else.
const SPANS: &str = "fanfare::spans";

/// Methods of RFC 9110, and PATCH. The conventions call all others `_OTHER`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Makes spans.
pub(super) struct SpanMaker {
    /// A subscriber of its own, apart from the log's.
    subscriber: Dispatch,
    ratio: Ratio,
    /// The broker, as `messaging.system`.
    system: &'static str,
}

impl SpanMaker {
    pub(super) fn new(tracer: SdkTracer, ratio: Ratio, broker: &'static str) -> Self {
        let layer = OpenTelemetryLayer::new(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false);
        // Without this filter, every disabled log line of the process would ask this subscriber.
        let only_spans = Targets::new().with_target(SPANS, Level::INFO);
        let subscriber = Registry::default().with(layer).with(only_spans).into();
        // A node without Redis is its own broker.
        let system = if broker == "memory" { "fanfare" } else { broker };
        Self { subscriber, ratio, system }
    }

    fn span(&self, parent: Option<TraceContext>, make: impl FnOnce() -> Span) -> Span {
        let span = dispatcher::with_default(&self.subscriber, make);
        if let Some(parent) = parent {
            // It fails for a span that has begun, and this span has not.
            let _ = span.set_parent(remote(parent));
        }
        span
    }
}

impl Tracer for SpanMaker {
    fn handshake(&self, handshake: &Handshake<'_>) -> Option<Finish<u16>> {
        let Handshake { method, path, client, parent } = *handshake;
        // A client's `traceparent` alone does not begin a trace, or any client could fill the collector.
        if !may_be(parent) || !self.ratio.says_yes() {
            return None;
        }
        let method = if METHODS.contains(&method) { method } else { "_OTHER" };
        let route = if path.starts_with("/ws/") { "/ws/{channel}" } else { "/{channel}" };
        let span = self.span(parent, || {
            info_span!(
                target: SPANS, parent: None, "handshake",
                "otel.name" = format!("{method} {route}"),
                "otel.kind" = "server",
                "http.request.method" = method,
                "http.route" = route,
                "url.path" = path,
                "url.scheme" = "http",
                "client.address" = %client,
                "http.response.status_code" = Empty,
                "otel.status_code" = Empty,
                "error.type" = Empty,
            )
        });
        Some(Box::new(move |status| {
            span.record("http.response.status_code", i64::from(status));
            // A client's mistake is not an error of the server's span.
            if status >= 500 {
                span.record("otel.status_code", "ERROR");
                span.record("error.type", status.to_string());
            }
        }))
    }

    fn publish(&self, publishing: &Publishing<'_>) -> Option<(TraceContext, Finish<Published>)> {
        let Publishing { channel, bytes, session, parent } = *publishing;
        let begins = match parent {
            Some(parent) => parent.is_sampled(),
            None => self.ratio.says_yes(),
        };
        if !begins {
            return None;
        }
        let span = self.span(parent, || {
            info_span!(
                target: SPANS, parent: None, "publish",
                "otel.kind" = "producer",
                "messaging.system" = self.system,
                "messaging.operation.name" = "publish",
                "messaging.operation.type" = "send",
                "messaging.destination.name" = channel.as_str(),
                "messaging.message.body.size" = size(bytes),
                "fanfare.publisher" = if session.is_some() { "client" } else { "api" },
                "fanfare.session" = session.map(|session| session.0.to_string()),
                "otel.status_code" = Empty,
                "otel.status_description" = Empty,
                "error.type" = Empty,
            )
        });
        let context = local(&span)?;
        let finish = move |published: Published| {
            let Err(error) = published else { return };
            span.record("otel.status_description", error.to_string());
            let kind = match error {
                PublishError::Refused(_) => "refused",
                PublishError::Forbidden(_) => "forbidden",
                PublishError::Unknown => "unknown",
            };
            span.record("error.type", kind);
        };
        Some((context, Box::new(finish)))
    }

    fn fan_out(&self, delivery: &Delivery<'_>) -> Option<Finish<usize>> {
        let Delivery { channel, bytes, shard, parent } = *delivery;
        if !parent.is_sampled() {
            return None;
        }
        let span = self.span(Some(parent), || {
            info_span!(
                target: SPANS, parent: None, "deliver",
                "otel.kind" = "consumer",
                "messaging.system" = self.system,
                "messaging.operation.name" = "deliver",
                "messaging.operation.type" = "process",
                "messaging.destination.name" = channel.as_str(),
                "messaging.message.body.size" = size(bytes),
                "fanfare.shard" = size(shard),
                "fanfare.deliveries" = Empty,
            )
        });
        Some(Box::new(move |deliveries| {
            span.record("fanfare.deliveries", size(deliveries));
        }))
    }
}

/// Whether the parent is sampled, or missing.
fn may_be(parent: Option<TraceContext>) -> bool {
    parent.is_none_or(|parent| parent.is_sampled())
}

/// OpenTelemetry's numbers are signed.
fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The context of another process' span.
fn remote(context: TraceContext) -> Context {
    let (trace, span) = (TraceId::from_bytes(context.trace_id()), SpanId::from_bytes(context.span_id()));
    let flags = TraceFlags::new(context.flags());
    Context::new().with_remote_span_context(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}

/// The context of our span, for other processes.
fn local(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let context = context.span().span_context().clone();
    TraceContext::new(
        context.trace_id().to_bytes(),
        context.span_id().to_bytes(),
        context.trace_flags().to_u8(),
    )
}
