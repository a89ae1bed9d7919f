//! A pipeline whose items are numbers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare_core::{
    Channel, Incarnation, Payload, PublishError, Retention, SessionId, Taken, broker::PublishOrder,
};
use fanfare_metrics::Registrar;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    envelope::{Content, Decoded, decode},
    fair_queue::Turns,
    liveness::sequence::LastTaken,
    metrics::Metrics,
    redis::{
        clock::offset::Clock,
        connection::{error::ConnectionError, resp::Value},
        metrics::RedisMetrics,
        names::{Names, Prefix},
        publisher::{
            outgoing::{Outgoing, OutgoingMessage, ServerBudget},
            pipeline::Pipeline,
            script::Script,
            under_way::Answered,
            writer::Writer,
        },
        pubsub::PubSub,
    },
    ticket::Ticket,
};

pub(super) type Answers = Arc<Mutex<Vec<(usize, Result<(), &'static str>)>>>;

pub(super) struct World {
    pub(super) pipeline: Pipeline,
    pub(super) metrics: Arc<RedisMetrics>,
    pub(super) budget: ServerBudget,
    pub(super) answers: Answers,
    pub(super) count: usize,
}

pub(super) const PATIENCE: Duration = Duration::from_secs(2);

impl World {
    pub(super) fn new() -> Self {
        let registry = prometheus::Registry::new();
        let register = Registrar(&registry);
        let broker = Arc::new(Metrics::register(register).unwrap());
        let metrics = Arc::new(RedisMetrics::register(register, broker).unwrap());
        let names = Arc::new(Names::new(Prefix::default(), Incarnation(1)));
        let (node, clock) = (Incarnation(1), Arc::new(Clock::new(Incarnation(1))));
        let writer = Writer {
            names,
            node,
            sequence: 0,
            last_taken: LastTaken::default(),
            clock,
            script: Script::new(node, PubSub::Plain),
        };
        let pipeline = Pipeline::new(writer, metrics.clone(), PATIENCE, Turns::default());
        Self { pipeline, metrics, budget: ServerBudget::default(), answers: Answers::default(), count: 0 }
    }

    /// Publishes the next number.
    pub(super) fn publish(&mut self, order: Option<&Arc<PublishOrder>>) {
        self.publish_bytes(order, 0);
    }

    pub(super) fn publish_bytes(&mut self, order: Option<&Arc<PublishOrder>>, padding: usize) {
        self.publish_kept(order, padding, None);
    }

    /// Publishes the next number, which the script publishes.
    pub(super) fn keep(&mut self, order: Option<&Arc<PublishOrder>>) {
        self.publish_kept(order, 0, Some(Retention { size: 10, ttl: Duration::from_secs(60) }));
    }

    fn publish_kept(
        &mut self,
        order: Option<&Arc<PublishOrder>>,
        padding: usize,
        retention: Option<Retention>,
    ) {
        let (number, answers, order) = (self.count, self.answers.clone(), order.cloned());
        let marked = order.clone();
        let done = Box::new(move |result: Result<Taken, PublishError>| {
            if let (Err(_), Some(order)) = (&result, marked) {
                assert!(order.has_failed(), "the order is marked before the answer");
            }
            answers.lock().push((
                number,
                result.map(drop).map_err(|error| match error {
                    PublishError::Refused(_) => "refused",
                    PublishError::Forbidden(_) => "forbidden",
                    PublishError::Unknown => "unknown",
                }),
            ));
        });
        let ticket = Ticket::new(done, order, self.metrics.broker.clone());
        let payload = Payload::text(format!("<number {number}>{}", "x".repeat(padding)));
        let reservation = self.budget.reserve(payload.len());
        let channel = Channel::new("c").unwrap();
        let message = OutgoingMessage::Publication {
            channel,
            payload,
            session: Some(SessionId(1)),
            trace: None,
            attributes: None,
            retention,
            ticket,
        };
        let outgoing = Outgoing { message, since: Instant::now(), _reservation: reservation };
        self.pipeline.push(Box::new(outgoing));
        self.count += 1;
    }

    /// Encodes what may be, and writes all but `keep` bytes. The numbers that were written as a whole.
    pub(super) fn write(&mut self, keep: usize) -> Vec<usize> {
        self.pipeline.fill(1);
        let out = self.pipeline.unwritten();
        let written = out.split_to(out.len() - keep);
        numbers(&written)
    }

    pub(super) fn answer(&mut self, answer: &Value) -> Result<Answered, ConnectionError> {
        self.pipeline.answered(answer)
    }

    /// Writes all that may be. The sequence of each publication, and that of the one that it names.
    pub(super) fn sequences(&mut self) -> Vec<(u64, Option<u64>)> {
        self.pipeline.fill(1);
        let written = self.pipeline.unwritten().split();
        let envelopes = (0..written.len()).filter_map(|at| match decode(&written[at..]) {
            Ok(Decoded::Envelope { content: Content::Publication { origin, previous, .. }, .. }) => {
                Some((origin.sequence, previous))
            }
            _ => None,
        });
        envelopes.collect()
    }

    pub(super) fn answers(&self) -> Vec<(usize, Result<(), &'static str>)> {
        std::mem::take(&mut self.answers.lock())
    }
}

pub(super) fn numbers(bytes: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.split("<number ").skip(1).map(|rest| rest.split('>').next().unwrap().parse().unwrap()).collect()
}

pub(super) fn error(text: &'static str) -> Value {
    Value::Error(Bytes::from_static(text.as_bytes()))
}
