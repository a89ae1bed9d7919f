//! `[tracing]`: where spans go, how, and how many.

pub(super) mod words;

pub use self::words::{Endpoint, TracingHeader, TracingProtocol};
use super::{mistake::Mistake, raw::Raw};

/// What is traced, and who is told.
#[derive(Debug, Clone)]
pub struct Tracing {
    /// The collector.
    pub endpoint: Endpoint,
    /// How it is spoken to.
    pub protocol: TracingProtocol,
    /// Of how many traces that begin here spans are made: from 0 to 1.
    pub sample_ratio: f64,
    /// What the spans are of: `service.name`.
    pub service_name: String,
    /// What each request to the collector carries.
    pub headers: Vec<TracingHeader>,
}

/// A build may have no traces; gRPC has paths of its own.
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

/// What is traced; `None` where nothing is.
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
