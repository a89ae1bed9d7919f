//! Long polling: `/poll`.

use fanfare_testkit::{Setup, TestCluster, TestNode, assert_eventually, metrics::hit};
use serde_json::{Value, json};

const KEPT: &str = "[[namespace]]\nname = \"kept\"\nhistory_size = 1000";

async fn node() -> TestNode {
    Setup::memory().toml(KEPT).start().await
}

async fn poll(node: &TestNode, query: &str) -> Value {
    let answer = node.get(&format!("/poll?{query}")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text());
    answer.json()
}

/// The cursor of an answer.
fn cursor(answer: &Value) -> &str {
    answer["cursor"].as_str().unwrap()
}

/// The data of its messages.
fn data(answer: &Value) -> Vec<&str> {
    answer["messages"].as_array().unwrap().iter().map(|message| message["data"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_first_poll_is_answered_at_once() {
    let node = node().await;
    node.publish("kept:a", "old").await;
    let first = poll(&node, "channel=kept:a&channel=kept:b").await;
    assert_eq!((&first["messages"], &first["recovered"]), (&json!([]), &json!(true)));
    let query = format!("channel=kept:a&channel=kept:b&cursor={}&timeout=0", cursor(&first));
    assert_eq!(poll(&node, &query).await, first);
}

#[tokio::test]
async fn what_is_there_is_answered_at_once() {
    let node = node().await;
    let first = poll(&node, "channel=kept:a&channel=kept:b").await;
    for (channel, text) in [("kept:a", "1"), ("kept:b", "2"), ("kept:a", "3")] {
        node.publish(channel, text).await;
    }
    let query = format!("channel=kept:a&channel=kept:b&cursor={}", cursor(&first));
    let (second, again) = (poll(&node, &query).await, poll(&node, &query).await);
    assert_eq!(second, again, "a poll may be repeated");
    assert_eq!((data(&second), &second["recovered"]), (vec!["1", "3", "2"], &json!(true)));
    let query = format!("channel=kept:a&channel=kept:b&cursor={}&timeout=0", cursor(&second));
    assert_eq!(poll(&node, &query).await["messages"], json!([]));
}

#[tokio::test]
async fn a_poll_waits_for_the_first_message() {
    let node = node().await;
    let first = poll(&node, "channel=kept:a&channel=kept:b").await;
    let query = format!("channel=kept:a&channel=kept:b&cursor={}&timeout=55", cursor(&first));
    let (answer, ()) = tokio::join!(poll(&node, &query), async {
        assert_eventually!(node.metric("fanfare_connections{dialect=\"poll\"}").await == 1.0, "a poll waits");
        let body = json!({"channel": "kept:b", "data": "new", "event": "e", "tags": {"k": "v"}});
        assert_eq!(node.post(&body).await.status, 200);
    });
    let message = json!({"channel": "kept:b", "event": "e", "tags": {"k": "v"}, "data": "new"});
    assert_eq!(answer["messages"], json!([message]));
    assert_eq!(node.metric("fanfare_connections").await, 0.0);
    assert_eq!(
        node.metric("fanfare_connections_closed_total{dialect=\"poll\",reason=\"client\"}").await,
        1.0
    );
}

#[tokio::test]
async fn a_long_past_comes_in_parts() {
    let node = Setup::memory().toml(KEPT).toml("[limits]\noutbound_bytes = \"256KiB\"").start().await;
    let mut cursor_now = cursor(&poll(&node, "channel=kept:a&channel=kept:b").await).to_owned();
    let text = "x".repeat(1_000);
    for number in 0..100 {
        for channel in ["kept:a", "kept:b"] {
            node.publish(channel, format!("{channel} {number} {text}")).await;
        }
    }
    let (mut parts, mut all) = (0, Vec::new());
    while all.len() < 200 {
        let answer = poll(&node, &format!("channel=kept:a&channel=kept:b&cursor={cursor_now}")).await;
        assert_eq!(answer["recovered"], json!(true));
        all.extend(data(&answer).into_iter().map(str::to_owned));
        cursor(&answer).clone_into(&mut cursor_now);
        parts += 1;
    }
    assert!(parts > 3, "{parts}");
    for channel in ["kept:a", "kept:b"] {
        let of_channel = all.iter().filter(|data| data.starts_with(channel)).cloned().collect::<Vec<_>>();
        let expected: Vec<_> = (0..100).map(|number| format!("{channel} {number} {text}")).collect();
        assert_eq!(of_channel, expected);
    }
}

#[tokio::test]
async fn a_lost_place_is_told_at_once() {
    let node = Setup::memory().toml("[[namespace]]\nhistory_size = 10").start().await;
    let first = poll(&node, "channel=a").await;
    for number in 0..50 {
        node.publish("a", number.to_string()).await;
    }
    let lost = poll(&node, &format!("channel=a&cursor={}", cursor(&first))).await;
    assert_eq!((&lost["messages"], &lost["recovered"]), (&json!([]), &json!(false)));
    node.publish("a", "next").await;
    let next = poll(&node, &format!("channel=a&cursor={}", cursor(&lost))).await;
    assert_eq!((data(&next), &next["recovered"]), (vec!["next"], &json!(true)));
}

#[tokio::test]
async fn a_poll_that_would_lose_is_refused() {
    let node = node().await;
    node.get("/poll?channel=loose").await.is(400, "would lose messages");
    node.get("/poll").await.is(400, "the channel is missing");
    node.get("/poll?channel=kept:a&cursor=x").await.is(400, "is not one that this server gave");
    node.get("/poll?channel=kept:a&timeout=56").await.is(400, "from 0 to 55");
    node.request("POST", "/poll?channel=kept:a", &[], "").await.is(405, "GET, OPTIONS only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_answers_polls() {
    let node = node().await;
    let first = poll(&node, "channel=kept:a").await;
    let query = format!("/poll?channel=kept:a&timeout=55&cursor={}", cursor(&first));
    let endpoint = *node;
    let waiting = tokio::spawn(async move { endpoint.get(&query).await.json() });
    assert_eventually!(node.metric("fanfare_connections{dialect=\"poll\"}").await == 1.0, "a poll waits");
    let stopping = tokio::spawn(node.stop());
    assert_eq!(waiting.await.unwrap(), first);
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_and_streams_count_for_their_address() {
    let node = Setup::memory().toml(KEPT).toml("[limits]\nconnections_per_address = 1").start().await;
    let first = poll(&node, "channel=kept:a").await;
    let query = format!("channel=kept:a&timeout=55&cursor={}", cursor(&first));
    let waiting = async {
        assert_eventually!(
            node.metric("fanfare_connections{transport=\"poll\"}").await == 1.0,
            "a poll waits"
        );
        for path in ["/poll?channel=kept:a", "/stream?channel=kept:a"] {
            node.get(path).await.is(429, "limits.connections_per_address");
        }
        node.request("POST", "/publish/kept:a", &[], "x").await.is(429, "limits.connections_per_address");
        node.get("/sse/kept:a").await.is(200, "retry: ");
        assert_eq!(node.metric(&hit("connections_per_address")).await, 4.0);
        node.publish("kept:a", "new").await;
    };
    let (answer, ()) = tokio::join!(poll(&node, &query), waiting);
    assert_eq!(data(&answer), ["new"]);
    // An answer ends it.
    poll(&node, &format!("channel=kept:a&cursor={}&timeout=0", cursor(&answer))).await;
}

#[tokio::test]
async fn a_client_that_gives_up_leaves_nothing() {
    let node = node().await;
    let first = poll(&node, "channel=kept:a").await;
    let mut raw = node.raw().await;
    let request = format!(
        "GET /poll?channel=kept:a&timeout=55&cursor={} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        cursor(&first)
    );
    raw.send(request.as_bytes()).await;
    assert_eventually!(node.metric("fanfare_connections{dialect=\"poll\"}").await == 1.0, "a poll waits");
    drop(raw);
    assert_eventually!(node.metric("fanfare_connections").await == 0.0, "the session has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_answers_the_next_poll() {
    let cluster = TestCluster::start_with(2, KEPT).await;
    let mut at = cursor(&poll(&cluster.nodes[0], "channel=kept:a").await).to_owned();
    let mut got = Vec::new();
    for number in 0..20 {
        cluster.nodes[number % 2].publish("kept:a", number.to_string()).await;
        let node = &cluster.nodes[(number / 2) % 2];
        let answer = poll(node, &format!("channel=kept:a&cursor={at}")).await;
        got.extend(data(&answer).into_iter().map(str::to_owned));
        cursor(&answer).clone_into(&mut at);
    }
    assert_eq!(got, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}
