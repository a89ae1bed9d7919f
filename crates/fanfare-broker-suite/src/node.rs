//! A node that is only a broker, and a record of its deliveries.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare_broker::{BrokerConfig, Node, Started, start};
use fanfare_core::{
    Broker, Channel, Incarnation, Limits, NodeInfo, Payload, Publish, PublishError, SessionId,
    SubscribeError, Taken,
    broker::{BrokerState, PublishOrder, Recipient},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::recorder::Recorder;

/// The answer to a publish.
pub type Answered = oneshot::Receiver<Result<Taken, PublishError>>;

/// The time after which a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A node that is only a broker.
#[derive(Debug)]
pub struct TestNode {
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The broker.
    pub started: Started,
    /// The record of the broker's calls.
    pub recorder: Arc<Recorder>,
    metrics: prometheus::Registry,
}

impl TestNode {
    /// Starts one with a message limit of 1 MiB, a publish wait of 10 s for busy machines, and the other limits by default.
    ///
    /// # Panics
    /// Where the broker cannot be started.
    #[must_use]
    pub fn start(config: BrokerConfig) -> Self {
        let publish_wait = Duration::from_secs(10);
        Self::with_limits(config, Limits { message_bytes: 1 << 20, publish_wait, ..Limits::default() })
    }

    /// Starts one with these limits.
    ///
    /// # Panics
    /// Where the broker cannot be started.
    #[must_use]
    pub fn with_limits(config: BrokerConfig, limits: Limits) -> Self {
        let incarnation = Incarnation(rand::random());
        let recorder = Arc::new(Recorder::default());
        let metrics = prometheus::Registry::new();
        let node = Node { incarnation, limits };
        let started = start(&node, config, recorder.clone(), &metrics);
        let started = started.unwrap_or_else(|error| panic!("the broker does not start: {error}"));
        Self { incarnation, started, recorder, metrics }
    }

    /// Its broker.
    #[must_use]
    pub fn broker(&self) -> &dyn Broker {
        &*self.started.backend.broker
    }

    /// Waits until its broker is up.
    pub async fn is_up(&self) {
        eventually("the broker is up", || self.broker().overall_state() == BrokerState::Up).await;
    }

    /// Subscribes, and waits for the confirmation.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn subscribe(&self, channel: &Channel) -> Result<(), SubscribeError> {
        let subscribed = self.broker().subscribe(channel);
        timeout(PATIENCE, subscribed).await.unwrap_or_else(|_| panic!("{channel} is not confirmed"))
    }

    /// Publishes for a session. The receiver gets the answer.
    pub fn publish(
        &self,
        channel: &Channel,
        payload: Payload,
        order: Option<&Arc<PublishOrder>>,
    ) -> Answered {
        self.hand_over(Publish::new(channel.clone(), payload).by(SessionId(7), order.cloned()))
    }

    /// Publishes. The receiver gets the answer.
    pub fn hand_over(&self, publish: Publish) -> Answered {
        let (answer, answered) = oneshot::channel();
        // A receiver that is gone gets no answer.
        self.broker().publish(publish, Box::new(move |result| drop(answer.send(result))));
        answered
    }

    /// Publishes text and waits for the answer.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn publish_text(&self, channel: &Channel, text: &str) -> Result<(), PublishError> {
        answer(self.publish(channel, Payload::text(text), None)).await.map(drop)
    }

    /// Sends a control message.
    pub fn control(&self, to: Recipient, text: &str) {
        self.broker().control(to, Bytes::copy_from_slice(text.as_bytes()));
    }

    /// Its entry for the registry.
    #[must_use]
    pub fn info(&self, name: &str) -> NodeInfo {
        NodeInfo::first(self.incarnation, name, fanfare_broker::envelope::VERSION)
    }

    /// The value of a counter or gauge of its broker, or the number of observations of a histogram: the sum over all
    /// labels, or of one label value.
    #[must_use]
    pub fn counter(&self, name: &str, label: Option<&str>) -> f64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
        let matches = |metric: &&prometheus::proto::Metric| {
            label.is_none_or(|label| metric.get_label().iter().any(|pair| pair.value() == label))
        };
        let value = |metric: &prometheus::proto::Metric| {
            let [counter, gauge] = [metric.get_counter().get_value(), metric.get_gauge().get_value()];
            counter + gauge + metric.get_histogram().get_sample_count() as f64
        };
        metrics.iter().filter(matches).map(value).sum()
    }
}

/// Waits for an answer.
///
/// # Errors
/// Those of the broker.
pub(crate) async fn answer(answered: Answered) -> Result<Taken, PublishError> {
    match timeout(PATIENCE, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => panic!("a publish was dropped without an answer"),
        Err(_) => panic!("a publish is not answered"),
    }
}

/// Waits until `holds` is true.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}
