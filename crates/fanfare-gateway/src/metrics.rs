//! What the gateway counts: whom it did not let in, which limits were reached, how HTTP connections ended badly.
//!
//! Every label has few values, and none that a client chooses.

use std::time::Duration;

use fanfare_core::{Limit, labels};
use fanfare_metrics::{LimitHits, Registrar};
use prometheus::{HistogramVec, IntCounterVec, Registry};

/// The gateway's metrics; registered once, at the composition root.
pub struct GatewayMetrics {
    handshakes: HistogramVec,
    handshakes_refused: IntCounterVec,
    api_errors: IntCounterVec,
    limits_hit: LimitHits,
    http_errors: IntCounterVec,
    tls_handshakes: IntCounterVec,
}

labels! {
    /// Why an upgrade or a visit was refused.
    pub(crate) enum Reason {
        /// It is no WebSocket handshake.
        Handshake = "handshake",
        /// Its page's origin is not allowed.
        Origin = "origin",
        /// Its token is not good, or it has more than one.
        Token = "token",
        /// Its path is kept for other things.
        KeptPath = "kept_path",
        /// Its path is no channel's name.
        ChannelName = "channel_name",
        /// Its channel is for those who have a token.
        NeedsToken = "needs_token",
        /// Its channel is not for this client.
        NotPermitted = "not_permitted",
        /// The broker did not confirm its subscription.
        Broker = "broker",
        /// There are as many connections as there may be.
        Connections = "connections",
        /// The same for its client's address.
        ConnectionsPerAddress = "connections_per_address",
        /// The same for this second.
        ConnectionsPerSecond = "connections_per_second",
        /// It is not a proper HTTP request: its host, or a body on an upgrade.
        Improper = "improper",
        /// It has too many headers.
        HeaderCount = "header_count",
        /// The node goes away.
        Leaving = "leaving",
        /// Another listener serves its path.
        Elsewhere = "elsewhere",
        /// There is nothing at its path.
        NotFound = "not_found",
        /// Its path takes another HTTP method.
        Method = "method",
        /// It accepts neither a page nor a WebSocket.
        NotAcceptable = "not_acceptable",
    }
}

labels! {
    /// Why a call of the API was not carried out: the code of its answer.
    pub(crate) enum ApiCode {
        /// It has no key, or none that is known.
        Unauthorized = "unauthorized",
        /// Its page's origin is not allowed.
        OriginNotAllowed = "origin_not_allowed",
        /// Its body did not come in time.
        TooSlow = "too_slow",
        /// Its body is not what the method takes.
        BadRequest = "bad_request",
        /// Its body is encoded in a way that is not known.
        UnsupportedEncoding = "unsupported_encoding",
        /// It is larger than a message may be.
        TooLarge = "too_large",
        /// The broker did not take it.
        Refused = "refused",
        /// The broker's own rules forbid to publish on its channel.
        Forbidden = "forbidden",
        /// Nobody knows whether the broker took it.
        OutcomeUnknown = "outcome_unknown",
        /// The node goes away.
        Leaving = "leaving",
        /// Another listener serves the API.
        Elsewhere = "elsewhere",
        /// There is no such method.
        NoSuchMethod = "no_such_method",
        /// The path takes another HTTP method.
        WrongMethod = "wrong_method",
    }
}

labels! {
    /// How an HTTP connection ended badly.
    pub(crate) enum HttpError {
        /// What came is no HTTP.
        Parse = "parse",
        /// It is HTTP/2 without a word before (prior knowledge).
        Http2 = "http2",
        /// The header is larger, or has more lines, than the server reads.
        TooLarge = "too_large",
        /// The header did not come in time.
        Timeout = "timeout",
        /// The client went away in the middle of a request or an answer.
        Incomplete = "incomplete",
        /// A trusted proxy sent no proper PROXY header.
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
    /// What became of a TLS handshake.
    pub(crate) enum TlsOutcome {
        /// The connection is secure.
        Completed = "completed",
        /// What came is not TLS.
        NotTls = "not_tls",
        /// The client has no certificate, and needs one.
        NoCertificate = "no_certificate",
        /// The client's certificate is not good.
        BadCertificate = "bad_certificate",
        /// The client did not take it: mostly, it does not trust the certificate of this listener.
        Rejected = "rejected",
        /// The two have no version, cipher or protocol in common.
        Incompatible = "incompatible",
        /// It took too long.
        Timeout = "timeout",
        /// The client went away in the middle.
        Ended = "ended",
        /// Anything else.
        Other = "other",
    }
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An upgrade or another request of a client, and why.
    Handshake(Reason),
    /// A call of the API, the same.
    Api(ApiCode),
}

impl Why {
    /// The word for it: a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handshake(reason) => reason.name(),
            Self::Api(code) => code.name(),
        }
    }
}

labels! {
    /// What became of an upgrade.
    pub(crate) enum HandshakeResult {
        /// It was answered with 101.
        Accepted = "accepted",
        /// It was answered with anything else.
        Refused = "refused",
    }
}

impl HttpError {
    /// What hyper's error means.
    pub(crate) fn of(error: &hyper::Error) -> Self {
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

    /// The limit that it came to, if it is one.
    fn limit(self) -> Option<Limit> {
        match self {
            Self::Timeout => Some(Limit::Handshake),
            Self::TooLarge => Some(Limit::HeaderBytes),
            Self::Parse
            | Self::Http2
            | Self::Incomplete
            | Self::ProxyHeader
            | Self::Stalled
            | Self::Io
            | Self::Other => None,
        }
    }
}

impl GatewayMetrics {
    /// Makes and registers them. `limits_hit` is the hub's: sessions reach limits too.
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
                "Upgrades and visits that were refused, by reason",
                "reason",
                Reason::ALL.iter().map(|reason| reason.name()),
            )?,
            api_errors: new.counters(
                "fanfare_api_errors_total",
                "Calls of the HTTP API that were not carried out, by the code of their answer",
                "code",
                ApiCode::ALL.iter().map(|code| code.name()),
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

    /// An HTTP connection ended badly. Where that is a limit's work, the limit is counted too.
    pub(crate) fn http_error(&self, error: HttpError) {
        self.http_errors.with_label_values(&[error.name()]).inc();
        if let Some(limit) = error.limit() {
            self.limits_hit.hit(limit);
        }
    }

    /// A TLS handshake is over. Where that is a limit's work, the limit is counted too.
    pub(crate) fn tls_handshake(&self, outcome: TlsOutcome) {
        self.tls_handshakes.with_label_values(&[outcome.name()]).inc();
        if outcome == TlsOutcome::Timeout {
            self.limits_hit.hit(Limit::Handshake);
        }
    }

    /// An upgrade was answered, so long after its request came.
    pub(crate) fn handshake(&self, result: HandshakeResult, took: Duration) {
        self.handshakes.with_label_values(&[result.name()]).observe(took.as_secs_f64());
    }

    /// A request was refused, and the limit that it came to, if any.
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
