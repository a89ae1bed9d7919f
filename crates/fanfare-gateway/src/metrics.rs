//! The metrics of the gateway: refusals, limits, and HTTP connections that ended badly.
//!
//! Each label has few values, and a client chooses none of them.

use std::time::Duration;

use fanfare_core::{Limit, labels};
use fanfare_metrics::{LimitHits, Registrar};
use prometheus::{HistogramVec, IntCounterVec, Registry};

/// The gateway's metrics, registered once by the composition root.
pub struct GatewayMetrics {
    handshakes: HistogramVec,
    handshakes_refused: IntCounterVec,
    api_errors: IntCounterVec,
    limits_hit: LimitHits,
    http_errors: IntCounterVec,
    tls_handshakes: IntCounterVec,
}

labels! {
    /// Why an upgrade or another request of a client was refused.
    pub(crate) enum Reason {
        /// It is not a WebSocket handshake.
        Handshake = "handshake",
        /// Its page's origin is not allowed.
        Origin = "origin",
        /// Its token is not good, or it has more than one.
        Token = "token",
        /// Its path is kept by the server.
        KeptPath = "kept_path",
        /// Its path is not a channel name.
        ChannelName = "channel_name",
        /// Its channel needs a token.
        NeedsToken = "needs_token",
        /// The client may not use its channel.
        NotPermitted = "not_permitted",
        /// It asks for a past that there is not.
        Past = "past",
        /// It is not a request of a stream.
        Stream = "stream",
        /// The broker did not confirm its subscription.
        Broker = "broker",
        /// The node has its maximum of connections.
        Connections = "connections",
        /// The client's address has its maximum of connections.
        ConnectionsPerAddress = "connections_per_address",
        /// This second has its maximum of new connections.
        ConnectionsPerSecond = "connections_per_second",
        /// It is not a proper HTTP request: its host is wrong, or an upgrade has a body.
        Improper = "improper",
        /// It has too many headers.
        HeaderCount = "header_count",
        /// The node goes away.
        Leaving = "leaving",
        /// Another listener serves its path.
        Elsewhere = "elsewhere",
        /// Its path does not exist.
        NotFound = "not_found",
        /// Its path takes another HTTP method.
        Method = "method",
        /// It accepts neither a page nor a WebSocket.
        NotAcceptable = "not_acceptable",
    }
}

labels! {
    /// Why a call of the API was not carried out: the `reason` of its answer.
    pub(crate) enum ApiReason {
        /// Its key is missing or unknown.
        Unauthorized = "unauthorized",
        /// Its page's origin is not allowed.
        OriginNotAllowed = "origin_not_allowed",
        /// Its body did not come in time.
        TooSlow = "too_slow",
        /// Its body is not what the method takes.
        BadRequest = "bad_request",
        /// Its body has an unknown encoding.
        UnsupportedEncoding = "unsupported_encoding",
        /// Its message is too large.
        TooLarge = "too_large",
        /// The broker did not take it.
        Refused = "refused",
        /// The broker's own rules forbid to publish on its channel.
        Forbidden = "forbidden",
        /// Whether the broker took it is not known.
        OutcomeUnknown = "outcome_unknown",
        /// Its channel's namespace does not have it.
        NotAvailable = "not_available",
        /// The rights of its channel's namespace do not permit it to its client.
        PermissionDenied = "permission_denied",
        /// The history that it goes on from began anew.
        UnrecoverablePosition = "unrecoverable_position",
        /// The broker cannot answer it now.
        Unavailable = "unavailable",
        /// The node goes away.
        Leaving = "leaving",
        /// Another listener serves the API.
        Elsewhere = "elsewhere",
        /// The method does not exist.
        NoSuchMethod = "no_such_method",
        /// The path takes another HTTP method.
        WrongMethod = "wrong_method",
    }
}

