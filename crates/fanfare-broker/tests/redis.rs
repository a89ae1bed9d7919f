//! The Redis broker passes the suite on a real redis-server, and keeps the rules of the envelope.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by a panic, as the test does"
)]

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use fanfare_broker::{
    BrokerConfig, Node,
    envelope::{Header, VERSION},
};
use fanfare_broker_suite::{Bus, RedisServer, TestNode, eventually};
use fanfare_core::{
    BrokerEvents, Channel, Incarnation, Limits, Origin, Partition, Payload, PayloadKind, Publication,
    broker::{BrokerState, ControlMessage, Interruption},
};

struct Redis(RedisServer);

impl Bus for Redis {
    const NODES: usize = 2;

    async fn start() -> Self {
        Self(RedisServer::start().await.unwrap())
    }

    fn config(&self) -> BrokerConfig {
        self.0.url().parse().unwrap()
    }
}

fanfare_broker_suite::broker_suite!(Redis);

/// A node that is subscribed to `chat`.
async fn subscribed() -> (Redis, TestNode, Channel) {
    let bus = Redis::start().await;
    let node = TestNode::start(bus.config());
    node.is_up().await;
    let channel = Channel::new("chat").unwrap();
    node.subscribe(&channel).await.unwrap();
    (bus, node, channel)
}

async fn publish(bus: &Redis, channel: &str, message: &[u8]) {
    let heard: usize = bus.0.run(redis::cmd("PUBLISH").arg(channel).arg(message)).await.unwrap();
    assert_eq!(heard, 1);
}

#[tokio::test]
async fn a_hundred_subscribes_are_one_command() {
    let bus = Redis::start().await;
    let node = TestNode::start(bus.config());
    node.is_up().await;
    let commands = || node.counter("fanfare_redis_commands_total", Some("subscribe"));
    let before = commands();
    let names = (0..100).map(|number| Channel::new(&format!("c{number}")).unwrap());
    // All are asked for before the first is confirmed.
    let asked: Vec<_> = names.map(|channel| node.broker().subscribe(&channel)).collect();
    for confirmed in asked {
        confirmed.await.unwrap();
    }
    assert_eq!(commands() - before, 1.0);
}

const DROPPED: &str = "fanfare_broker_messages_dropped_total";

#[tokio::test]
async fn a_plain_publish_is_relayed_as_it_is() {
    let (bus, node, channel) = subscribed().await;
    let messages = [&b"hello"[..], b"", b"{\"json\":1}", "räume".as_bytes(), b"\xff\x00", b"\xC1"];
    for message in messages {
        publish(&bus, "fanfare:chat", message).await;
    }
    eventually("all are relayed", || node.recorder.count(&channel) == messages.len()).await;
    for (received, message) in node.recorder.on(&channel).iter().zip(messages) {
        assert_eq!(received.origin, None);
        let expected = match std::str::from_utf8(message) {
            Ok(text) => Payload::text(text),
            Err(_) => Payload::binary(message.to_vec()),
        };
        assert_eq!(received.payload, expected);
    }
    assert_eq!(node.counter("fanfare_broker_foreign_messages_total", None), messages.len() as f64);
    assert!(
        node.recorder.published(&channel).iter().all(Option::is_none),
        "the time of publish is not known"
    );
}

#[tokio::test]
async fn an_unknown_envelope_is_dropped_and_counted() {
    let (bus, node, channel) = subscribed().await;
    let text_but_not_utf8 =
        [&[0xC1, 0xFA, VERSION, 1, 0, 26, 1, 0, 1, 0, 2, 0, 8][..], &[0; 8], &[3, 0, 8], &[0; 8], &[0xFF]]
            .concat();
    let control = [&[0xC1, 0xFA, VERSION, 4, 0, 11, 2, 0, 8][..], &[0; 8]].concat();
    let dropped: [(&str, &[u8]); 7] = [
        ("version", &[0xC1, 0xFA, VERSION + 1, 1, 0, 0, b'x']),
        ("kind", &[0xC1, 0xFA, VERSION, 99, 0, 0, b'x']),
        ("length", &[0xC1, 0xFA, VERSION, 1, 0, 9, b'x']),
        ("length", &[0xC1, 0xFA]),
        ("field", &[0xC1, 0xFA, VERSION, 1, 0, 0, b'x']),
        ("not_utf8", &text_but_not_utf8),
        ("misplaced", &control),
    ];
    for (_, message) in dropped {
        publish(&bus, "fanfare:chat", message).await;
    }
    publish(&bus, "fanfare!control", b"no control message").await;
    publish(&bus, "fanfare:chat", b"last").await;
    eventually("the last is relayed", || node.recorder.count(&channel) == 1).await;
    assert_eq!(node.recorder.texts(&channel), ["last"]);
    for (reason, count) in [
        ("version", 1.0),
        ("kind", 1.0),
        ("length", 2.0),
        ("field", 1.0),
        ("not_utf8", 1.0),
        ("misplaced", 2.0),
    ] {
        assert_eq!(node.counter(DROPPED, Some(reason)), count, "{reason}");
    }
    assert!(node.recorder.controls().is_empty());
}

