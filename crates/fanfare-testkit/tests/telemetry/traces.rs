//! Tracing costs nothing when it is off, unsampled, or its collector fails. Traces in a real collector: tests/traces.

use fanfare_broker::envelope::{Content, Decoded, decode};
use fanfare_core::TraceContext;
use fanfare_testkit::{KEY, Observer, Process, Setup, assert_eventually, redis_server};
use serde_json::json;
use tokio::net::TcpListener;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// An endpoint without a listener.
const NO_COLLECTOR: &str = "tracing.endpoint = \"http://127.0.0.1:1\"";

/// The trace in a message between nodes.
fn trace_of(message: &[u8]) -> Option<TraceContext> {
    match decode(message) {
        Ok(Decoded::Envelope { content: Content::Publication { trace, .. }, .. }) => trace,
        other => panic!("not a publication: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_sampled_messages_carry_a_trace() {
    let redis = redis_server().await;
    let mut observer = Observer::of(&redis, "chat").await;
    let unsampled = TRACEPARENT.replace("-01", "-00");
    let mistaken = TRACEPARENT.replace("4bf9", "4BF9");
    let without_roots = format!("{NO_COLLECTOR}\ntracing.sample_ratio = 0");
    let off = Setup::redis(&redis.url()).named("off").start().await;
    let on = Setup::redis(&redis.url()).named("on").toml(NO_COLLECTOR).start().await;
    let never = Setup::redis(&redis.url()).named("never").toml(&without_roots).start().await;
    for (node, traceparent, is_traced) in [
        (&off, Some(TRACEPARENT), false),
        (&off, None, false),
        (&on, None, true),
        (&on, Some(TRACEPARENT), true),
        (&on, Some(&unsampled), false),
        (&on, Some(&mistaken), true),
        (&never, None, false),
        (&never, Some(TRACEPARENT), true),
    ] {
        let header = traceparent.map(|value| ("traceparent", value));
        let headers: Vec<_> = [("X-API-Key", KEY)].into_iter().chain(header).collect();
        let body = json!({"channel": "chat", "data": "hello"}).to_string();
        let answer = node.request("POST", "/api/publish", &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let trace = trace_of(&observer.sees("hello").await);
        assert_eq!(trace.is_some(), is_traced, "{traceparent:?}");
        if let (Some(TRACEPARENT), Some(trace)) = (traceparent, trace) {
            let parent = TraceContext::from_header(TRACEPARENT.as_bytes()).unwrap();
            assert_eq!(trace.trace_id(), parent.trace_id());
            assert_ne!(trace.span_id(), parent.span_id(), "the publish is a span of its own");
        }
    }
    for node in [off, on, never] {
        node.stop().await;
    }
}

/// A collector that accepts connections and never answers.
async fn silent_collector() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

/// A single node that sends its spans at once.
async fn traced(endpoint: &str, protocol: &str) -> Process {
    let variables = [
        ("FANFARE_TRACING__ENDPOINT", endpoint),
        ("FANFARE_TRACING__PROTOCOL", protocol),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ];
    Process::start_with("test", "memory", &variables).await
}

/// A client that gets its own messages.
async fn echo(node: &Process, messages: usize) {
    let mut client = node.connect("/chat").await;
    for _ in 0..messages {
        client.text("hello").await;
        client.expect("hello").await;
    }
}

async fn spans(node: &Process, result: &str) -> f64 {
    node.metric(&format!("fanfare_trace_spans_total{{result=\"{result}\"}}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_collector_disturbs_nobody() {
    let (_silent, endpoint) = silent_collector().await;
    for protocol in ["grpc", "http"] {
        for endpoint in [endpoint.as_str(), "http://127.0.0.1:1"] {
            let mut node = traced(endpoint, protocol).await;
            echo(&node, 100).await;
            node.terminate();
            assert!(node.wait().await.success(), "{}", node.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_spans_are_counted_and_logged_once() {
    let node = traced("http://127.0.0.1:1", "http").await;
    echo(&node, 100).await;
    assert_eventually!(spans(&node, "failed").await > 0.0, "spans are given up: {}", node.log());
    node.logs("spans are lost").await;
    echo(&node, 100).await;
    assert_eventually!(spans(&node, "failed").await > 300.0, "all spans fail: {}", node.log());
    assert!(spans(&node, "sent").await < 1.0);
    assert_eq!(node.log().matches("spans are lost").count(), 1, "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_spans_are_bounded() {
    let (_silent, endpoint) = silent_collector().await;
    let node = traced(&endpoint, "grpc").await;
    // Two spans each, and while a batch is sent 2048 wait.
    echo(&node, 2000).await;
    assert_eventually!(spans(&node, "dropped").await > 0.0, "spans are dropped: {}", node.log());
}
