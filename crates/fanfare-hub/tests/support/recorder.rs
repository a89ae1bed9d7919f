//! A broker that does nothing by itself: it notes what it is asked, in order, and answers and delivers what the
//! test tells it to.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use fanfare_core::{
    Broker, BrokerEvents, Channel, Origin, Partition, Payload, Publication, Publish, PublishError, Retention,
    SessionId, SubscribeError, Taken, TraceContext,
    broker::{BrokerState, ControlMessage, Done, Recipient, SubscribeFuture},
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{INCARNATION, channel, tagged};

/// A channel belongs to one of two: by the digit at the end of its name, if there is one.
const PARTITIONS: u16 = 2;

type Confirmation = oneshot::Sender<Result<(), SubscribeError>>;

/// The broker; see the head of this file.
pub(crate) struct Recorder {
    nodes: Vec<Arc<dyn BrokerEvents>>,
    confirms: AtomicBool,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    calls: Vec<String>,
    confirmations: VecDeque<Confirmation>,
    publishes: Vec<(Publish, Done)>,
}

impl Recorder {
    /// A broker of these nodes. It confirms subscriptions at once, until told otherwise.
    pub(crate) fn new(nodes: Vec<Arc<dyn BrokerEvents>>) -> Arc<Self> {
        Arc::new(Self { nodes, confirms: AtomicBool::new(true), asked: Mutex::default() })
    }

    /// From now on subscriptions wait for [`Recorder::confirm`].
    pub(crate) fn hold_confirmations(&self) {
        self.confirms.store(false, Ordering::Relaxed);
    }

    /// Answers the subscription that waits longest.
    pub(crate) fn confirm(&self, result: Result<(), SubscribeError>) {
        let waiting = self.asked.lock().confirmations.pop_front();
        // The task that waited may be gone.
        let _ = waiting.expect("nobody waits for a confirmation").send(result);
    }

    /// Answers the subscription that came last.
    pub(crate) fn confirm_last(&self, result: Result<(), SubscribeError>) {
        let waiting = self.asked.lock().confirmations.pop_back();
        let _ = waiting.expect("nobody waits for a confirmation").send(result);
    }

    /// Answers the unanswered publish at `at`, 0 being the oldest.
    pub(crate) fn answer(&self, at: usize, result: Result<(), PublishError>) {
        let (publish, done) = self.asked.lock().publishes.remove(at);
        if let (Err(_), Some(order)) = (&result, &publish.order) {
            order.fail();
        }
        done(result.map(|()| Taken::default()));
    }

    /// The publishes that wait for an answer: channel and text.
    pub(crate) fn published(&self) -> Vec<String> {
        let text = |publish: &Publish| String::from_utf8(publish.payload.bytes().to_vec()).unwrap();
        let asked = self.asked.lock();
        asked.publishes.iter().map(|(publish, _)| format!("{} {}", publish.channel, text(publish))).collect()
    }

    /// How many publishes are unanswered.
    pub(crate) fn unanswered(&self) -> usize {
        self.asked.lock().publishes.len()
    }

    /// The retentions of the publishes that are unanswered.
    pub(crate) fn retentions(&self) -> Vec<Option<Retention>> {
        self.asked.lock().publishes.iter().map(|(publish, _)| publish.retention).collect()
    }

    /// The traces of the publishes that are unanswered.
    pub(crate) fn traces(&self) -> Vec<Option<TraceContext>> {
        self.asked.lock().publishes.iter().map(|(publish, _)| publish.trace).collect()
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().calls)
    }

    /// Delivers a publication of a program outside the nodes.
    pub(crate) fn deliver(&self, name: &str, text: impl Into<String>) {
        self.publication(name, &text.into(), None);
    }

    /// The same, with these tags.
    pub(crate) fn deliver_tagged(&self, name: &str, text: &str, tags: &[(&str, &str)]) {
        self.deliver_all([tagged(name, text, tags)]);
    }

    /// Delivers a publication of a session of this node.
    pub(crate) fn deliver_from(&self, session: SessionId, name: &str, text: impl Into<String>) {
        self.publication(name, &text.into(), Some(session));
    }

    /// Delivers a publication.
    pub(crate) fn deliver_all(&self, publications: impl IntoIterator<Item = Publication>) {
        for publication in publications {
            let [node] = &self.nodes[..] else { panic!("a publication for one node") };
            node.publication(publication);
        }
    }

    fn publication(&self, name: &str, text: &str, session: Option<SessionId>) {
        for node in &self.nodes {
            let origin = session.map(|id| Origin { node: INCARNATION, session: Some(id), sequence: 1 });
            node.publication(Publication::new(channel(name), Payload::text(text), origin));
        }
    }

    fn note(&self, verb: &str, channel: &Channel) {
        self.asked.lock().calls.push(format!("{verb} {channel}"));
    }
}

impl Broker for Recorder {
    fn publish(&self, publish: Publish, done: Done) {
        self.note("publish", &publish.channel);
        self.asked.lock().publishes.push((publish, done));
    }

    fn subscribe(&self, channel: &Channel) -> SubscribeFuture {
        self.note("subscribe", channel);
        if self.confirms.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Ok(())));
        }
        let (confirm, confirmed) = oneshot::channel();
        self.asked.lock().confirmations.push_back(confirm);
        Box::pin(async move { confirmed.await.unwrap_or(Err(SubscribeError::Unavailable)) })
    }

    fn unsubscribe(&self, channel: &Channel) {
        self.note("unsubscribe", channel);
    }

    fn control(&self, to: Recipient, message: Bytes) {
        assert_eq!(to, Recipient::All);
        for node in &self.nodes {
            node.control(ControlMessage { from: INCARNATION, body: message.clone() });
        }
    }

    fn partitions(&self) -> u16 {
        PARTITIONS
    }

    fn partition_of(&self, channel: &Channel) -> Partition {
        let number = channel.as_str().bytes().last().filter(u8::is_ascii_digit);
        Partition(number.map_or(0, |digit| u16::from(digit - b'0') % PARTITIONS))
    }

    fn state(&self, _: Partition) -> BrokerState {
        BrokerState::Up
    }
}
