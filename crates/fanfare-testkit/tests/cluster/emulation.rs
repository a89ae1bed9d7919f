//! Commands for a stream, which any node takes.

use fanfare_testkit::{
    TestCluster, assert_eventually,
    stream::{StreamClient, emulate},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_reach_the_node_of_their_stream() {
    let cluster = TestCluster::start(2).await;
    let [near, far] = &cluster.nodes[..] else { panic!("two nodes") };
    let (mut client, connected) = StreamClient::connected(near).await;
    assert_eventually!(
        emulate(far, &connected, r#"{"id":2,"subscribe":{"channel":"a"}}"#).await.status == 204,
        "the nodes know each other"
    );
    assert_eq!(client.line().await, Some(json!({"id": 2, "subscribe": {}})));
    // Each answer comes before the next request: the order is that of the requests.
    for id in 3..20 {
        let publish = format!(r#"{{"id":{id},"publish":{{"channel":"a","data":{id}}}}}"#);
        emulate(far, &connected, &publish).await.is(204, "");
    }
    let mut came = Vec::new();
    while came.len() < 17 {
        let line = client.line().await.unwrap();
        came.extend(line["push"]["pub"]["data"].as_u64());
    }
    assert_eq!(came, (3..20).collect::<Vec<_>>());
}
