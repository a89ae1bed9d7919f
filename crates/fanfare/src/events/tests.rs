//! The outbox and the backend are the test's own.

use std::collections::VecDeque;

use fanfare_auth::HmacSecret;
use fanfare_core::{
    Channel,
    outbox::{ConnectionEnd, Event, OutboxFuture, Waiting, WantsEvents},
};
use parking_lot::Mutex;
use serde_json::Value;

use super::*;
use crate::{
    ask::Target,
    hooks::testing::{Backend, Does, Request},
};

/// An outbox with numbered events.
#[derive(Default)]
struct Numbered {
    events: Mutex<VecDeque<OutboxEvent>>,
    is_of_another: Mutex<bool>,
    is_asked: tokio::sync::Notify,
}

impl Numbered {
    fn with(count: u64) -> Arc<Self> {
        let outbox = Self::default();
        let event = |number| OutboxEvent {
            id: EventId(number_text(number)),
            time_ms: number,
            event: Event::Occupied(Channel::new(&format!("c{number}")).unwrap()),
        };
        outbox.events.lock().extend((0..count).map(event));
        Arc::new(outbox)
    }

    fn left(&self) -> usize {
        self.events.lock().len()
    }
}

fn number_text(number: u64) -> String {
    format!("{number:08}")
}

impl Outbox for Numbered {
    fn members_of(&self, _: WantsEvents) {}

    fn occupy(&self, _: &Channel, _: bool) {}

    fn disconnected(&self, _: ConnectionEnd) {}

    fn next(&self, most: usize, _: Duration) -> OutboxFuture<Option<Waiting>> {
        self.is_asked.notify_one();
        let events = self.events.lock();
        let count = events.len() as u64;
        let events: Vec<_> = events.iter().take(most).cloned().collect();
        let waiting = Waiting { last: events.last().map(|event| event.id.clone()), events, count };
        let is_mine = !*self.is_of_another.lock();
        Box::pin(std::future::ready(Ok(is_mine.then_some(waiting))))
    }

    fn remove(&self, up_to: &EventId) -> OutboxFuture<u64> {
        let mut events = self.events.lock();
        events.retain(|event| event.id.0 > up_to.0);
        Box::pin(std::future::ready(Ok(events.len() as u64)))
    }

    fn release(&self) -> OutboxFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn bury(&self) -> OutboxFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn config(address: &str) -> EventConfig {
    EventConfig {
        target: Target::parse(&format!("http://{address}/events"), "/").unwrap(),
        secret: Some(HmacSecret::new(SECRET).unwrap()),
        timeout: Duration::from_millis(200),
    }
}

/// A sender, and the end of its configuration.
fn sender(outbox: Arc<Numbered>, config: EventConfig) -> (Sender, watch::Sender<Option<EventConfig>>) {
    let (changes, is_told) = watch::channel(Some(config));
    let metrics = EventMetrics::register(&prometheus::Registry::new()).unwrap();
    (Sender { outbox, config: is_told, metrics, stop: CancellationToken::new() }, changes)
}

/// The numbers of a batch.
fn numbers(request: &Request) -> Vec<u64> {
    let batch: Value = serde_json::from_str(&request.body).unwrap();
    let events = batch["events"].as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_batch_is_repeated_until_it_is_taken() {
    let mut backend = Backend::that(|number| match number {
        0 => Does::Answers(503, "no"),
        1 => Does::Waits,
        2 => Does::Leaves,
        _ => Does::Answers(204, ""),
    })
    .await;
    let outbox = Numbered::with(BATCH as u64 + 5);
    let (sender, _changes) = sender(outbox.clone(), config(&backend.address));
    let (metrics, task) = (sender.metrics.clone(), tokio::spawn(sender.run()));
    let first: Vec<_> = (0..BATCH as u64).collect();
    for _ in 0..4 {
        assert_eq!(numbers(&backend.requests.recv().await.unwrap()), first);
    }
    let rest: Vec<_> = (BATCH as u64..BATCH as u64 + 5).collect();
    assert_eq!(numbers(&backend.requests.recv().await.unwrap()), rest);
    while outbox.left() > 0 || metrics.waiting.get() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(metrics.sent.get(), BATCH as u64 + 5);
    assert_eq!([Attempt::Taken, Attempt::Refused, Attempt::Failure].map(|of| metrics.count(of)), [2, 1, 2]);
    task.abort();
}

#[tokio::test]
async fn a_signature_verifies() {
    let mut backend = Backend::that(|_| Does::Answers(200, "ok")).await;
    let (sender, changes) = sender(Numbered::with(1), config(&backend.address));
    let task = tokio::spawn(sender.run());
    let request = backend.requests.recv().await.unwrap();
    let (time, tag) = request.header(SIGNATURE).unwrap().split_once(',').unwrap();
    let (time, tag) = (time.strip_prefix("t=").unwrap(), tag.strip_prefix("v1=").unwrap());
    let expected = HmacSecret::new(SECRET).unwrap().sign(format!("{time}.{}", request.body).as_bytes());
    assert_eq!(tag, expected);
    assert!(request.head.starts_with("POST /events HTTP/1.1"), "{}", request.head);
    drop(changes);
    task.await.unwrap();
}

#[tokio::test]
async fn another_address_gets_what_waits() {
    let (silent, mut other) =
        (Backend::that(|_| Does::Waits).await, Backend::that(|_| Does::Answers(200, "")).await);
    let outbox = Numbered::with(3);
    let waiting = EventConfig { timeout: Duration::from_secs(600), ..config(&silent.address) };
    let (sender, changes) = sender(outbox.clone(), waiting);
    let (stop, task) = (sender.stop.clone(), tokio::spawn(sender.run()));
    let mut requests = silent.requests;
    assert_eq!(numbers(&requests.recv().await.unwrap()), [0, 1, 2]);
    changes.send_replace(Some(EventConfig { secret: None, ..config(&other.address) }));
    let request = other.requests.recv().await.unwrap();
    assert_eq!((numbers(&request), request.header(SIGNATURE)), (vec![0, 1, 2], None));
    stop.cancel();
    task.await.unwrap();
    assert_eq!(outbox.left(), 0, "what waits is sent before the end");
}

#[tokio::test]
async fn only_one_node_sends() {
    let mut backend = Backend::that(|_| Does::Answers(200, "")).await;
    let outbox = Numbered::with(1);
    *outbox.is_of_another.lock() = true;
    let (sender, _changes) = sender(outbox.clone(), config(&backend.address));
    let (stop, task) = (sender.stop.clone(), tokio::spawn(sender.run()));
    outbox.is_asked.notified().await;
    stop.cancel();
    task.await.unwrap();
    assert!(backend.requests.try_recv().is_err());
    assert_eq!(outbox.left(), 1);
}
