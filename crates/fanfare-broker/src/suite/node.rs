//! A broker at work, and somebody who remembers what it delivered.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_core::{
    Broker, BrokerEvents, Channel, Incarnation, Limits, NodeInfo, Origin, Payload, Publication, Publish,
    PublishError, SessionId, SubscribeError, TraceContext,
    broker::{BrokerState, ControlMessage, Interruption, PublishOrder},
};
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::PATIENCE;
use crate::{BrokerConfig, Node, Started, start};

/// One delivered publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What.
    pub payload: Payload,
    /// From whom.
    pub origin: Option<Origin>,
    /// The trace it is in.
    pub trace: Option<TraceContext>,
}

/// And when it was published, as far as that is known.
type Timed = (Received, Option<Instant>);

/// What a broker said of its interruptions.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outages {
    /// Each, in order; the last may not be over.
    pub causes: Vec<Interruption>,
    /// How long those were that are over.
    pub outages: Vec<Duration>,
    /// The channels that missed something outside of them.
    pub missed: Vec<Channel>,
}

/// Remembers everything it is told.
#[derive(Debug, Default)]
pub struct Recorder {
    channels: Mutex<HashMap<Channel, Vec<Timed>>>,
    controls: Mutex<Vec<ControlMessage>>,
    outages: Mutex<Outages>,
    /// While there is no room: whom to wake once there is.
    full: Mutex<Option<Vec<Waker>>>,
}

impl Recorder {
    /// What came on a channel so far.
    #[must_use]
    pub fn on(&self, channel: &Channel) -> Vec<Received> {
        self.all(channel, |(received, _)| received.clone())
    }

    /// When those were published, by this process' monotonic clock.
    #[must_use]
    pub fn published(&self, channel: &Channel) -> Vec<Option<Instant>> {
        self.all(channel, |(_, published)| *published)
    }

    fn all<T>(&self, channel: &Channel, what: impl Fn(&Timed) -> T) -> Vec<T> {
        self.channels.lock().get(channel).map(|all| all.iter().map(what).collect()).unwrap_or_default()
    }

    /// The payloads that came on a channel so far, as text.
    #[must_use]
    pub fn texts(&self, channel: &Channel) -> Vec<String> {
        self.all(channel, |(received, _)| String::from_utf8_lossy(received.payload.bytes()).into_owned())
    }

    /// How many publications came on a channel so far.
    #[must_use]
    pub fn count(&self, channel: &Channel) -> usize {
        self.channels.lock().get(channel).map_or(0, Vec::len)
    }

    /// The control messages so far.
    #[must_use]
    pub fn controls(&self) -> Vec<ControlMessage> {
        self.controls.lock().clone()
    }

    /// What it was told of interruptions so far.
    #[must_use]
    pub fn outages(&self) -> Outages {
        self.outages.lock().clone()
    }

    /// Says from now on that there is no room.
    pub fn close(&self) {
        self.full.lock().get_or_insert_default();
    }

    /// Says that there is room again.
    pub fn open(&self) {
        self.full.lock().take().into_iter().flatten().for_each(Waker::wake);
    }
}

impl BrokerEvents for Recorder {
    fn publication(&self, publication: Publication) {
        let Publication { channel, payload, origin, trace, published, .. } = publication;
        let received = Received { payload, origin, trace };
        self.channels.lock().entry(channel).or_default().push((received, published));
    }

    fn control(&self, message: ControlMessage) {
        self.controls.lock().push(message);
    }

    fn interrupted(&self, cause: Interruption) {
        let mut outages = self.outages.lock();
        assert_eq!(outages.causes.len(), outages.outages.len(), "an interruption within an interruption");
        outages.causes.push(cause);
    }

    fn restored(&self, outage: Duration) {
        let mut outages = self.outages.lock();
        outages.outages.push(outage);
        assert_eq!(outages.causes.len(), outages.outages.len(), "restored without an interruption");
    }

    fn missed(&self, channel: &Channel) {
        self.outages.lock().missed.push(channel.clone());
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.full.lock() {
            None => Poll::Ready(()),
            Some(wakers) => {
                wakers.push(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A node that is nothing but its broker.
#[derive(Debug)]
pub struct TestNode {
    /// This run of it.
    pub incarnation: Incarnation,
    /// The broker.
    pub started: Started,
    /// What it delivered.
    pub recorder: Arc<Recorder>,
    metrics: prometheus::Registry,
}

impl TestNode {
    /// Starts one with a message limit of 1 MiB and otherwise the default limits.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start(config: BrokerConfig) -> Self {
        Self::with_limits(config, Limits { message_bytes: 1 << 20, ..Limits::default() })
    }

    /// Starts one.
    ///
    /// # Panics
    /// Where it cannot be started.
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
        &*self.started.broker
    }

    /// Waits until its broker is up.
    pub async fn is_up(&self) {
        eventually("the broker is up", || self.broker().state() == BrokerState::Up).await;
    }

    /// Subscribes, and waits for the confirmation.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn subscribe(&self, channel: &Channel) -> Result<(), SubscribeError> {
        let subscribed = self.broker().subscribe(channel);
        timeout(PATIENCE, subscribed).await.unwrap_or_else(|_| panic!("{channel} is not confirmed"))
    }

    /// Publishes; the answer comes through what is returned.
    pub fn publish(
        &self,
        channel: &Channel,
        payload: Payload,
        order: Option<&Arc<PublishOrder>>,
    ) -> oneshot::Receiver<Result<(), PublishError>> {
        let (answer, answered) = oneshot::channel();
        let (session, order) = (Some(SessionId(7)), order.cloned());
        let publish = Publish { channel: channel.clone(), payload, session, order, trace: None };
        // Who does not wait is not told.
        self.broker().publish(publish, Box::new(move |result| drop(answer.send(result))));
        answered
    }

    /// Publishes text and waits for the answer.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn publish_text(&self, channel: &Channel, text: &str) -> Result<(), PublishError> {
        answer(self.publish(channel, Payload::text(text), None)).await
    }

    /// Sends a control message.
    pub fn control(&self, to: fanfare_core::broker::Recipient, text: &str) {
        self.broker().control(to, Bytes::copy_from_slice(text.as_bytes()));
    }

    /// What it tells the registry of itself.
    #[must_use]
    pub fn info(&self, name: &str) -> NodeInfo {
        NodeInfo {
            incarnation: self.incarnation.to_string(),
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            connections: 0,
            envelope: crate::envelope::VERSION,
            announcements: 0,
            leaving: false,
            metrics: None,
        }
    }

    /// A counter or gauge of its broker, or how often a histogram observed something: all its labels together, or
    /// only the label value given.
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
/// What the broker says.
pub(crate) async fn answer(
    answered: oneshot::Receiver<Result<(), PublishError>>,
) -> Result<(), PublishError> {
    match timeout(PATIENCE, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => panic!("a publish was dropped without an answer"),
        Err(_) => panic!("a publish is not answered"),
    }
}

/// Waits until something holds.
///
/// # Panics
/// Where it does not for [`PATIENCE`].
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}
