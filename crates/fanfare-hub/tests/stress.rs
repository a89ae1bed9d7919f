//! Everything at once, on several threads.

use std::{collections::HashMap, sync::Arc};

use fanfare_core::{Disconnect, Limits, Payload};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use crate::support::{Client, Framing, Node, Pipe, Setup, channel, ends};

const CHANNELS: [&str; 3] = ["a", "b", "c"];
const PUBLISHERS: usize = 6;
const MESSAGES: usize = 500;
const STAYING: usize = 24;
const CHURNING: usize = 24;

/// Publishes `MESSAGES` numbers to each channel, as fast as it may.
async fn publish(client: Client, publisher: usize) {
    for number in 0..MESSAGES {
        for name in CHANNELS {
            client.ready().await;
            let payload = Payload::text(format!("{publisher} {number}"));
            client.hub.publisher.publish(&client.session, 1, channel(name), payload);
        }
        if number % 8 == 0 {
            tokio::task::yield_now().await;
        }
    }
    client.hub.goodbyes.end_after_answers(&client.session, Disconnect::ByClient(None)).await;
    client.pipe.ended().await;
}

/// Joins and leaves, and changes its transport, until the publishers are done.
async fn churn(mut client: Client, seed: u64, done: tokio_util::sync::CancellationToken) -> Vec<String> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut got = Vec::new();
    while !done.is_cancelled() {
        let name = CHANNELS[random.random_range(0..CHANNELS.len())];
        client.join(&[name]).await;
        for _ in 0..random.random_range(0..20) {
            tokio::task::yield_now().await;
        }
        if random.random_bool(0.2) {
            let old = client.pipe.clone();
            client.change_to(Pipe::open(Framing::Prefixed)).await;
            got.extend(old.lines());
        }
        client.leave(name);
    }
    client.end(&Disconnect::Lost);
    got.extend(client.lines());
    got
}

/// The numbers of each publisher in each channel, in the order in which they came.
fn by_publisher(lines: &[String]) -> HashMap<(String, usize), Vec<usize>> {
    let mut numbers: HashMap<_, Vec<usize>> = HashMap::new();
    for line in lines {
        let [channel, publisher, number] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let key = (channel.to_owned(), publisher.parse().unwrap());
        numbers.entry(key).or_default().push(number.parse().unwrap());
    }
    numbers
}

async fn stays(node: &Node, number: usize) -> Client {
    let framing = if number.is_multiple_of(2) { Framing::Newline } else { Framing::Prefixed };
    let client = node.client_on(Pipe::open(framing));
    client.join(&CHANNELS[..1 + number % 3]).await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_arrives_once_in_publish_order() {
    let limits = Limits { outbound_bytes: 64 << 20, inbound_bytes: 64 << 10, ..Limits::default() };
    let node = Arc::new(Setup { shards: 4, limits, ..Setup::default() }.memory());
    let mut staying = Vec::new();
    for number in 0..STAYING {
        staying.push(stays(&node, number).await);
    }
    let done = tokio_util::sync::CancellationToken::new();
    let mut churning = JoinSet::new();
    for seed in 0..CHURNING as u64 {
        churning.spawn(churn(node.client(), seed, done.clone()));
    }
    let mut publishers = JoinSet::new();
    (0..PUBLISHERS).for_each(|publisher| drop(publishers.spawn(publish(node.client(), publisher))));
    ends(publishers.join_all()).await;
    done.cancel();
    for (number, client) in staying.iter().enumerate() {
        // The goodbye goes out behind the queue.
        client.hub.goodbyes.end_after_answers(&client.session, Disconnect::ByClient(None)).await;
        ends(client.pipe.ended()).await;
        let mut lines = client.lines();
        assert_eq!(lines.pop().as_deref(), Some("close 0 bye"));
        let channels = 1 + number % 3;
        assert_eq!(lines.len(), channels * PUBLISHERS * MESSAGES);
        let numbers = by_publisher(&lines);
        assert_eq!(numbers.len(), channels * PUBLISHERS);
        assert!(numbers.values().all(|numbers| numbers.iter().copied().eq(0..MESSAGES)));
    }
    for lines in ends(churning.join_all()).await {
        let numbers = by_publisher(&lines);
        assert!(numbers.values().all(|numbers| numbers.is_sorted_by(|earlier, later| earlier < later)));
    }
    assert_eq!(node.hub.metrics().connections.count(), 0);
}
