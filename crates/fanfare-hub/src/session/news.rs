//! News of clients that join and leave channels, on their way to the broker.
//!
//! Invariants
//! - News that began to wait under a session's lock are published in that order, before the caller's
//!   [`News::publish`] has ended. So a client joins before it leaves. News have no publish order: a broker for which
//!   publishes wait may take a publish of the client first.
//! - News are published without a session's lock and without a tail's: a broker may deliver them at once.
//! - News that the broker does not take are counted, and not published again: presence itself is right.

use std::{collections::VecDeque, sync::Arc};

use fanfare_core::{Broker, Channel, Publish, attributes::PresenceChange, presence::PresenceEntry};
use parking_lot::Mutex;

use crate::metrics::HubMetrics;

/// See the head of this file.
pub(crate) struct News {
    broker: Arc<dyn Broker>,
    metrics: Arc<HubMetrics>,
    /// At most a few for each thread: every caller publishes what waits.
    waiting: Mutex<VecDeque<Publish>>,
    publishing: Mutex<()>,
}

impl News {
    pub(crate) fn new(broker: Arc<dyn Broker>, metrics: Arc<HubMetrics>) -> Self {
        Self { broker, metrics, waiting: Mutex::default(), publishing: Mutex::default() }
    }

    /// The news of a client wait. The caller calls [`News::publish`] soon.
    pub(crate) fn wait(&self, channel: &Channel, change: PresenceChange, client: PresenceEntry) {
        self.waiting.lock().push_back(Publish::news(channel.clone(), change, client));
    }

    /// Publishes the news that wait, and waits for a thread that publishes others.
    pub(crate) fn publish(&self) {
        let _publishing = self.publishing.lock();
        while let Some(news) = self.take() {
            let metrics = self.metrics.clone();
            let done = move |result: Result<_, _>| {
                if result.is_err() {
                    metrics.untold_news.inc();
                }
            };
            self.broker.publish(news, Box::new(done));
        }
    }

    fn take(&self) -> Option<Publish> {
        self.waiting.lock().pop_front()
    }
}
