//! The metrics of Redis. With another broker they stay 0.

use std::sync::Arc;

use fanfare_metrics::Registrar;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::metrics::Metrics;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct RedisMetrics {
    /// The metrics of every broker.
    pub(crate) broker: Arc<Metrics>,
    pub(crate) unfenced_reconnects: IntCounter,
    pub(crate) mismatches: IntCounter,
    pub(crate) subscriptions_forbidden: IntCounter,
    pub(crate) round_trip: Histogram,
    pub(crate) clock_offset: Gauge,
    pub(crate) queue: IntGauge,
    pub(crate) registry_malformed: IntCounter,
    pub(crate) server_list_conflicts: IntGauge,
    pub(crate) presence_failures: IntCounter,
    pub(crate) bytes_sent: IntCounter,
    pub(crate) bytes_received: IntCounter,
    /// Publications that were written again after their connection ended.
    pub(crate) replays: IntCounter,
    publishes: IntCounter,
    commands: IntCounterVec,
    errors: IntCounterVec,
    reconnects: IntCounterVec,
}

/// The two connections, in logs and metrics.
pub(crate) const CONNECTIONS: [&str; 2] = [PUBLISHER, SUBSCRIBER];
pub(crate) const PUBLISHER: &str = "publisher";
pub(crate) const SUBSCRIBER: &str = "subscriber";

/// The purpose of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A publication.
    Publish,
    /// A publication that is kept, or has an idempotency key.
    Keep,
    /// A message to other nodes.
    Control,
    /// Says that this node lives. A replica refuses it.
    Heartbeat,
    /// Asks for the time.
    Time,
    /// A message to this node itself.
    Canary,
    /// SUBSCRIBE, of up to a thousand channels.
    Subscribe,
    /// UNSUBSCRIBE, of up to a thousand channels.
    Unsubscribe,
    /// Asks how many subscriptions there are.
    Check,
    /// The commands that open a connection.
    Connect,
    /// The list of nodes.
    Registry,
    /// The script of publications that are kept.
    Script,
    /// Reads or removes a history.
    History,
    /// The clients in channels.
    Presence,
    /// Revoked tokens.
    Revocation,
    /// Reads and removes events for the operator's backend.
    Events,
}

impl Kind {
    const ALL: [Self; 16] = [
        Self::Publish,
        Self::Keep,
        Self::Control,
        Self::Heartbeat,
        Self::Time,
        Self::Canary,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Check,
        Self::Connect,
        Self::Registry,
        Self::Script,
        Self::History,
        Self::Presence,
        Self::Revocation,
        Self::Events,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Keep => "keep",
            Self::Control => "control",
            Self::Heartbeat => "heartbeat",
            Self::Time => "time",
            Self::Canary => "canary",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Check => "check",
            Self::Connect => "connect",
            Self::Registry => "registry",
            Self::Script => "script",
            Self::History => "history",
            Self::Presence => "presence",
            Self::Revocation => "revocation",
            Self::Events => "events",
        }
    }
}

/// The code words that have a label of their own. The others count as [`OTHER`].
const CODES: [&str; 13] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "LOADING",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];
const OTHER: &str = "other";

impl RedisMetrics {
    pub(crate) fn register(new: Registrar<'_>, broker: Arc<Metrics>) -> prometheus::Result<Self> {
        let commands = new.counters(
            "fanfare_redis_commands_total",
            "Commands sent to Redis, by what they are for",
            "kind",
            Kind::ALL.map(Kind::label),
        )?;
        Ok(Self {
            broker,
            publishes: commands.with_label_values(&[Kind::Publish.label()]),
            commands,
            replays: new.counter(
                "fanfare_redis_replays_total",
                "Publications that were written to Redis again, because their connection ended before the answer",
            )?,
            errors: new.counters(
                "fanfare_redis_errors_total",
                "Errors that Redis answered, by their code",
                "code",
                CODES.into_iter().chain([OTHER]),
            )?,
            bytes_sent: new.counter(
                "fanfare_redis_sent_bytes_total",
                "Bytes written to the connections to Redis that publish and subscribe",
            )?,
            bytes_received: new.counter(
                "fanfare_redis_received_bytes_total",
                "Bytes read from the connections to Redis that publish and subscribe",
            )?,
            queue: new.gauge(
                "fanfare_redis_publisher_queue_length",
                "Commands, publications above all, that wait to be written to Redis or answered by it",
            )?,
            round_trip: new.histogram(
                "fanfare_redis_round_trip_seconds",
                "How long the canary, a message of this node to itself once a second, was under way",
            )?,
            clock_offset: new.register(Gauge::new(
                "fanfare_redis_clock_offset_seconds",
                "How far the clock of Redis is ahead of this node's; 0 while that is not known",
            )?)?,
            reconnects: new.counters(
                "fanfare_redis_reconnects_total",
                "Connections to Redis after the first, by what they are for",
                "connection",
                CONNECTIONS,
            )?,
            unfenced_reconnects: new.counter(
                "fanfare_redis_unfenced_reconnects_total",
                "Reconnects of the publisher before which the old connection could not be killed",
            )?,
            mismatches: new.counter(
                "fanfare_redis_subscription_mismatches_total",
                "Times that Redis held other subscriptions than this node had asked for",
            )?,
            subscriptions_forbidden: new.counter(
                "fanfare_redis_subscriptions_forbidden_total",
                "Subscriptions that the ACL of Redis forbids",
            )?,
            presence_failures: new.counter(
                "fanfare_redis_presence_failures_total",
                "Writes of presence that Redis did not take, and that were tried again",
            )?,
            server_list_conflicts: new.gauge(
                "fanfare_redis_server_list_conflicts",
                "Live nodes that have other servers of Redis in their configuration than this node",
            )?,
            registry_malformed: new.counter(
                "fanfare_redis_registry_malformed_total",
                "Entries of the node registry that could not be read",
            )?,
        })
    }

    /// A command was sent.
    pub(crate) fn sent(&self, kind: Kind) {
        match kind {
            Kind::Publish => self.publishes.inc(),
            kind => self.commands.with_label_values(&[kind.label()]).inc(),
        }
    }

    /// Redis answered an error with this code word.
    pub(crate) fn error(&self, code: &str) {
        let label = CODES.into_iter().find(|known| *known == code).unwrap_or(OTHER);
        self.errors.with_label_values(&[label]).inc();
    }

    /// A connection was opened that is not the first. `connection` is its name in logs.
    pub(crate) fn reconnected(&self, connection: &'static str) {
        self.reconnects.with_label_values(&[connection]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_labels_are_few_and_never_missing() {
        let registry = prometheus::Registry::new();
        let register = Registrar(&registry);
        let broker = Arc::new(Metrics::register(register).unwrap());
        let metrics = RedisMetrics::register(register, broker).unwrap();
        let series = || {
            let families = registry.gather();
            let errors = families.into_iter().find(|family| family.name() == "fanfare_redis_errors_total");
            errors.unwrap().get_metric().len()
        };
        let before = series();
        for code in ["NOPERM", "ERR", "SOMETHING"] {
            metrics.error(code);
        }
        assert_eq!((before, series()), (CODES.len() + 1, before));
        let counted = |code| metrics.errors.with_label_values(&[code]).get();
        assert_eq!([counted("NOPERM"), counted(OTHER)], [1, 2]);
    }
}