#[tokio::test]
async fn stale_messages_are_dropped_and_gaps_told() {
    let (bus, node, channel) = subscribed().await;
    let envelope = |sequence: u64, previous: Option<u64>| {
        let origin = Origin { node: Incarnation(7), session: None, sequence };
        let header = Header::publication(VERSION, PayloadKind::Text, &origin, None, previous, None);
        header.with_payload(sequence.to_string().as_bytes())
    };
    for (sequence, previous) in
        [(5, Some(4)), (6, Some(5)), (6, Some(5)), (5, Some(4)), (9, Some(8)), (10, None), (11, Some(10))]
    {
        publish(&bus, "fanfare:chat", &envelope(sequence, previous)).await;
    }
    eventually("the last is relayed", || node.recorder.texts(&channel).last().is_some_and(|t| t == "11"))
        .await;
    assert_eq!(node.recorder.texts(&channel), ["5", "6", "9", "10", "11"]);
    assert_eq!(node.counter("fanfare_publications_out_of_order_total", None), 2.0);
    assert_eq!(node.recorder.outages().missed, std::slice::from_ref(&channel));
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    let _killed: usize = bus.0.run(&kill).await.unwrap();
    eventually("it is restored", || node.recorder.outages().outages.len() == 1).await;
    publish(&bus, "fanfare:chat", &envelope(20, Some(19))).await;
    eventually("it comes", || node.recorder.texts(&channel).last().is_some_and(|t| t == "20")).await;
    assert_eq!(node.recorder.outages().missed.len(), 1, "losses of an interruption are counted with it");
}

/// The message of a client of Redis that forges the origin.
fn forged(node: Incarnation, sequence: u64, previous: Option<u64>, time: Option<u64>) -> Vec<u8> {
    let origin = Origin { node, session: None, sequence };
    let header = Header::publication(VERSION, PayloadKind::Text, &origin, time, previous, None);
    header.with_payload(b"forged")
}

const DISTRUSTED: &str = "fanfare_publications_distrusted_total";

#[tokio::test]
async fn a_forged_sequence_mutes_no_node() {
    let (bus, node, channel) = subscribed().await;
    node.publish_text(&channel, "first").await.unwrap();
    for sequence in [u64::MAX, 1 << 40] {
        publish(&bus, "fanfare:chat", &forged(node.incarnation, sequence, Some(sequence - 1), None)).await;
    }
    for text in ["second", "third"] {
        node.publish_text(&channel, text).await.unwrap();
    }
    eventually("all of the node's come", || {
        node.recorder.texts(&channel).last().is_some_and(|t| t == "third")
    })
    .await;
    assert_eq!(node.recorder.texts(&channel), ["first", "forged", "forged", "second", "third"]);
    assert_eq!(node.counter(DISTRUSTED, Some("sequence")), 2.0);
    assert_eq!(node.counter("fanfare_publications_out_of_order_total", None), 0.0);
    assert_eq!(node.recorder.outages().missed, [], "a forged gap is not told");
    // A forged jump that a node could make costs one message, and the loss is told.
    publish(&bus, "fanfare:chat", &forged(node.incarnation, 1000, None, None)).await;
    for text in ["lost", "fourth", "fifth"] {
        node.publish_text(&channel, text).await.unwrap();
    }
    eventually("the last comes", || node.recorder.texts(&channel).last().is_some_and(|t| t == "fifth")).await;
    assert_eq!(node.recorder.texts(&channel)[5..], ["forged", "fourth", "fifth"]);
    assert_eq!(node.recorder.outages().missed, [channel]);
}

#[tokio::test]
async fn an_unlisted_origin_is_not_believed() {
    let (bus, node, channel) = subscribed().await;
    node.started.registry.announce(&node.info("known")).await.unwrap();
    for sequence in [9, 9, 3] {
        publish(&bus, "fanfare:chat", &forged(Incarnation(7), sequence, Some(sequence - 1), None)).await;
    }
    eventually("they are relayed", || node.recorder.count(&channel) == 3).await;
    assert_eq!(node.counter(DISTRUSTED, Some("origin")), 3.0);
    assert_eq!(node.counter("fanfare_publications_out_of_order_total", None), 0.0);
    assert_eq!(node.recorder.outages().missed, []);
}

