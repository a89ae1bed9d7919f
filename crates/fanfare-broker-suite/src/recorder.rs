//! A record of a broker's calls to its node.

use std::{
    collections::{HashMap, HashSet},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use fanfare_core::{
    Attributes, BrokerEvents, Channel, Origin, Partition, Payload, Position, Publication, TraceContext,
    broker::{ControlMessage, Interruption},
};
use parking_lot::Mutex;

/// One delivered publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its payload.
    pub payload: Payload,
    /// Its origin.
    pub origin: Option<Origin>,
    /// Its trace.
    pub trace: Option<TraceContext>,
    /// Its attributes.
    pub attributes: Option<Box<Attributes>>,
    /// Its position.
    pub position: Option<Position>,
}

/// A publication, and when it was published, if that is known.
type Timed = (Received, Option<Instant>);

/// The losses that a broker told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outages {
    /// The cause of each interruption, in order. The last one may not be over.
    pub causes: Vec<Interruption>,
    /// The length of each interruption that is over.
    pub outages: Vec<Duration>,
    /// The channels that missed a publication outside of them.
    pub missed: Vec<Channel>,
}

/// Records everything.
#[derive(Debug, Default)]
pub struct Recorder {
    channels: Mutex<HashMap<Channel, Vec<Timed>>>,
    controls: Mutex<Vec<ControlMessage>>,
    outages: Mutex<Outages>,
    /// The partitions whose interruption is not over.
    interrupted: Mutex<HashSet<Partition>>,
    /// The tasks to wake once there is room; `None` while there is.
    full: Mutex<Option<Vec<Waker>>>,
}

impl Recorder {
    /// The publications of a channel so far.
    #[must_use]
    pub fn on(&self, channel: &Channel) -> Vec<Received> {
        self.all(channel, |(received, _)| received.clone())
    }

    /// When they were published, by this process' monotonic clock.
    #[must_use]
    pub fn published(&self, channel: &Channel) -> Vec<Option<Instant>> {
        self.all(channel, |(_, published)| *published)
    }

    fn all<T>(&self, channel: &Channel, part: impl Fn(&Timed) -> T) -> Vec<T> {
        self.channels.lock().get(channel).map(|all| all.iter().map(part).collect()).unwrap_or_default()
    }

    /// Their payloads, as text.
    #[must_use]
    pub fn texts(&self, channel: &Channel) -> Vec<String> {
        self.all(channel, |(received, _)| String::from_utf8_lossy(received.payload.bytes()).into_owned())
    }

    /// Their number.
    #[must_use]
    pub fn count(&self, channel: &Channel) -> usize {
        self.channels.lock().get(channel).map_or(0, Vec::len)
    }

    /// The control messages so far.
    #[must_use]
    pub fn controls(&self) -> Vec<ControlMessage> {
        self.controls.lock().clone()
    }

    /// The losses so far.
    #[must_use]
    pub fn outages(&self) -> Outages {
        self.outages.lock().clone()
    }

    /// From now on the recorder is full.
    pub fn close(&self) {
        self.full.lock().get_or_insert_default();
    }

    /// The recorder has room again.
    pub fn open(&self) {
        self.full.lock().take().into_iter().flatten().for_each(Waker::wake);
    }
}

impl BrokerEvents for Recorder {
    fn publication(&self, publication: Publication) {
        let Publication { channel, payload, origin, trace, published, attributes, position, .. } =
            publication;
        let received = Received { payload, origin, trace, attributes, position };
        self.channels.lock().entry(channel).or_default().push((received, published));
    }

    fn control(&self, message: ControlMessage) {
        self.controls.lock().push(message);
    }

    fn interrupted(&self, partition: Partition, cause: Interruption) {
        let is_new = self.interrupted.lock().insert(partition);
        assert!(is_new, "an interruption within an interruption");
        self.outages.lock().causes.push(cause);
    }

    fn restored(&self, partition: Partition, outage: Duration) {
        let was_interrupted = self.interrupted.lock().remove(&partition);
        assert!(was_interrupted, "restored without an interruption");
        self.outages.lock().outages.push(outage);
    }

    fn missed(&self, channel: &Channel) {
        self.outages.lock().missed.push(channel.clone());
    }

    fn poll_ready(&self, _: Partition, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.full.lock() {
            None => Poll::Ready(()),
            Some(wakers) => {
                wakers.push(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
