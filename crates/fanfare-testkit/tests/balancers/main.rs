//! HAProxy and nginx with the shipped configurations: cookies, drains, reloads and publishes. The client's address
//! behind them: `handshake/proxies.rs`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says by a panic what is wrong")]

mod away;
mod cookies;
mod idle;
mod observed;
mod publishes;
mod restarts;

use fanfare_testkit::{Answer, Endpoint, TestCluster, Timeout};
use http::header::SET_COOKIE;
use serde_json::Value;

/// The part of an answer's cookie that a browser sends back.
fn cookie(answer: &Answer) -> Option<String> {
    let set = answer.headers.get(SET_COOKIE)?.to_str().unwrap();
    Some(set.split(';').next().unwrap().to_owned())
}

/// The name of the node that answered.
fn name(answer: &Answer) -> String {
    let json = answer.json();
    let name = json.get("node").and_then(Value::as_str);
    name.unwrap_or_else(|| panic!("no node: {}", answer.text())).to_owned()
}

/// A cookie of a browser that leads to this node.
async fn cookie_of(front: Endpoint, node: &str) -> String {
    let timeout = Timeout::default();
    loop {
        let answer = front.get("/readyz").await;
        if answer.status == 200 && name(&answer) == node {
            return cookie(&answer).unwrap();
        }
        timeout.wait(|| format!("a new browser reaches {node}")).await;
    }
}

/// The number of connections that a node has accepted.
async fn opened(node: &Endpoint) -> f64 {
    node.metric("fanfare_connections_opened_total").await
}

fn endpoints(cluster: &TestCluster) -> Vec<Endpoint> {
    cluster.nodes.iter().map(|node| **node).collect()
}
