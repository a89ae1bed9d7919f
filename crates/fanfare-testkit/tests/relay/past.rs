//! The past of a plain WebSocket: `?last=` and `?since=`.

use fanfare_testkit::{Answer, KEY, Setup, TestNode};
use serde_json::json;

async fn node() -> TestNode {
    Setup::memory().toml("[[namespace]]\nhistory_size = 10").start().await
}

/// Publishes a text; its position.
async fn publish(node: &TestNode, text: &str) -> String {
    let told = node.post(&json!({"channel": "chat", "data": text})).await.json();
    let part = |name: &str| told.pointer(&format!("/result/{name}")).unwrap();
    format!("{}:{}", part("epoch").as_str().unwrap(), part("offset"))
}

fn recovered(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.status, 101, "{}", answer.text());
    answer.header("fanfare-recovered")
}

#[tokio::test]
async fn the_newest_come_before_live_messages() {
    let node = node().await;
    for text in ["1", "2", "3"] {
        publish(&node, text).await;
    }
    let (mut two, mut all) = (node.connect("/chat?last=2").await, node.connect("/chat?last=1000").await);
    let mut live = node.connect("/chat").await;
    publish(&node, "4").await;
    for (reader, texts) in
        [(&mut two, &["2", "3", "4"][..]), (&mut all, &["1", "2", "3", "4"]), (&mut live, &["4"])]
    {
        for text in texts {
            reader.expect(text).await;
        }
    }
}

#[tokio::test]
async fn a_client_goes_on_where_it_was() {
    let node = node().await;
    let first = publish(&node, "1").await;
    publish(&node, "2").await;
    let newest = publish(&node, "3").await;
    let mut behind = node.connect(&format!("/chat?since={first}")).await;
    let mut at_top = node.connect(&format!("/chat?since={newest}")).await;
    publish(&node, "4").await;
    for text in ["2", "3", "4"] {
        behind.expect(text).await;
    }
    at_top.expect("4").await;
    assert_eq!(recovered(&node.upgrade(&format!("/chat?since={first}"), &[]).await), Some("true"));
}

#[tokio::test]
async fn a_lost_place_is_told_in_the_101() {
    let node = node().await;
    let first = publish(&node, "0").await;
    for number in 1..=50 {
        publish(&node, &number.to_string()).await;
    }
    let of_another_life = "/chat?since=0000000000000000:1".to_owned();
    for path in [of_another_life, format!("/chat?since={first}")] {
        assert_eq!(recovered(&node.upgrade(&path, &[]).await), Some("false"), "{path}");
        let mut reader = node.connect(&path).await;
        publish(&node, "live").await;
        reader.expect("live").await;
    }
    let body = json!({"channel": "chat"}).to_string();
    let removed = node.request("POST", "/api/history_remove", &[("X-API-Key", KEY)], body).await;
    assert_eq!(removed.status, 200);
    let mut reader = node.connect("/chat?last=5").await;
    publish(&node, "next").await;
    reader.expect("next").await;
}
