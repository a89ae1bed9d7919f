//! A cookie keeps a browser on its node.

use fanfare_testkit::{Balancer, Endpoint, Nginx, TestCluster};
use http::header::SET_COOKIE;

use crate::{cookie, cookie_of, endpoints, name, opened};

async fn a_browser_stays_on_its_node(front: Endpoint, nodes: &[Endpoint]) {
    for (node, number) in nodes.iter().zip(1..) {
        let mine = format!("node-{number}");
        let cookie = cookie_of(front, &mine).await;
        for _ in 0..10 {
            let again = front.request("GET", "/readyz", &[("Cookie", &cookie)], "").await;
            assert_eq!((name(&again), again.headers.get(SET_COOKIE)), (mine.clone(), None));
        }
        let before = opened(node).await;
        assert_eq!(front.upgrade("/chat", &[("Cookie", &cookie)]).await.status, 101);
        assert_eq!(opened(node).await - before, 1.0, "the WebSocket is on {mine}");
    }
    // A page is not needed: the answer to the first WebSocket has the cookie.
    let first = front.upgrade("/chat", &[]).await;
    assert!(first.status == 101 && cookie(&first).is_some(), "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_keeps_a_browser_on_its_node() {
    let cluster = TestCluster::start(3).await;
    let nodes = endpoints(&cluster);
    a_browser_stays_on_its_node(Balancer::start(&nodes).await.endpoint(), &nodes).await;
    a_browser_stays_on_its_node(Nginx::start(&nodes).await.endpoint(), &nodes).await;
}

async fn a_cookie_does_not_pin_a_client_to_a_full_node(front: Endpoint) {
    let cookie = cookie_of(front, "node-1").await;
    let mut held = Vec::new();
    for number in 0..5 {
        let mut client = front.raw().await;
        let answer = client.upgrade("/chat", &[("Cookie", &cookie)]).await;
        assert_eq!(answer.status, 101, "client {number}: {}", answer.text());
        held.push(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_node_overrides_a_cookie() {
    let full = "limits.connections = 2";
    for is_nginx in [false, true] {
        let cluster = TestCluster::start_with(3, full).await;
        let nodes = endpoints(&cluster);
        if is_nginx {
            a_cookie_does_not_pin_a_client_to_a_full_node(Nginx::start(&nodes).await.endpoint()).await;
        } else {
            a_cookie_does_not_pin_a_client_to_a_full_node(Balancer::start(&nodes).await.endpoint()).await;
        }
        assert_eq!(opened(&nodes[0]).await, 2.0, "the cookie's node took as many as it may");
    }
}
