//! The cases. Each gets a broker that nobody else uses.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fanfare_core::{
    Channel, Payload, PayloadKind, Publish, PublishError, SessionId, TraceContext,
    broker::{PublishOrder, Recipient},
};
use tokio::task::JoinSet;

use super::{
    Bus,
    node::{Outages, Received, TestNode, answer, eventually},
};

pub(super) fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// That nobody was told of a loss: there was none.
fn assert_nothing_interrupted(nodes: &[impl std::ops::Deref<Target = TestNode>]) {
    for node in nodes {
        assert_eq!(node.recorder.outages(), Outages::default());
    }
}

pub(super) async fn subscribed(node: &TestNode, channel: &Channel) {
    if let Err(error) = node.subscribe(channel).await {
        panic!("{channel}: {error}");
    }
}

pub(super) async fn taken(node: &TestNode, channel: &Channel, text: &str) {
    if let Err(error) = node.publish_text(channel, text).await {
        panic!("{text} on {channel}: {error}");
    }
}

/// One publisher's messages, numbered from 0, all taken; publishes without waiting for answers.
async fn publish_numbered(node: Arc<TestNode>, channel: Channel, publisher: String, count: usize) {
    let answers: Vec<_> = (0..count)
        .map(|number| node.publish(&channel, Payload::text(format!("{publisher} {number}")), None))
        .collect();
    for answered in answers {
        assert_eq!(answer(answered).await, Ok(()));
    }
}

/// That each publisher's numbers are all there, once, in order.
fn assert_each_in_order(received: &[String], publishers: usize, count: usize) {
    let mut next: HashMap<&str, usize> = HashMap::new();
    for text in received {
        let (publisher, number) = text.split_once(' ').unwrap_or_else(|| panic!("{text}"));
        let expected = next.entry(publisher).or_default();
        assert_eq!(number, expected.to_string(), "of {publisher}");
        *expected += 1;
    }
    assert_eq!(next.len(), publishers);
    assert!(next.values().all(|&n| n == count), "{next:?}");
}

/// Many publishers on all nodes: every node sees all of them, in one order.
pub async fn publications_keep_their_order_on_every_node(bus: &impl Bus) {
    const PUBLISHERS: usize = 8;
    const COUNT: usize = 500;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let channels = ["a", "b:c"].map(channel);
    for node in &nodes {
        for channel in &channels {
            subscribed(node, channel).await;
        }
    }
    let mut publishers = JoinSet::new();
    for (index, node) in nodes.iter().enumerate() {
        for channel in &channels {
            for publisher in 0..PUBLISHERS {
                let name = format!("{index}-{publisher}");
                publishers.spawn(publish_numbered(node.clone(), channel.clone(), name, COUNT));
            }
        }
    }
    publishers.join_all().await;
    let all = nodes.len() * PUBLISHERS * COUNT;
    for channel in &channels {
        for node in &nodes {
            eventually("everything is delivered", || node.recorder.count(channel) == all).await;
        }
        let orders: Vec<_> = nodes.iter().map(|node| node.recorder.on(channel)).collect();
        assert!(orders.windows(2).all(|pair| pair.first() == pair.last()), "the nodes see different orders");
        for node in &nodes {
            assert_each_in_order(&node.recorder.texts(channel), nodes.len() * PUBLISHERS, COUNT);
            assert_sequences_rise(&node.recorder.on(channel));
        }
    }
    assert_nothing_interrupted(&nodes);
}

fn assert_sequences_rise(received: &[Received]) {
    let mut last = HashMap::new();
    for origin in received.iter().filter_map(|received| received.origin) {
        let before = last.insert(origin.node, origin.sequence);
        assert!(before < Some(origin.sequence), "{origin:?} after {before:?}");
    }
}