#[tokio::test]
async fn a_forged_time_is_not_believed() {
    let (bus, node, channel) = subscribed().await;
    eventually("the clock is known", || node.counter("fanfare_redis_commands_total", Some("time")) > 0.0)
        .await;
    let times = [0, 1, 1 << 62, i64::MAX as u64, u64::MAX];
    for (sequence, time) in times.into_iter().enumerate() {
        let message = forged(Incarnation(7), sequence as u64 + 1, None, Some(time));
        publish(&bus, "fanfare:chat", &message).await;
    }
    eventually("they are relayed", || node.recorder.count(&channel) == times.len()).await;
    assert!(node.recorder.published(&channel).iter().all(Option::is_none));
    assert!(node.counter(DISTRUSTED, Some("time")) >= 2.0);
}

#[tokio::test]
async fn a_plain_publish_past_the_limit_is_dropped() {
    let (bus, node, channel) = subscribed().await;
    let limit = 1 << 20;
    for length in [limit, limit + 1, limit + 70_000, 20 * limit] {
        publish(&bus, "fanfare:chat", &vec![b'x'; length]).await;
    }
    publish(&bus, "fanfare:chat", b"last").await;
    eventually("the last is relayed", || node.recorder.count(&channel) == 2).await;
    let lengths: Vec<_> = node.recorder.on(&channel).iter().map(|received| received.payload.len()).collect();
    assert_eq!(lengths, [limit, 4]);
    assert_eq!(node.counter(DROPPED, Some("too_long")), 3.0);
}

#[tokio::test]
async fn two_prefixes_on_one_redis_are_two_clusters() {
    let (bus, node, channel) = subscribed().await;
    let prefix = fanfare_broker::Prefix::new("other").unwrap();
    let other = TestNode::start(bus.config().with_prefix(&prefix));
    other.is_up().await;
    other.subscribe(&channel).await.unwrap();
    other.publish_text(&channel, "theirs").await.unwrap();
    node.publish_text(&channel, "ours").await.unwrap();
    eventually("each has its own", || {
        node.recorder.count(&channel) > 0 && other.recorder.count(&channel) > 0
    })
    .await;
    assert_eq!(node.recorder.texts(&channel), ["ours"]);
    assert_eq!(other.recorder.texts(&channel), ["theirs"]);
    other.started.registry.announce(&other.info("theirs")).await.unwrap();
    assert_eq!(node.started.registry.nodes().await, Ok(Vec::new()));
}

#[tokio::test]
async fn malformed_and_dead_registry_entries_are_skipped() {
    let (bus, node, _) = subscribed().await;
    let info = node.info("alive");
    node.started.registry.announce(&info).await.unwrap();
    let _: () = bus.0.run(redis::cmd("SET").arg("fanfare!node:bad").arg("{")).await.unwrap();
    for member in ["bad", "dead"] {
        let _: () = bus.0.run(redis::cmd("ZADD").arg("fanfare!nodes").arg(1).arg(member)).await.unwrap();
    }
    assert_eq!(node.started.registry.nodes().await, Ok(vec![info.clone()]));
    assert_eq!(node.counter("fanfare_redis_registry_malformed_total", None), 1.0);
    // The next announcement removes expired entries from the index.
    node.started.registry.announce(&info).await.unwrap();
    let members: Vec<String> =
        bus.0.run(redis::cmd("ZRANGE").arg("fanfare!nodes").arg(0).arg(-1)).await.unwrap();
    assert_eq!(members, [info.incarnation.as_str()]);
    for key in ["fanfare!nodes".to_owned(), format!("fanfare!node:{}", info.incarnation)] {
        let ttl: i64 = bus.0.run(redis::cmd("TTL").arg(key)).await.unwrap();
        assert!(ttl > 0);
    }
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_says_so() {
    let (mut bus, node, _) = subscribed().await;
    bus.0.kill().await.unwrap();
    assert!(node.started.registry.announce(&node.info("alone")).await.is_err());
    assert!(node.started.registry.nodes().await.is_err());
}

/// A node that panics.
struct Panics;

impl BrokerEvents for Panics {
    fn publication(&self, publication: Publication) {
        panic!("{publication:?}");
    }

    fn control(&self, _: ControlMessage) {}

    fn interrupted(&self, _: Partition, _: Interruption) {}

    fn restored(&self, _: Partition, _: Duration) {}

    fn missed(&self, _: &Channel) {}

    fn poll_ready(&self, _: Partition, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[tokio::test]
async fn a_task_that_dies_is_told() {
    let bus = Redis::start().await;
    let node = Node { incarnation: Incarnation(1), limits: Limits::default() };
    let metrics = prometheus::Registry::new();
    let started = fanfare_broker::start(&node, bus.config(), Arc::new(Panics), &metrics).unwrap();
    eventually("it is up", || started.backend.broker.overall_state() == BrokerState::Up).await;
    let channel = Channel::new("chat").unwrap();
    started.backend.broker.subscribe(&channel).await.unwrap();
    publish(&bus, "fanfare:chat", b"hello").await;
    tokio::time::timeout(Duration::from_secs(60), started.failed()).await.unwrap();
}
