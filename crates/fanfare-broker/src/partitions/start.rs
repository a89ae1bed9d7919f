//! Starts a Redis broker for each server, and puts them together.

use std::sync::Arc;

use fanfare_core::{Backend, BrokerEvents, Partition};
use fanfare_metrics::Registrar;
use tokio_util::sync::CancellationToken;

use super::{
    broker::PartitionedBroker, controls::Controls, history::PartitionedHistory, metrics::PartitionMetrics,
    outbox::PartitionedOutbox, placement::Placement, presence::PartitionedPresence,
    registry::PartitionedRegistry, revocations::PartitionedRevocations,
};
use crate::{
    driver::StartError,
    metrics::Metrics,
    node::{Node, Parts},
    redis::{
        self, PartitionContext, RedisParts, cluster::topology::Slot, connection::address::RedisConfig,
        metrics::RedisMetrics,
    },
    tasks::Tasks,
};

/// Starts all of these servers, which have different names and are sorted by them.
///
/// # Errors
/// Mistakes in this process only.
pub(crate) fn start(
    node: &Node,
    servers: Vec<RedisConfig>,
    events: &Arc<dyn BrokerEvents>,
    metrics: &prometheus::Registry,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Result<Parts, StartError> {
    let servers = servers.into_iter().map(|config| Member { name: config.name(), config, slot: None });
    start_members(node, servers.collect(), events, metrics, tasks, stop).map(|(parts, _)| parts)
}

/// One partition.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) config: RedisConfig,
    /// The slot of a Cluster that it is.
    pub(super) slot: Option<Slot>,
}

/// Starts all of them. Beside the parts, the metrics of the first.
///
/// # Errors
/// Mistakes in this process only.
pub(super) fn start_members(
    node: &Node,
    members: Vec<Member>,
    events: &Arc<dyn BrokerEvents>,
    metrics: &prometheus::Registry,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Result<(Parts, Option<Arc<RedisMetrics>>), StartError> {
    let names: Vec<_> = members.iter().map(|member| member.name.clone()).collect();
    let listed: Arc<str> = names.join(",").into();
    let partitions = PartitionMetrics::new(names.iter().map(String::as_str))?;
    let (turns, control_order) = Default::default();
    let (mut all, mut spans): (Vec<RedisParts>, Vec<_>) = Default::default();
    let mut first = None;
    for (at, (Member { name, config, slot }, registry)) in
        (0..).zip(members.into_iter().zip(partitions.registries()))
    {
        let register = Registrar(registry);
        let broker_metrics = Arc::new(Metrics::register(register)?);
        let redis_metrics = Arc::new(RedisMetrics::register(register, broker_metrics)?);
        first.get_or_insert_with(|| redis_metrics.clone());
        // No level of the log hides a span of this level.
        let span = tracing::error_span!("redis", shard = name.as_str());
        spans.push(span.clone());
        let (turns, control_order) = (Clone::clone(&turns), Clone::clone(&control_order));
        let servers = listed.clone();
        let context =
            PartitionContext { partition: Partition(at), turns, control_order, span, servers, slot };
        all.push(redis::start(node, config, context, events.clone(), redis_metrics, tasks, stop)?);
    }
    metrics.register(Box::new(partitions))?;
    Ok((together(node, names, &all, spans), first))
}

fn together(node: &Node, names: Vec<String>, all: &[RedisParts], spans: Vec<tracing::Span>) -> Parts {
    let placement = Arc::new(Placement::new(names.iter().map(String::as_str)));
    let brokers: Vec<_> = all.iter().map(|parts| parts.broker.clone()).collect();
    let broker = PartitionedBroker {
        names,
        placement: placement.clone(),
        controls: Controls::new(brokers.clone(), node.incarnation.0),
        brokers,
        seen: 0.into(),
    };
    let histories = all.iter().map(|parts| parts.history.clone()).collect();
    let presences = all.iter().map(|parts| parts.presence.clone()).collect();
    let registries = all.iter().map(|parts| parts.registry.clone()).zip(spans).collect();
    let outboxes = broker.names.clone().into_iter().zip(all.iter().map(|parts| parts.outbox.clone()));
    let outbox = PartitionedOutbox::new(placement.clone(), outboxes);
    let backend = Backend {
        broker: Arc::new(broker),
        outbox: Arc::new(outbox),
        history: Arc::new(PartitionedHistory { placement: placement.clone(), histories }),
        presence: Arc::new(PartitionedPresence { placement, presences }),
        revocations: Arc::new(PartitionedRevocations(
            all.iter().map(|parts| parts.revocations.clone()).collect(),
        )),
    };
    (backend, Arc::new(PartitionedRegistry { registries }))
}
