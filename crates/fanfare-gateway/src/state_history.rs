//! Since when a node and its broker are in their state.

use std::time::{Duration, SystemTime};

use fanfare_core::broker::BrokerState;
use fanfare_hub::Hub;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

/// How often the broker's state is looked at while no probe asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the head of this file.
pub(crate) struct StateHistory {
    started: SystemTime,
    broker: Mutex<(BrokerState, SystemTime)>,
}

impl StateHistory {
    pub(crate) fn new(hub: &Hub) -> Self {
        let now = SystemTime::now();
        Self { started: now, broker: Mutex::new((hub.broker().overall_state(), now)) }
    }

    /// When the node started.
    pub(crate) fn started(&self) -> SystemTime {
        self.started
    }

    /// The broker's state, and since when it is in it, to the second.
    pub(crate) fn broker_state(&self, hub: &Hub) -> (BrokerState, SystemTime) {
        let mut last = self.broker.lock();
        let now = hub.broker().overall_state();
        if last.0 != now {
            *last = (now, SystemTime::now());
        }
        *last
    }

    /// Notes when the broker's state changes, also while no probe asks. Never ends.
    pub(crate) async fn watch(&self, hub: &Hub) {
        let mut second = interval(LOOK_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            second.tick().await;
            self.broker_state(hub);
        }
    }
}