labels! {
    /// How an HTTP connection ended badly.
    pub(crate) enum HttpError {
        /// The client does not speak HTTP.
        Parse = "parse",
        /// The header is larger, or has more lines, than the limits allow.
        TooLarge = "too_large",
        /// The header did not come in time.
        Timeout = "timeout",
        /// The client ended the connection within a request or an answer.
        Incomplete = "incomplete",
        /// The PROXY header of a trusted proxy is missing or malformed.
        ProxyHeader = "proxy_header",
        /// The client did not read its answer.
        Stalled = "stalled",
        /// The socket broke.
        Io = "io",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// The outcome of a TLS handshake.
    pub(crate) enum TlsOutcome {
        /// The connection is secure.
        Completed = "completed",
        /// The client does not speak TLS.
        NotTls = "not_tls",
        /// The client needs a certificate and has none.
        NoCertificate = "no_certificate",
        /// The client's certificate is not good.
        BadCertificate = "bad_certificate",
        /// The client refused the handshake: mostly because it does not trust the certificate of this listener.
        Rejected = "rejected",
        /// Client and node have no version, cipher or protocol in common.
        Incompatible = "incompatible",
        /// The handshake took too long.
        Timeout = "timeout",
        /// The client ended the connection within the handshake.
        Ended = "ended",
        /// Anything else.
        Other = "other",
    }
}

/// The request that was refused, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An upgrade, or another request of a client.
    Handshake(Reason),
    /// A call of the API.
    Api(ApiReason),
}

impl Why {
    /// The label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handshake(reason) => reason.name(),
            Self::Api(reason) => reason.name(),
        }
    }
}

labels! {
    /// The outcome of an upgrade.
    pub(crate) enum HandshakeResult {
        /// The answer was 101.
        Accepted = "accepted",
        /// The answer was another status.
        Refused = "refused",
    }
}

impl HttpError {
    /// The kind of an error of hyper.
    pub(crate) fn of(error: &hyper::Error) -> Self {
        if error.is_parse_too_large() {
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

    /// The limit that was reached, if any.
    fn limit(self) -> Option<Limit> {
        match self {
            Self::Timeout => Some(Limit::Handshake),
            Self::TooLarge => Some(Limit::HeaderBytes),
            Self::Parse | Self::Incomplete | Self::ProxyHeader | Self::Stalled | Self::Io | Self::Other => {
                None
            }
        }
    }
}

impl GatewayMetrics {
    /// Makes and registers the metrics. The hub counts in `limits_hit` too.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry, limits_hit: LimitHits) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        Ok(Self {
            handshakes: new.histograms(
                "fanfare_handshake_duration_seconds",
                "From the arrival of an upgrade's request until it is answered, the broker's confirmation included",
                "result",
                HandshakeResult::ALL.iter().map(|result| result.name()),
            )?,
            handshakes_refused: new.counters(
                "fanfare_handshakes_refused_total",
                "Upgrades and other requests of clients that were refused, by reason",
                "reason",
                Reason::ALL.iter().map(|reason| reason.name()),
            )?,
            api_errors: new.counters(
                "fanfare_api_errors_total",
                "Calls of the HTTP API that were not carried out, by the reason in their answer",
                "reason",
                ApiReason::ALL.iter().map(|reason| reason.name()),
            )?,
            limits_hit,
            http_errors: new.counters(
                "fanfare_http_errors_total",
                "HTTP connections that ended badly, by kind",
                "kind",
                HttpError::ALL.iter().map(|error| error.name()),
            )?,
            tls_handshakes: new.counters(
                "fanfare_tls_handshakes_total",
                "TLS handshakes, by what became of them",
                "result",
                TlsOutcome::ALL.iter().map(|outcome| outcome.name()),
            )?,
        })
    }

    /// The counters of limits.
    pub(crate) fn limits_hit(&self) -> &LimitHits {
        &self.limits_hit
    }

    /// Counts an HTTP connection that ended badly, and the limit that ended it, if any.
    pub(crate) fn http_error(&self, error: HttpError) {
        self.http_errors.with_label_values(&[error.name()]).inc();
        if let Some(limit) = error.limit() {
            self.limits_hit.hit(limit);
        }
    }

    /// Counts a TLS handshake, and the limit that ended it, if any.
    pub(crate) fn tls_handshake(&self, outcome: TlsOutcome) {
        self.tls_handshakes.with_label_values(&[outcome.name()]).inc();
        if outcome == TlsOutcome::Timeout {
            self.limits_hit.hit(Limit::Handshake);
        }
    }

    /// Counts an upgrade that was answered, with the time since its request came.
    pub(crate) fn handshake(&self, result: HandshakeResult, took: Duration) {
        self.handshakes.with_label_values(&[result.name()]).observe(took.as_secs_f64());
    }

    /// Counts a request that was refused, and the limit that it reached, if any.
    pub(crate) fn refused(&self, why: Why, limit: Option<Limit>) {
        let counters = match why {
            Why::Handshake(_) => &self.handshakes_refused,
            Why::Api(_) => &self.api_errors,
        };
        counters.with_label_values(&[why.name()]).inc();
        if let Some(limit) = limit {
            self.limits_hit.hit(limit);
        }
    }
}
