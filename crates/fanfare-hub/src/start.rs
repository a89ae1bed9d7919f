//! Builds the parts of a hub, and spawns their tasks. Only this file knows all rooms.

use std::sync::{Arc, OnceLock, atomic::AtomicU64};

use arc_swap::ArcSwap;
use fanfare_core::{Broker, CriticalTasks, Limits, Tracer};
use tokio_util::task::TaskTracker;

use crate::{
    delivery::{dispatcher::Dispatcher, tick},
    hub::Hub,
    metrics::HubMetrics,
    session::{
        incomplete::{self, Bound},
        interest::Interest,
        publish_budget::PublishBudget,
    },
    upkeep::{
        budget::Budget,
        heartbeat, slow,
        stall::{self, Report},
    },
};

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
            interest: Interest::new(broker.clone()),
            broker,
            tracer,
            budget: Budget::new(&limits, metrics.clone()),
            message_bytes: limits.message_bytes,
            publish_budget: PublishBudget::new(&limits),
            incomplete: Bound::new(&limits),
            limits: ArcSwap::from_pointee(limits),
            metrics,
            next_session: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            report: Report::default(),
            leaving: OnceLock::new(),
            critical_tasks: CriticalTasks::default(),
        });
        for (index, shard) in hub.dispatcher.shards().iter().enumerate() {
            let busy = hub.metrics.fan_out.busy(index);
            tokio::spawn(hub.critical_tasks.watch(tick::run(hub.clone(), shard.clone(), busy)));
            tokio::spawn(hub.critical_tasks.watch(heartbeat::run(hub.clone(), shard.clone())));
        }
        tokio::spawn(hub.critical_tasks.watch(slow::keep_budget(hub.clone())));
        tokio::spawn(hub.critical_tasks.watch(incomplete::keep_bound(hub.clone())));
        tokio::spawn(hub.critical_tasks.watch(stall::watch(hub.clone())));
        hub
    }
}
