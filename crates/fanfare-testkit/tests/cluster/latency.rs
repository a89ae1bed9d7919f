//! Relay latency across nodes, on the clock of Redis.

use fanfare_testkit::{Endpoint, TestCluster, assert_eventually};

const COUNT: &str = "fanfare_relay_latency_seconds_count";
const SUM: &str = "fanfare_relay_latency_seconds_sum";
/// Far more than messages take, and far less than the difference of unrelated clocks.
const PLAUSIBLE: f64 = 600.0;

async fn of(node: &Endpoint, name: &str, origin: &str) -> f64 {
    node.metric(&format!("{name}{{origin=\"{origin}\"}}")).await
}

/// Waits until a node knows Redis' clock: it reads the first answer before it asks again.
async fn knows_the_time(node: &Endpoint) {
    let asked = "fanfare_redis_commands_total{kind=\"time\"}";
    assert_eventually!(node.metric(asked).await >= 2.0, "the node at {} knows the time", node.address());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_is_measured_by_origin() {
    let cluster = TestCluster::start(2).await;
    let (a, b) = (&cluster.nodes[0], &cluster.nodes[1]);
    knows_the_time(a).await;
    knows_the_time(b).await;
    let (mut publisher, mut subscriber) = (a.connect("/ws/news").await, b.connect("/ws/news").await);
    for number in 0..10 {
        let text = number.to_string();
        if number % 2 == 0 {
            publisher.text(&text).await
        } else {
            a.publish("news", text.as_str()).await
        }
        publisher.expect(&text).await;
        subscriber.expect(&text).await;
    }
    // A message without a publish time.
    cluster.plain_publish("news", b"plain").await;
    publisher.expect("plain").await;
    subscriber.expect("plain").await;
    a.publish("news", "last").await;
    publisher.expect("last").await;
    subscriber.expect("last").await;
    for (node, timed, not) in [(a, "local", "remote"), (b, "remote", "local")] {
        assert_eventually!(of(node, COUNT, timed).await >= 11.0, "all are timed as {timed}");
        assert_eq!((of(node, COUNT, timed).await, of(node, COUNT, not).await), (11.0, 0.0));
        let sum = of(node, SUM, timed).await;
        assert!((0.0..PLAUSIBLE).contains(&sum), "{timed}: {sum} s");
    }
    let publishes = "fanfare_broker_publish_duration_seconds_count";
    for (result, count) in [("taken", 11.0), ("refused", 0.0), ("unknown", 0.0)] {
        assert_eq!(a.metric(&format!("{publishes}{{result=\"{result}\"}}")).await, count, "{result}");
    }
    assert!(a.get("/metrics").await.text().contains("fanfare_redis_errors_total{code=\"NOPERM\"} 0"));
}
