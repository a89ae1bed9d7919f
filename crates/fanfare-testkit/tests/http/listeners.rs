//! The API and the metrics may have listeners of their own; health is everywhere.

#![expect(clippy::panic, reason = "a test says by a panic what is wrong")]

use fanfare_testkit::{Endpoint, KEY, Setup, TestNode};
use serde_json::json;

const OWN: &str = "api.listen = [\"127.0.0.1:0\"]\nmetrics.listen = [\"127.0.0.1:0\"]";

struct Doors {
    node: TestNode,
    api: Endpoint,
    metrics: Endpoint,
}

async fn doors() -> Doors {
    let node = Setup::memory().toml(OWN).start().await;
    let ([api], [metrics]) = (&node.addresses().api[..], &node.addresses().metrics[..]) else {
        panic!("not one address each: {:?}", node.addresses())
    };
    let (api, metrics) = (Endpoint::new(*api), Endpoint::new(*metrics));
    Doors { node, api, metrics }
}

#[tokio::test]
async fn what_has_listeners_of_its_own_is_only_there() {
    let Doors { node, api, metrics } = doors().await;
    let mut client = node.connect("/chat").await;
    api.publish("chat", "by the API").await;
    client.expect("by the API").await;
    assert!(metrics.get("/metrics").await.text().contains("fanfare_connections{dialect=\"relay\"} 1"));

    let call = json!({"channel": "chat", "data": "elsewhere"});
    node.post(&call).await.is(404, "api.listen");
    metrics.post(&call).await.is(404, "api.listen");
    node.get("/metrics").await.is(404, "metrics.listen");
    api.get("/metrics").await.is(404, "metrics.listen");
    for own in [api, metrics] {
        own.upgrade("/chat", &[]).await.is(404, "`listen`");
        own.upgrade("/ws/chat", &[]).await.is(404, "`listen`");
        own.get("/").await.is(404, "`listen`");
    }
}

#[tokio::test]
async fn health_is_on_every_listener_and_the_page_has_what_it_asks_for_on_its_own() {
    let Doors { node, api, metrics } = doors().await;
    for listener in [*node, api, metrics] {
        assert_eq!(listener.get("/healthz").await.status, 200);
        assert_eq!(listener.get("/readyz").await.status, 200);
    }
    for path in ["/", "/assets/page.js", "/api/cluster"] {
        assert_eq!(node.get(path).await.status, 200, "{path}");
    }
    node.upgrade("/metrics", &[]).await.is(404, "not a channel");
}

#[tokio::test]
async fn the_api_asks_for_a_key_on_its_own_listener_too() {
    let Doors { api, .. } = doors().await;
    let body = r#"{"channel": "chat", "data": 1}"#;
    assert_eq!(api.request("POST", "/api/publish", &[], body).await.status, 401);
    assert_eq!(api.request("POST", "/api/publish", &[("X-API-Key", KEY)], body).await.status, 200);
}

#[tokio::test]
async fn without_listeners_of_their_own_all_is_on_the_main_one() {
    let node = Setup::memory().start().await;
    node.publish("chat", "here").await;
    assert_eq!(node.get("/metrics").await.status, 200);
    assert_eq!(node.addresses().api, node.addresses().clients);
}
