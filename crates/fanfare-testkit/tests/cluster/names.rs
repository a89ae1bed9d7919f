//! Node names are for people: two nodes of one name are logged, and a restarted node is not a second one.

use fanfare_testkit::{Process, assert_eventually, redis_server};

const CONFLICTS: &str = "fanfare_node_name_conflicts";

/// The number of log lines about another node with this name.
fn said(node: &Process) -> usize {
    node.log().lines().filter(|line| line.contains("another node has this node's name")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_is_not_a_duplicate() {
    let redis = redis_server().await;
    let (mut killed, other) =
        (Process::start("same", &redis.url()).await, Process::start("other", &redis.url()).await);
    other.sees(&[("other", 0), ("same", 0)]).await;
    let gone = killed.connect("/chat").await;
    killed.kill().await;
    drop(gone);
    let address = killed.address().to_string();
    let flags = ["--listen", &address, "--node", "same", "--broker", &redis.url()];
    let again = Process::serve(&flags, "").await;
    again.is_ready().await;
    // The client returns to the same node.
    let mut back = again.connect("/chat").await;
    for node in [&again, &other] {
        // Until then the killed node is listed beside it.
        node.sees(&[("other", 0), ("same", 1)]).await;
        assert_eq!((said(node), node.metric(CONFLICTS).await), (0, 0.0), "{}", node.log());
    }
    other.publish("chat", "welcome back").await;
    back.expect("welcome back").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_one_name_are_logged() {
    let redis = redis_server().await;
    let (one, mut two) =
        (Process::start("same", &redis.url()).await, Process::start("same", &redis.url()).await);
    let mut client = one.connect("/chat").await;
    for node in [&one, &two] {
        assert_eventually!(said(node) > 0, "the conflict is logged: {}", node.log());
        assert_eq!(node.metric(CONFLICTS).await, 1.0);
        let nodes = node.nodes().await;
        assert_eq!(nodes.len(), 2, "both are listed: {nodes:?}");
    }
    let line = one.log();
    let line = line.lines().find(|line| line.contains("another node has")).unwrap();
    assert!(line.contains("\"name\":\"same\"") && line.contains("\"other\":\""), "{line}");
    two.publish("chat", "as ever").await;
    client.expect("as ever").await;
    two.terminate();
    assert!(two.wait().await.success());
    one.sees(&[("same", 1)]).await;
    assert_eventually!(one.metric(CONFLICTS).await == 0.0, "the name is unique again");
    assert_eq!(said(&one), 1, "{}", one.log());
}
