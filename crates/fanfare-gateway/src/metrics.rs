//! What the gateway counts: whom it did not let in, which limits were reached, how HTTP connections ended badly.
//!
//! Every label has few values, and none that a client chooses.

use prometheus::{IntCounterVec, Opts, Registry};

/// The gateway's metrics; registered once, at the composition root.
pub struct GatewayMetrics {
    handshakes_refused: IntCounterVec,
    api_errors: IntCounterVec,
    limits_hit: IntCounterVec,
    http_errors: IntCounterVec,
}

/// What an answer says of itself to whoever counts: an extension of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// An upgrade or a visit, with the word for its reason, and the limit that it came to, if any.
    Handshake(&'static str, Option<Limit>),
    /// A call of the API, with the code of its answer, and the limit.
    Api(&'static str, Option<Limit>),
}

/// A bound that a client, or all of them together, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Connections in all.
    Connections,
    /// Connections of one client's address.
    ConnectionsPerAddress,
    /// New connections each second.
    ConnectionsPerSecond,
    /// Descriptors: a connection that said nothing was given up for another.
    Descriptors,
    /// The time of a handshake: its header, the PROXY header before it, or the body of a request.
    Handshake,
    /// The number of headers.
    HeaderCount,
    /// The bytes of the headers.
    HeaderBytes,
    /// The bytes of a channel's name.
    ChannelName,
    /// The bytes of a body of the API, or of a message in it.
    Message,
}

impl Limit {
    /// The word for it: a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::ConnectionsPerSecond => "connections_per_second",
            Self::Descriptors => "descriptors",
            Self::Handshake => "handshake",
            Self::HeaderCount => "header_count",
            Self::HeaderBytes => "header_bytes",
            Self::ChannelName => "channel_name",
            Self::Message => "message_bytes",
        }
    }
}

/// How an HTTP connection ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpError {
    /// What came is no HTTP.
    Parse,
    /// It is HTTP/2 without a word before (prior knowledge).
    Http2,
    /// The header is larger, or has more lines, than the server reads.
    TooLarge,
    /// The header did not come in time.
    Timeout,
    /// The client went away in the middle of a request or an answer.
    Incomplete,
    /// A trusted proxy sent no proper PROXY header.
    ProxyHeader,
    /// The socket broke.
    Io,
    /// Anything else.
    Other,
}

impl HttpError {
    /// What hyper's error means.
    #[must_use]
    pub fn of(error: &hyper::Error) -> Self {
        if error.is_parse_version_h2() {
            Self::Http2
        } else if error.is_parse_too_large() {
            Self::TooLarge
        } else if error.is_parse() {
            Self::Parse
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_incomplete_message() || error.is_body_write_aborted() || error.is_canceled() {
            Self::Incomplete
        } else if std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>()) {
            Self::Io
        } else {
            Self::Other
        }
    }

    /// The word for it: a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Http2 => "http2",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::ProxyHeader => "proxy_header",
            Self::Io => "io",
            Self::Other => "other",
        }
    }

    /// The limit that it came to, if it is one.
    fn limit(self) -> Option<Limit> {
        match self {
            Self::Timeout => Some(Limit::Handshake),
            Self::TooLarge => Some(Limit::HeaderBytes),
            Self::Parse | Self::Http2 | Self::Incomplete | Self::ProxyHeader | Self::Io | Self::Other => None,
        }
    }
}

impl GatewayMetrics {
    /// Makes and registers them. `limits_hit` is the hub's: sessions come to limits too.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry, limits_hit: IntCounterVec) -> prometheus::Result<Self> {
        let counters = |name, help, label| -> prometheus::Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        Ok(Self {
            handshakes_refused: counters(
                "fanfare_handshakes_refused_total",
                "Upgrades and visits that were refused, by reason",
                "reason",
            )?,
            api_errors: counters(
                "fanfare_api_errors_total",
                "Calls of the HTTP API that were not carried out, by the code of their answer",
                "code",
            )?,
            limits_hit,
            http_errors: counters(
                "fanfare_http_errors_total",
                "HTTP connections that ended badly, by kind",
                "kind",
            )?,
        })
    }

    /// Those of a test, which nobody reads.
    #[cfg(test)]
    pub(crate) fn unread() -> Self {
        let registry = Registry::new();
        let hub = fanfare_hub::HubMetrics::register(&registry).unwrap();
        Self::register(&registry, hub.limits_hit).unwrap()
    }

    /// A limit did its work.
    pub fn limit_hit(&self, limit: Limit) {
        self.limits_hit.with_label_values(&[limit.name()]).inc();
    }

    /// An HTTP connection ended badly. Where that is a limit's work, the limit is counted too.
    pub fn http_error(&self, error: HttpError) {
        self.http_errors.with_label_values(&[error.name()]).inc();
        if let Some(limit) = error.limit() {
            self.limit_hit(limit);
        }
    }

    /// Somebody was not let in.
    pub(crate) fn refused(&self, refused: Refused) {
        let (counters, label, limit) = match refused {
            Refused::Handshake(reason, limit) => (&self.handshakes_refused, reason, limit),
            Refused::Api(code, limit) => (&self.api_errors, code, limit),
        };
        counters.with_label_values(&[label]).inc();
        if let Some(limit) = limit {
            self.limit_hit(limit);
        }
    }
}
