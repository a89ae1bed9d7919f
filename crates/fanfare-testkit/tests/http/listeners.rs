//! Listeners of their own for the API and for metrics; health is on every listener.

use fanfare_testkit::{Endpoint, KEY, Setup, TestNode};
use serde_json::json;

const OWN: &str = "api.listen = [\"127.0.0.1:0\"]\nmetrics.listen = [\"127.0.0.1:0\"]";

struct Listeners {
    node: TestNode,
    api: Endpoint,
    metrics: Endpoint,
}

async fn listeners() -> Listeners {
    let node = Setup::memory().toml(OWN).start().await;
    let ([api], [metrics]) = (&node.addresses().api[..], &node.addresses().metrics[..]) else {
        panic!("not one address each: {:?}", node.addresses())
    };
    let (api, metrics) = (Endpoint::new(*api), Endpoint::new(*metrics));
    Listeners { node, api, metrics }
}

#[tokio::test]
async fn an_own_listener_is_the_only_one() {
    let Listeners { node, api, metrics } = listeners().await;
    let mut client = node.connect("/chat").await;
    api.publish("chat", "by the API").await;
    client.expect("by the API").await;
    assert_eq!(metrics.metric("fanfare_connections{dialect=\"relay\",transport=\"websocket\"}").await, 1.0);

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
async fn health_is_on_every_listener() {
    let Listeners { node, api, metrics } = listeners().await;
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
async fn an_own_api_listener_asks_for_a_key() {
    let Listeners { api, .. } = listeners().await;
    let body = r#"{"channel": "chat", "data": 1}"#;
    assert_eq!(api.request("POST", "/api/publish", &[], body).await.status, 401);
    assert_eq!(api.request("POST", "/api/publish", &[("X-API-Key", KEY)], body).await.status, 200);
}

#[tokio::test]
async fn by_default_one_listener_has_all() {
    let node = Setup::memory().start().await;
    node.publish("chat", "here").await;
    assert_eq!(node.get("/metrics").await.status, 200);
    assert_eq!(node.addresses().api, node.addresses().clients);
}
