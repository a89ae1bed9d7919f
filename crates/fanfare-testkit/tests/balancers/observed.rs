//! HAProxy's log and metrics.

use fanfare_testkit::{Balancer, Prometheus, TestCluster, assert_eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_logs_websockets_without_tokens() {
    let cluster = TestCluster::start(1).await;
    let front = Balancer::start(&[*cluster.nodes[0]]).await;
    let mut client = front.endpoint().connect("/ws/chat?token=SECRET").await;
    client.close(1000, "").await;
    let ended = "nodes/node1 GET /ws/chat 101 ";
    assert_eventually!(front.log().contains(ended), "the WebSocket is logged: {}", front.log());
    let log = front.log();
    assert!(!log.contains("SECRET") && !log.contains("/metrics"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_reads_haproxy_metrics() {
    let mut cluster = TestCluster::start(2).await;
    let nodes = [*cluster.nodes[0], *cluster.nodes[1]];
    let front = Balancer::start(&nodes).await;
    let prometheus = Prometheus::start_beside(&nodes, Some(front.metrics())).await;
    let _client = front.endpoint().connect("/ws/chat").await;
    prometheus.comes_to("haproxy_backend_current_sessions{proxy='nodes'}", |sessions| sessions == 1.0).await;
    prometheus.comes_to("haproxy_backend_active_servers{proxy='nodes'}", |servers| servers == 2.0).await;
    prometheus.comes_to("count(up{job=~'fanfare.*'} == 1)", |up| up == 2.0).await;
    cluster.nodes.pop().unwrap().stop().await;
    prometheus.comes_to("haproxy_backend_active_servers{proxy='nodes'}", |servers| servers == 1.0).await;
}