/// What is published comes back to its node, once, and says from whom it is, and in which trace.
pub async fn a_publication_comes_back_once_with_its_origin(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let channel = channel("echo");
    let trace = TraceContext::new([1; 16], [2; 8], 1);
    assert!(trace.is_some());
    for node in &nodes {
        subscribed(node, &channel).await;
    }
    for node in &nodes {
        taken(node, &channel, "session").await;
        let payload = Payload::text("api");
        let publish = Publish { channel: channel.clone(), payload, session: None, order: None, trace };
        node.broker().publish(publish, Box::new(|result| assert_eq!(result, Ok(()))));
    }
    for node in &nodes {
        eventually("everything came back", || node.recorder.count(&channel) == 2 * nodes.len()).await;
        let received = node.recorder.on(&channel);
        for publisher in &nodes {
            let of = |text: &str| {
                let mut of = received.iter().filter(|received| {
                    received.payload == Payload::text(text)
                        && received.origin.is_some_and(|origin| origin.node == publisher.incarnation)
                });
                let first = of.next();
                (first.and_then(|first| first.origin), first.and_then(|first| first.trace), of.count())
            };
            let (session, untraced, more) = of("session");
            assert_eq!(
                (session.and_then(|origin| origin.session), untraced, more),
                (Some(SessionId(7)), None, 0)
            );
            let (api, traced, more) = of("api");
            assert_eq!((api.map(|origin| origin.session), traced, more), (Some(None), trace, 0));
        }
    }
}

/// No publication that was handed over after a confirmation is missed.
pub async fn a_confirmed_subscription_gets_every_later_publication(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channels: Vec<_> = (0..500).map(|number| channel(&format!("later-{number}"))).collect();
    for channel in &channels {
        subscribed(subscriber, channel).await;
        // Not waited for: the next subscription is under way at the same time.
        drop(publisher.publish(channel, Payload::text("later"), None));
    }
    for channel in &channels {
        eventually("what came later arrives", || subscriber.recorder.count(channel) == 1).await;
    }
}

/// Channels come and go by the thousand: who stays misses nothing, and whoever is confirmed last gets what
/// comes then.
pub async fn subscriptions_survive_thousands_of_changes(bus: &impl Bus) {
    const CHANNELS: usize = 50;
    const ROUNDS: usize = 40;
    const STEADY: usize = 2000;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let steady = channel("steady");
    subscribed(subscriber, &steady).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(publish_numbered(publisher.clone(), steady.clone(), "steady".to_owned(), STEADY));
    for number in 0..CHANNELS {
        let (publisher, subscriber) = (publisher.clone(), subscriber.clone());
        tasks.spawn(async move {
            let channel = channel(&format!("changing-{number}"));
            for round in 0..ROUNDS {
                let first = subscriber.broker().subscribe(&channel);
                subscriber.broker().unsubscribe(&channel);
                let second = subscriber.broker().subscribe(&channel);
                if round % 3 == 0 {
                    drop(first);
                } else {
                    assert_eq!(first.await, Ok(()));
                }
                assert_eq!(second.await, Ok(()));
                let text = format!("{round}");
                taken(&publisher, &channel, &text).await;
                eventually("a confirmed subscription gets it", || {
                    subscriber.recorder.texts(&channel).last() == Some(&text)
                })
                .await;
                subscriber.broker().unsubscribe(&channel);
            }
        });
    }
    tasks.join_all().await;
    eventually("who stays misses nothing", || subscriber.recorder.count(&steady) == STEADY).await;
    assert_each_in_order(&subscriber.recorder.texts(&steady), 1, STEADY);
    assert_nothing_interrupted(&nodes);
}

/// Giving a channel up and wanting it again leaves no gap after the confirmation, however long lies between.
pub async fn a_channel_that_is_wanted_again_at_once_loses_nothing(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("again");
    // Around a second, where a broker that lingers acts.
    for milliseconds in [0, 1, 100, 990, 1000, 1005, 1010] {
        subscribed(subscriber, &channel).await;
        subscriber.broker().unsubscribe(&channel);
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        subscribed(subscriber, &channel).await;
        let before = subscriber.recorder.count(&channel);
        for number in 0..10 {
            taken(publisher, &channel, &number.to_string()).await;
        }
        eventually("nothing is missed", || subscriber.recorder.count(&channel) == before + 10).await;
    }
}

