//! Builds the parts of a hub, and spawns their tasks. Only this file knows all rooms.

use std::sync::{Arc, OnceLock, atomic::AtomicU64};

use arc_swap::ArcSwap;
use fanfare_core::{Broker, Limits, Tracer, Vital};
use tokio_util::task::TaskTracker;

use crate::{delivery::{dispatcher::Dispatcher, tick}, hub::Hub, metrics::HubMetrics, session::{incomplete::{self, Bound}, interest::Holds, publish_budget::Room}, upkeep::{budget::Budget, heartbeat, slow, stall::{self, Report}}};

impl Hub {
    /// A hub whose shards run on the current runtime.
    #[must_use]
    pub fn start(
        dispatcher: Arc<Dispatcher>,
        broker: Arc<dyn Broker>,
        limits: Limits,
        metrics: Arc<HubMetrics>,
        tracer: Option<Arc<dyn Tracer>>,
    ) -> Arc<Self> {
        let hub = Arc::new(Self {
            dispatcher,
            holds: Holds::new(broker.clone()),
            broker,
            tracer,
            budget: Budget::new(&limits, metrics.clone()),
            message_bytes: limits.message_bytes,
            room: Room::new(&limits),
            incomplete: Bound::new(&limits),
            limits: ArcSwap::from_pointee(limits),
            metrics,
            next_session: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            report: Report::default(),
            leaving: OnceLock::new(),
            vital: Vital::default(),
        });
        for (index, shard) in hub.dispatcher.shards().iter().enumerate() {
            let busy = hub.metrics.fan_out.busy(index);
            tokio::spawn(hub.vital.watch(tick::run(hub.clone(), shard.clone(), busy)));
            tokio::spawn(hub.vital.watch(heartbeat::run(hub.clone(), shard.clone())));
        }
        tokio::spawn(hub.vital.watch(slow::keep_budget(hub.clone())));
        tokio::spawn(hub.vital.watch(incomplete::keep_bound(hub.clone())));
        tokio::spawn(hub.vital.watch(stall::watch(hub.clone())));
        hub
    }
}
