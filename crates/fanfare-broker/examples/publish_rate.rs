//! The publications in a second that the Redis publisher carries, and the cost of each in this process.
//!
//! `cargo run --release -p fanfare-broker --example publish_rate`

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement prints, and ends where it cannot"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare_broker_suite::{RedisServer, TestNode};
use fanfare_core::{Channel, Payload, Publish, Retention, SessionId};

const SECONDS: f64 = 3.0;
const RETENTION: Retention = Retention { size: 1000, ttl: Duration::from_secs(600) };

#[tokio::main]
async fn main() {
    let server = RedisServer::start().await.expect("redis-server");
    println!(
        "publishers | in flight each | publishes/s | CPU µs per publish of this process | with delivery | and history"
    );
    for (publishers, in_flight) in [(1, 1), (1, 16), (1, 64), (16, 1), (16, 16), (64, 16), (1000, 1)] {
        let without = measure(&server, publishers, in_flight, false, None).await;
        let with = measure(&server, publishers, in_flight, true, None).await;
        let kept = measure(&server, publishers, in_flight, true, Some(RETENTION)).await;
        println!(
            "{publishers:10} | {in_flight:14} | {:11.0} | {:.2} | {:.0}/s, {:.2} µs | {:.0}/s, {:.2} µs",
            without.0, without.1, with.0, with.1, kept.0, kept.1
        );
    }
}

/// Publishes for a few seconds. The publishes in a second, and the CPU time of each in µs.
async fn measure(
    server: &RedisServer,
    publishers: usize,
    in_flight: usize,
    subscribe: bool,
    retention: Option<Retention>,
) -> (f64, f64) {
    let node = Arc::new(TestNode::start(server.url().parse().expect("a URL")));
    node.is_up().await;
    let channel = Channel::new("rate").expect("a channel");
    if subscribe {
        node.subscribe(&channel).await.expect("a subscription");
    }
    let cpu = cpu_time();
    let start = Instant::now();
    let tasks: Vec<_> = (0..publishers)
        .map(|_| tokio::spawn(publish(node.clone(), channel.clone(), in_flight, start, retention)))
        .collect();
    let mut published = 0;
    for task in tasks {
        published += task.await.expect("a publisher");
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_time() - cpu;
    node.started.stop().await;
    (published as f64 / seconds, cpu.as_secs_f64() * 1e6 / published as f64)
}

async fn publish(
    node: Arc<TestNode>,
    channel: Channel,
    in_flight: usize,
    start: Instant,
    retention: Option<Retention>,
) -> usize {
    let payload = Payload::text("x".repeat(128));
    let mut under_way = std::collections::VecDeque::new();
    let mut published = 0;
    while start.elapsed().as_secs_f64() < SECONDS {
        while under_way.len() < in_flight {
            let publish = Publish::new(channel.clone(), payload.clone()).by(SessionId(7), None);
            under_way.push_back(node.hand_over(publish.kept(retention)));
        }
        if let Some(answered) = under_way.pop_front() {
            answered.await.expect("an answer").expect("taken");
            published += 1;
        }
    }
    published
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