/// Publications of a channel that was given up stop coming at some time.
pub async fn what_nobody_wants_is_not_delivered_any_more(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let (given_up, kept) = (channel("given-up"), channel("kept"));
    subscribed(subscriber, &given_up).await;
    subscribed(subscriber, &kept).await;
    subscriber.broker().unsubscribe(&given_up);
    for round in 1.. {
        let before = subscriber.recorder.count(&given_up);
        taken(publisher, &given_up, "?").await;
        taken(publisher, &kept, "!").await;
        eventually("what is wanted comes", || subscriber.recorder.count(&kept) == round).await;
        if subscriber.recorder.count(&given_up) == before {
            return;
        }
        assert!(round < 3000, "it is delivered for ever");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Bytes and their kind arrive as they were, empty and large ones too.
pub async fn payloads_arrive_verbatim(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("räume/東京");
    subscribed(subscriber, &channel).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let payloads = [
        Payload::text(""),
        Payload::binary(Bytes::new()),
        Payload::text("line\r\nbreak \u{0} 🎺"),
        Payload::json("{ \"spaces\" : [1, 2.50] }"),
        Payload::binary(every_byte.clone()),
        // Looks like an envelope.
        Payload::binary(vec![0xC1, 0xFA, 1, 1, 0, 0]),
        Payload::binary(vec![0xC1, 0xFA]),
        Payload::binary(every_byte.repeat(64)),
        Payload::binary(every_byte.repeat(4096)),
        Payload::text("é".repeat(1 << 19)),
        Payload::text("small again"),
    ];
    for payload in &payloads {
        assert_eq!(answer(publisher.publish(&channel, payload.clone(), None)).await, Ok(()));
    }
    eventually("all arrive", || subscriber.recorder.count(&channel) == payloads.len()).await;
    let received: Vec<_> =
        subscriber.recorder.on(&channel).into_iter().map(|received| received.payload).collect();
    for (sent, got) in payloads.iter().zip(&received) {
        assert!(sent == got, "{:?} of {} bytes: {:?} of {}", sent.kind(), sent.len(), got.kind(), got.len());
    }
    assert!(received.iter().any(|payload| payload.kind() == PayloadKind::Json));
}

/// However many are under way, each publish is answered once, those that are refused too.
pub async fn each_publish_is_answered_once(bus: &impl Bus) {
    const COUNT: usize = 5000;
    let nodes = bus.nodes().await;
    let too_long = Payload::binary(vec![0; (1 << 20) + 1]);
    for node in &nodes {
        let answers: Arc<[AtomicUsize]> = (0..COUNT).map(|_| AtomicUsize::new(0)).collect();
        for number in 0..COUNT {
            let answers = answers.clone();
            let fails = number % 10 == 0;
            let payload = if fails { too_long.clone() } else { Payload::text("x") };
            let publish =
                Publish { channel: channel("any"), payload, session: None, order: None, trace: None };
            let done = move |result: Result<(), PublishError>| {
                assert_eq!(result.is_err(), fails, "{number}: {result:?}");
                if let Some(answers) = answers.get(number) {
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            };
            node.broker().publish(publish, Box::new(done));
        }
        eventually("all are answered", || answers.iter().all(|n| n.load(Ordering::SeqCst) > 0)).await;
        assert!(answers.iter().all(|n| n.load(Ordering::SeqCst) == 1), "one was answered twice");
    }
}

/// What got through of a publish order is what was sent before the failure.
pub async fn after_a_failure_the_rest_of_a_lane_is_refused(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let (Some(publisher), Some(subscriber)) = (nodes.first(), nodes.last()) else { panic!("no nodes") };
    let channel = channel("order");
    subscribed(subscriber, &channel).await;
    let (order, other) = (Arc::new(PublishOrder::default()), Arc::new(PublishOrder::default()));
    let text = |text: &str| Payload::text(text);
    let first = answer(publisher.publish(&channel, text("1"), Some(&order))).await;
    let too_long = answer(publisher.publish(&channel, Payload::binary(vec![0; (1 << 20) + 1]), Some(&order)));
    let failed = too_long.await;
    let third = answer(publisher.publish(&channel, text("3"), Some(&order))).await;
    let others = answer(publisher.publish(&channel, text("other"), Some(&other))).await;
    assert_eq!((first, others), (Ok(()), Ok(())));
    for refused in [failed, third] {
        assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    }
    assert!(order.has_failed() && !other.has_failed());
    eventually("the others' arrives", || subscriber.recorder.count(&channel) == 2).await;
    assert_eq!(subscriber.recorder.texts(&channel), ["1", "other"]);
}

/// Control messages go to one node or to all, the sender too, in each sender's order.
pub async fn control_messages_reach_whom_they_are_for_in_order(bus: &impl Bus) {
    const COUNT: usize = 200;
    let nodes = bus.nodes().await;
    for number in 0..COUNT {
        for node in &nodes {
            node.control(Recipient::All, &format!("all {number}"));
            for to in &nodes {
                node.control(Recipient::Node(to.incarnation), &format!("one {number}"));
            }
            node.control(Recipient::Node(fanfare_core::Incarnation(0)), "nobody");
        }
    }
    let expected = |kind: &str| (0..COUNT).map(|number| format!("{kind} {number}")).collect::<Vec<_>>();
    for node in &nodes {
        eventually("all control messages arrive", || {
            node.recorder.controls().len() == 2 * COUNT * nodes.len()
        })
        .await;
        for sender in &nodes {
            let of = |kind: &str| {
                let controls = node.recorder.controls().into_iter();
                controls
                    .filter(|message| message.from == sender.incarnation)
                    .map(|message| String::from_utf8_lossy(&message.body).into_owned())
                    .filter(|text| text.starts_with(kind))
                    .collect::<Vec<_>>()
            };
            assert_eq!((of("all"), of("one")), (expected("all"), expected("one")));
        }
    }
}

/// An entry is there once it was announced, is renewed by the next, and is gone once it was withdrawn.
pub async fn the_registry_lists_the_nodes(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let mut infos = Vec::new();
    // Named against the order in which they announce themselves.
    for (index, node) in nodes.iter().enumerate() {
        let registry = &node.started.registry;
        let info = node.info(&format!("node-{}", 9 - index));
        assert_eq!(registry.announce(&info).await, Ok(()));
        let info = fanfare_core::NodeInfo { connections: 5, ..info };
        assert_eq!(registry.announce(&info).await, Ok(()));
        infos.insert(0, info);
    }
    for node in &nodes {
        assert_eq!(node.started.registry.nodes().await, Ok(infos.clone()));
    }
    for node in &nodes {
        assert_eq!(node.started.registry.withdraw().await, Ok(()));
        infos.pop();
        for node in &nodes {
            assert_eq!(node.started.registry.nodes().await, Ok(infos.clone()));
        }
    }
}

/// While the node has no room nothing is lost; afterwards all of it comes in order.
pub async fn a_node_without_room_gets_everything_later_in_order(bus: &impl Bus) {
    const COUNT: usize = 3000;
    let nodes: Vec<_> = bus.nodes().await.into_iter().map(Arc::new).collect();
    let Some(node) = nodes.first() else { panic!("no nodes") };
    let channel = channel("room");
    subscribed(node, &channel).await;
    for round in 0..3 {
        node.recorder.close();
        let publishing = publish_numbered(node.clone(), channel.clone(), round.to_string(), COUNT);
        let opening = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            node.recorder.open();
        };
        tokio::join!(publishing, opening);
    }
    eventually("everything came", || node.recorder.count(&channel) == 3 * COUNT).await;
    assert_each_in_order(&node.recorder.texts(&channel), 3, COUNT);
    assert_nothing_interrupted(&nodes);
}

/// A broker that stops publishes what waits, answers everything, and refuses what comes later.
pub async fn a_broker_that_stops_answers_everything(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let Some(node) = nodes.first() else { panic!("no nodes") };
    let channel = channel("stop");
    let answers: Vec<_> = (0..1000).map(|_| node.publish(&channel, Payload::text("x"), None)).collect();
    node.started.stop().await;
    for answered in answers {
        assert_eq!(answer(answered).await, Ok(()));
    }
    let late = node.publish_text(&channel, "late").await;
    assert!(matches!(late, Err(PublishError::Refused(_))), "{late:?}");
}
