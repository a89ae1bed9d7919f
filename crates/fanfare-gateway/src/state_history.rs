//! Since when a node and the partitions of its broker are in their state.

use std::time::{Duration, SystemTime};

use fanfare_core::{Partition, broker::BrokerState};
use fanfare_hub::Hub;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

/// How often the broker's state is looked at while no probe asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A state, and since when it is the state.
pub(crate) type Since<T> = (T, SystemTime);

/// See the head of this file.
pub(crate) struct StateHistory {
    started: SystemTime,
    broker: Mutex<BrokerSeen>,
}

/// The state of the broker, each part since when, to the second.
#[derive(Debug, Clone)]
pub(crate) struct BrokerSeen {
    /// Whether it lets the node take clients.
    pub(crate) is_ready: Since<bool>,
    /// The worst state of its partitions.
    pub(crate) worst: Since<BrokerState>,
    /// The state of each partition.
    pub(crate) partitions: Vec<Since<BrokerState>>,
}

impl BrokerSeen {
    fn new(hub: &Hub, now: SystemTime) -> Self {
        let broker = hub.broker();
        let partitions = (0..broker.partitions()).map(|at| (broker.state(Partition(at)), now)).collect();
        Self { is_ready: (broker.is_ready(), now), worst: (broker.overall_state(), now), partitions }
    }

    /// The same, each part that is as before since then.
    fn after(mut self, before: &Self) -> Self {
        keep(&mut self.is_ready, &before.is_ready);
        keep(&mut self.worst, &before.worst);
        for (now, before) in self.partitions.iter_mut().zip(&before.partitions) {
            keep(now, before);
        }
        self
    }
}

fn keep<T: Copy + PartialEq>(now: &mut Since<T>, before: &Since<T>) {
    if now.0 == before.0 {
        *now = *before;
    }
}

impl StateHistory {
    pub(crate) fn new(hub: &Hub) -> Self {
        let now = SystemTime::now();
        Self { started: now, broker: Mutex::new(BrokerSeen::new(hub, now)) }
    }

    /// When the node started.
    pub(crate) fn started(&self) -> SystemTime {
        self.started
    }

    /// The broker's state at this moment.
    pub(crate) fn broker(&self, hub: &Hub) -> BrokerSeen {
        let mut last = self.broker.lock();
        *last = BrokerSeen::new(hub, SystemTime::now()).after(&last);
        last.clone()
    }

    /// Notes when the broker's state changes, also while no probe asks. Never ends.
    pub(crate) async fn watch(&self, hub: &Hub) {
        let mut second = interval(LOOK_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            second.tick().await;
            self.broker(hub);
        }
    }
}
