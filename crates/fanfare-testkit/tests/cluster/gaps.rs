//! A Redis that loses its memory while streams and polls are open.

use std::collections::VecDeque;

use fanfare_core::{Channel, Cursor};
use fanfare_testkit::{RawClient, TestCluster, TestNode, assert_eventually, events::EventClient};
use serde_json::{Value, json};

const KEPT: &str = "[[namespace]]\nname = \"kept\"\nhistory_size = 100\non_interruption = \"close\"";

fn gap(channel: &str) -> Value {
    json!({"type": "gap", "channel": channel, "gap": true})
}

/// The offset of a cursor in this channel.
fn offset(cursor: &str, channel: &str) -> u64 {
    let cursor: Cursor = cursor.parse().unwrap();
    cursor.get(&Channel::new(channel).unwrap()).unwrap().offset
}

async fn poll(node: &TestNode, cursor: &str) -> Value {
    let answer = node.get(&format!("/poll?channel=kept:a&channel=kept:b&timeout=55&cursor={cursor}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// An open `/stream`.
struct Lines {
    raw: RawClient,
    unread: VecDeque<Value>,
}

impl Lines {
    async fn next(&mut self) -> Value {
        while self.unread.is_empty() {
            let chunk = String::from_utf8(self.raw.chunk().await).unwrap();
            let lines = chunk.lines().filter(|line| !line.is_empty());
            self.unread.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        self.unread.pop_front().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wipe_is_told_in_streams_and_polls() {
    let cluster = TestCluster::start_with(2, KEPT).await;
    let [node, other] = &cluster.nodes[..] else { panic!("two nodes") };
    node.publish("kept:a", "before").await;
    let mut one = EventClient::open(node, "/sse/kept:a").await;
    let mut both = EventClient::open(node, "/sse?channel=kept:a&channel=kept:b").await;
    let mut raw = node.raw().await;
    raw.send(b"GET /stream?channel=kept:a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(raw.head().await.status, 200);
    let mut lines = Lines { raw, unread: VecDeque::new() };
    let begun = [one.notice().await, both.notice().await, both.notice().await];
    assert!(begun.iter().all(|notice| notice["type"] == "subscribed"), "{begun:?}");
    assert_eq!(lines.next().await["type"], "subscribed");
    let cursor = both.last_id.clone();
    let polled = poll(node, &cursor);
    let wiped = async {
        assert_eventually!(node.metric("fanfare_connections{dialect=\"poll\"}").await == 1.0, "a poll waits");
        let () = cluster.redis.run(&redis::cmd("FLUSHALL")).await.unwrap();
        other.publish("kept:a", "after").await;
    };
    let (answer, ()) = tokio::join!(polled, wiped);
    assert_eq!(
        (&answer["recovered"], &answer["messages"]),
        (&json!(false), &json!([{"channel": "kept:a", "data": "after"}]))
    );
    assert_eq!(one.notice().await, gap("kept:a"));
    let behind = one.last_id.clone();
    assert_eq!(offset(&behind, "kept:a"), 0);
    one.expect("after").await;
    assert_eq!(offset(&one.last_id, "kept:a"), 1);
    assert_eq!(both.notice().await, gap("kept:a"));
    assert_eq!((offset(&both.last_id, "kept:a"), offset(&both.last_id, "kept:b")), (0, 0));
    assert_eq!(lines.next().await["gap"], true);
    assert_eq!(lines.next().await["data"], "after");
    // From then on nothing is missing, for the clients that stay and for one that comes back.
    let mut back = EventClient::go_on(other, "/sse/kept:a", &behind).await;
    assert_eq!(back.notice().await["recovered"], true);
    back.expect("after").await;
    other.publish("kept:a", "next").await;
    for client in [&mut one, &mut back] {
        client.expect("next").await;
    }
    assert_eq!(node.metric("fanfare_connections{dialect=\"sse\"}").await, 2.0);
}
