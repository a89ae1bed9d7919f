//! No node is ready.

use fanfare_testkit::{Balancer, Endpoint, Nginx, Setup, assert_eventually};

/// An `EventSource` would give up for good at a 503.
async fn come_backs(entrance: Endpoint, status: u16) {
    assert_eventually!(
        entrance.get("/readyz").await.status == status,
        "the balancer knows that no node is ready"
    );
    for path in ["/sse/a", "/sse?channel=a"] {
        let answer = entrance.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
        let text = answer.text();
        let retry =
            text.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n")?.parse::<u32>().ok());
        assert!(retry.is_some_and(|retry| (1_000..=5_000).contains(&retry)), "{text:?}");
    }
    assert_eq!(entrance.get("/stream?channel=a").await.status, status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_source_is_told_to_come_back() {
    let node = Setup::memory().start().await;
    let (haproxy, nginx) = (Balancer::start(&[*node]).await, Nginx::start(&[*node]).await);
    node.stop().await;
    come_backs(haproxy.endpoint(), 503).await;
    come_backs(nginx.endpoint(), 502).await;
}
