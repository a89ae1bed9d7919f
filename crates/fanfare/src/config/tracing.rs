//! `[tracing]`: where spans are sent, and how many.

pub(super) mod words;

pub use self::words::{Endpoint, TracingHeader, TracingProtocol};
use super::{mistake::Mistake, raw::Raw};

/// The traces of a node.
#[derive(Debug, Clone)]
pub struct Tracing {
    /// The collector.
    pub endpoint: Endpoint,
    /// The protocol to the collector.
    pub protocol: TracingProtocol,
    /// The share of new traces that are sampled: from 0 to 1.
    pub sample_ratio: f64,
    /// The name of the service: `service.name`.
    pub service_name: String,
    /// The headers of each request to the collector.
    pub headers: Vec<TracingHeader>,
}

/// The endpoint needs a build with traces, and a URL that its protocol can have.
pub(super) fn check(raw: &Raw) -> Option<Mistake> {
    let (endpoint, protocol) = (&raw.tracing_endpoint, &raw.tracing_protocol);
    let url = endpoint.value.as_ref().filter(|_| endpoint.sound && protocol.sound)?;
    if cfg!(not(feature = "traces")) {
        return Some(Mistake {
            place: endpoint.place.clone(),
            key: "tracing.endpoint".into(),
            found: format!("\"{}\"", url.0),
            allowed: "\"\": this fanfare was built without traces".into(),
            hint: Some("build it with the cargo feature `traces`, which every release has".into()),
        });
    }
    let wrong = protocol.value == TracingProtocol::Grpc && url.0.path() != "/";
    wrong.then(|| Mistake {
        place: endpoint.place.clone(),
        key: "tracing.endpoint".into(),
        found: format!("\"{}\"", url.0),
        allowed: format!("a URL without a path, for tracing.protocol = \"grpc\" ({})", protocol.place),
        hint: Some("with a path it is probably tracing.protocol = \"http\"".into()),
    })
}

/// The traces of a node; `None` without an endpoint.
pub(super) fn tracing(raw: &Raw) -> Option<Tracing> {
    Some(Tracing {
        endpoint: raw.tracing_endpoint.value.clone()?,
        protocol: raw.tracing_protocol.value,
        sample_ratio: raw.tracing_sample_ratio.value,
        service_name: raw.tracing_service_name.value.clone(),
        headers: raw.tracing_headers.value.iter().map(|header| header.value.clone()).collect(),
    })
}

#[cfg(test)]
mod tests;
