//! A real Prometheus, with the configuration that is shipped, understands what nodes say of themselves.

use fanfare_testkit::{Client, Prometheus, TestCluster};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_three_nodes_and_adds_them_up() {
    let cluster = TestCluster::start(3).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| **node).collect();
    let prometheus = Prometheus::start(&nodes).await;
    let mut clients: Vec<Client> = Vec::new();
    for (node, count) in nodes.iter().zip([1, 2, 4]) {
        for _ in 0..count {
            clients.push(node.connect("/ws/all").await);
        }
    }

    prometheus.comes_to("count(up{job='fanfare'} == 1)", |up| up == 3.0).await;
    prometheus.comes_to("sum(fanfare_connections)", |connections| connections == 7.0).await;
    prometheus.comes_to("sum(fanfare_subscriptions)", |subscriptions| subscriptions == 7.0).await;
    prometheus.comes_to("sum(fanfare_build_info)", |nodes| nodes == 3.0).await;

    // One node has 1 subscriber of them, one 2, one 4. The series were there before, so the first are seen too.
    for _ in 0..10 {
        nodes[0].publish("all", "hello").await;
    }
    let median = "histogram_quantile(0.5, sum by (le) (rate(fanfare_fan_out_subscribers_bucket[1m])))";
    prometheus.comes_to(median, |median| 1.0 < median && median <= 2.0).await;
    let ratio = "sum(rate(fanfare_delivery_writes_total[1m])) / sum(rate(fanfare_deliveries_total[1m]))";
    prometheus.comes_to(ratio, |ratio| 0.0 < ratio && ratio <= 1.0).await;

    // Each alert is a question that can be asked. What depends on the time that things take is not asserted.
    let alerts = Prometheus::alerts();
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in alerts {
        let wrong = prometheus.query(&alert).await;
        assert!(wrong.is_empty() || alert.contains("seconds"), "nothing is wrong: {alert} {wrong:?}");
    }
}
