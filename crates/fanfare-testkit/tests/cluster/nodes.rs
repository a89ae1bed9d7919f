//! The list of nodes on every node, and the end of a node by SIGTERM and by SIGKILL.

use fanfare_testkit::{Process, RedisServer, Setup, TestCluster, redis_server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_lists_all_nodes() {
    let cluster = TestCluster::start(3).await;
    let mut clients = Vec::new();
    for (node, count) in cluster.nodes.iter().zip(1..) {
        for _ in 0..count {
            clients.push(node.connect("/chat").await);
        }
    }
    let all = &[("node-1", 1), ("node-2", 2), ("node-3", 3)];
    for node in &cluster.nodes {
        node.sees(all).await;
    }
    let page = cluster.nodes[1].get("/api/cluster").await.json();
    assert_eq!((page["node"].as_str(), page["broker"].as_str()), (Some("node-2"), Some("redis")));
    let selves: Vec<_> = page["nodes"].as_array().unwrap().iter().map(|node| node["self"] == true).collect();
    assert_eq!(selves, [false, true, false]);
    drop(clients);
    let none = &[("node-1", 0), ("node-2", 0), ("node-3", 0)];
    for node in &cluster.nodes {
        node.sees(none).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_closes_only_its_clients() {
    let mut cluster = TestCluster::start(2).await;
    let [stays, leaving] = [&cluster.nodes[0], &cluster.nodes[1]];
    stays.sees(&[("node-1", 0), ("node-2", 0)]).await;
    let (mut here, mut there) = (stays.connect("/chat").await, leaving.connect("/chat").await);
    leaving.publish("chat", "before").await;
    for client in [&mut here, &mut there] {
        client.expect("before").await;
    }
    let stopping = cluster.nodes.remove(1);
    let ((), (code, _)) = tokio::join!(stopping.stop(), there.closed());
    assert_eq!(code, 1012);
    assert_eq!(listed(&cluster.redis).await, 1, "the node left the registry");
    let stays = &cluster.nodes[0];
    stays.sees(&[("node-1", 1)]).await;
    here.text("after").await;
    here.expect("after").await;
}

#[tokio::test]
async fn a_single_node_lists_itself() {
    let node = Setup::memory().named("alone").start().await;
    let _client = node.connect("/chat").await;
    node.sees(&[("alone", 1)]).await;
}

async fn three_processes() -> (RedisServer, [Process; 3]) {
    let redis = redis_server().await;
    let url = redis.url();
    // A client that a test does not read for a while answers no pings, and would be dropped.
    let no_pings = [("FANFARE_RELAY__PING_INTERVAL", "1h")];
    let start = |name| Process::start_with(name, &url, &no_pings);
    let processes = [start("a").await, start("b").await, start("c").await];
    let all = &[("a", 0), ("b", 0), ("c", 0)];
    for process in &processes {
        process.sees(all).await;
    }
    (redis, processes)
}

/// The number of nodes in the registry.
async fn listed(redis: &RedisServer) -> usize {
    let mut keys = redis::cmd("KEYS");
    keys.arg("fanfare!node:*");
    redis.run::<Vec<String>>(&keys).await.map_or(0, |keys| keys.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sigterm_a_node_leaves_at_once() {
    let (redis, [mut leaving, here, there]) = three_processes().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(leaving.connect("/chat").await);
    }
    let mut stays = here.connect("/chat").await;
    leaving.terminate();
    for client in clients {
        let (code, reason) = client.closed().await;
        assert_eq!(code, 1012);
        assert!(reason.contains("restarts"), "{reason}");
    }
    let status = leaving.wait().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(listed(&redis).await, 2, "the node left the registry before it ended");
    for process in [&here, &there] {
        process.sees(&[("b", 1), ("c", 0)]).await;
    }
    there.publish("chat", "the others go on").await;
    stays.expect("the others go on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_leaves_after_its_ttl() {
    let (redis, [mut killed, here, there]) = three_processes().await;
    let mut stays = here.connect("/chat").await;
    killed.kill().await;
    let left = &[("b", 1), ("c", 0)];
    for process in [&here, &there] {
        process.sees(left).await;
    }
    assert_eq!(listed(&redis).await, 2);
    there.publish("chat", "the others go on").await;
    stays.expect("the others go on").await;
}
