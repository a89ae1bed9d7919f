//! No node is ready.

use fanfare_testkit::{Balancer, Setup, assert_eventually};

/// An `EventSource` would give up for good at a 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_source_is_told_to_come_back() {
    let node = Setup::memory().start().await;
    let balancer = Balancer::start(&[*node]).await;
    let entrance = balancer.endpoint();
    node.stop().await;
    assert_eventually!(entrance.get("/readyz").await.status == 503, "HAProxy knows that no node is ready");
    for path in ["/sse/a", "/sse?channel=a"] {
        let answer = entrance.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
        let retry = answer.text().strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n")?.parse().ok());
        assert!(retry.is_some_and(|retry: u32| (1_000..5_000).contains(&retry)), "{}", answer.text());
    }
    assert_eq!(entrance.get("/stream?channel=a").await.status, 503);
}
