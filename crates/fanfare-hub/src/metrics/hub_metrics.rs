//! The metrics of the hub. The hot path pays a relaxed counter for them.

use fanfare_core::{Dialect, Disconnect, Limit, SlowClient, broker::Interruption};
use fanfare_metrics::{LimitHits, Registrar};
use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, Registry};

use super::{FanOut, HistoryMetrics, RelayLatency, connections::Connections, traffic_totals::TrafficTotals};
use crate::session::end::End;

/// The hub's metrics; registered once, at the composition root.
pub struct HubMetrics {
    /// Connections, opened, open and closed.
    pub connections: Connections,
    /// 1 from the moment the node was told to end, else 0.
    pub draining: IntGauge,
    /// Sessions that are to be closed at a pace and were not told yet.
    pub closing: IntGauge,
    /// How often a limit refused, cut or held up something, by the name of the limit.
    pub limits_hit: LimitHits,
    /// Traffic from clients.
    pub received: TrafficTotals,
    /// Traffic to clients.
    pub sent: TrafficTotals,
    /// Publications handed to subscribers, written or queued: one for each subscriber.
    pub deliveries: IntCounter,
    /// Sizes of fan-outs, and their writes.
    pub fan_out: FanOut,
    /// Channels with history.
    pub history: HistoryMetrics,
    /// The time from publish to write.
    pub relay_latency: RelayLatency,
    /// Publications for channels without a subscriber on this node.
    pub unheard: IntCounter,
    /// Times that a client was slow, by policy: `disconnect`, or `conflate` once each time that the client fell
    /// behind.
    pub slow: IntCounterVec,
    /// Publications that a newer one of their channel replaced before a slow client could get them.
    pub conflated: IntCounter,
    /// Bytes that wait for the sockets of this node. Set by [`Budget`](crate::upkeep::budget::Budget).
    pub outbound_queued: IntGauge,
    /// Bytes from clients that are held: messages that came in part, and messages that have to wait.
    pub incomplete: IntGauge,
    /// Times that the broker was told to wait, since too much waited for the shards.
    pub broker_waits: IntCounter,
    /// Control messages that were dropped: they came faster than they were read.
    pub control_dropped: IntCounter,
    /// Times that publications may have been missed, by cause.
    interruptions: IntCounterVec,
    /// The seconds of these interruptions, counted when they are over.
    pub interruption_seconds: Counter,
    /// Losses outside of interruptions.
    pub missed: IntCounter,
    /// Publishes that failed after their session had ended for another reason.
    pub untold: IntCounter,
    /// News of clients that joined or left, and that the broker refused or may not have taken.
    pub untold_news: IntCounter,
    /// Revocations in force that this node knows.
    pub revocations: IntGauge,
    /// Other nodes that live and have this node's name.
    pub duplicate_names: IntGauge,
}

impl HubMetrics {
    /// Counts that a limit refused, cut or held up something.
    pub fn limit_hit(&self, limit: Limit) {
        self.limits_hit.hit(limit);
    }

    /// Counts a slow client, by policy.
    pub(crate) fn slow(&self, policy: SlowClient) {
        self.slow.with_label_values(&[policy.name()]).inc();
    }

    /// A connection ended.
    pub(crate) fn connection_ended(&self, dialect: &dyn Dialect, transport: &str, end: &End) {
        self.connections.ended(dialect, transport, end);
        let disconnect = &end.disconnect;
        if let Some(limit) = Limit::of(disconnect) {
            self.limit_hit(limit);
        }
        if *disconnect == Disconnect::Slow {
            self.slow(SlowClient::Disconnect);
        }
    }

    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        let (interruptions, interruption_seconds) = register_interruptions(registry)?;
        Ok(Self {
            interruptions,
            interruption_seconds,
            fan_out: FanOut::register(registry)?,
            history: HistoryMetrics::register(registry)?,
            relay_latency: RelayLatency::register(registry)?,
            missed: new.counter(
                "fanfare_publications_missed_total",
                "Losses outside of interruptions: gaps in what other nodes sent to a channel, and channels that Redis forbade for a while",
            )?,
            connections: Connections::register(registry)?,
            limits_hit: LimitHits::register(registry)?,
            draining: new.gauge("fanfare_draining", "1 once the node was told to end, else 0")?,
            closing: new.gauge(
                "fanfare_connections_to_close",
                "Connections that are to be closed at a pace, and were not told yet",
            )?,
            duplicate_names: new.gauge(
                "fanfare_node_name_conflicts",
                "Other live nodes that have this node's name",
            )?,
            revocations: new.gauge(
                "fanfare_revocations",
                "Revocations in force that this node knows: users and tokens",
            )?,
            slow: new.counters(
                "fanfare_slow_clients_total",
                "Clients that did not read fast enough, by what became of them",
                "policy",
                SlowClient::ALL.iter().map(|policy| policy.name()),
            )?,
            conflated: new.counter(
                "fanfare_publications_conflated_total",
                "Publications that a newer one replaced before a slow client could get them",
            )?,
            outbound_queued: new.gauge(
                "fanfare_outbound_queued_bytes",
                "Bytes that sockets of this node refused and that wait, at most",
            )?,
            incomplete: new.gauge(
                "fanfare_incomplete_bytes",
                "Memory of messages that came in part, and of what clients sent that has to wait",
            )?,
            broker_waits: new.counter(
                "fanfare_broker_waits_total",
                "Times the broker was told to wait for the shards",
            )?,
            received: TrafficTotals::received(registry)?,
            sent: TrafficTotals::sent(registry)?,
            deliveries: new.counter(
                "fanfare_deliveries_total",
                "Publications handed to subscribers, written or queued: one for each of them",
            )?,
            unheard: new.counter(
                "fanfare_publications_unheard_total",
                "Publications for channels without a subscriber here",
            )?,
            untold: new.counter(
                "fanfare_publishes_untold_total",
                "Messages of clients that the broker refused, or may not have taken, after their connection had \
                 ended for another reason: nobody was told",
            )?,
            untold_news: new.counter(
                "fanfare_presence_news_untold_total",
                "News of clients that joined or left, and that the broker refused or may not have taken",
            )?,
            control_dropped: new.counter(
                "fanfare_control_messages_dropped_total",
                "Control messages that came faster than they were read",
            )?,
        })
    }

    /// The number of interruptions for this cause.
    #[must_use]
    pub fn interruptions(&self, cause: Interruption) -> u64 {
        self.interruptions.with_label_values(&[cause.name()]).get()
    }

    /// Counts an interruption, which begins now.
    pub(crate) fn interrupted(&self, cause: Interruption) {
        self.interruptions.with_label_values(&[cause.name()]).inc();
    }
}

fn register_interruptions(registry: &Registry) -> prometheus::Result<(IntCounterVec, Counter)> {
    let new = Registrar(registry);
    let interruptions = new.counters(
        "fanfare_broker_interruptions_total",
        "Times from which publications may have been missed, by cause",
        "reason",
        Interruption::ALL.iter().map(|cause| cause.name()),
    )?;
    let seconds = new.register(Counter::new(
        "fanfare_broker_interruption_seconds_total",
        "Seconds in which publications may have been missed, counted when they are over",
    )?)?;
    Ok((interruptions, seconds))
}
