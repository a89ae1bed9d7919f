//! Mistakes in the configuration of a Cluster.

use fanfare_broker::{BrokerConfig, Prefix};
use fanfare_broker_suite::{ClusterServers, RedisServer, TestNode};
use fanfare_core::Channel;

async fn refused(url: &str) -> String {
    let node = TestNode::start(url.parse().unwrap());
    node.subscribe(&Channel::new("chat").unwrap()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_old_cluster_needs_the_option() {
    let old = ["--rename-command", "SPUBLISH", "", "--rename-command", "SSUBSCRIBE", ""];
    let servers = ClusterServers::start_with(&old).await.unwrap();
    let refused = refused(&servers.url()).await;
    assert!(refused.contains("?pubsub=plain"), "{refused}");
    // With it, messages go over the bus.
    let config: BrokerConfig = format!("{}?partitions=3&pubsub=plain", servers.url()).parse().unwrap();
    let nodes = [TestNode::start(config.clone()), TestNode::start(config)];
    for node in &nodes {
        node.is_up().await;
    }
    for channel in ["a", "b", "c"].map(|name| Channel::new(name).unwrap()) {
        nodes[0].subscribe(&channel).await.unwrap();
        nodes[1].publish_text(&channel, "hello").await.unwrap();
        fanfare_broker_suite::eventually("it arrives", || nodes[0].recorder.count(&channel) == 1).await;
    }
}

#[tokio::test]
async fn a_server_alone_is_no_cluster() {
    let server = RedisServer::start().await.unwrap();
    let refused = refused(&server.url().replace("redis:", "redis+cluster:")).await;
    assert!(refused.contains("not a node of a Cluster"), "{refused}");
}

#[tokio::test]
async fn a_prefix_has_no_tag_of_its_own() {
    let config: BrokerConfig = "redis+cluster://127.0.0.1:1".parse().unwrap();
    let config = config.with_prefix(&Prefix::new("a{b}").unwrap());
    let node = fanfare_broker::Node { incarnation: fanfare_core::Incarnation(1), limits: Default::default() };
    let recorder = std::sync::Arc::new(fanfare_broker_suite::Recorder::default());
    let error = fanfare_broker::start(&node, config, recorder, &prometheus::Registry::new()).unwrap_err();
    assert!(error.to_string().contains("prefix must not have the sign {"), "{error}");
}
