//! Publishes through a balancer: none is repeated, and a failed node costs none.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare_testkit::{Balancer, Endpoint, KEY, Nginx, TestCluster, Timeout};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::endpoints;

const READY: &str = "200 OK";

/// A server that is ready, and gives this answer to each publish; `None`: it closes the connection. Counts publishes.
async fn node_that_answers(publishes: Option<&'static str>, taken: &Arc<AtomicUsize>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(listener.local_addr().unwrap());
    let taken = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_once(stream, publishes, taken.clone()));
        }
    });
    endpoint
}

async fn answer_once(mut stream: TcpStream, publishes: Option<&str>, taken: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    let is_publish = request.starts_with(b"POST");
    taken.fetch_add(usize::from(is_publish), Ordering::Relaxed);
    if let Some(status) = if is_publish { publishes } else { Some(READY) } {
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn publish(front: Endpoint) -> u16 {
    let body = r#"{"channel": "chat", "data": "once"}"#;
    front.request("POST", "/api/publish", &[("X-API-Key", KEY)], body).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_publish_is_not_repeated() {
    let taken = Arc::default();
    let nodes = [node_that_answers(None, &taken).await, node_that_answers(None, &taken).await];
    let (haproxy, nginx) = (Balancer::start(&nodes).await, Nginx::start(&nodes).await);
    for (front, times) in [(haproxy.endpoint(), 1), (nginx.endpoint(), 2)] {
        assert_eq!((publish(front).await, taken.load(Ordering::Relaxed)), (502, times));
    }
}

/// Calls without a key, each with an unread body, while others connect: each gets its own answer, and the balancer keeps
/// the node.
async fn refused_calls_take_no_node_out(front: Endpoint) {
    let body = vec![b'x'; 100_000];
    let calling = async {
        for _ in 0..100 {
            let answer = front.request("POST", "/api/publish", &[], &body).await;
            assert_eq!(answer.status, 401, "{}", answer.text());
        }
    };
    let connecting = async {
        for _ in 0..100 {
            let answer = front.upgrade("/chat", &[]).await;
            assert_eq!(answer.status, 101, "{}", answer.text());
        }
    };
    tokio::join!(calling, connecting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_calls_do_not_cost_a_node() {
    let cluster = TestCluster::start(3).await;
    let nodes = endpoints(&cluster);
    refused_calls_take_no_node_out(Balancer::start(&nodes).await.endpoint()).await;
    refused_calls_take_no_node_out(Nginx::start(&nodes).await.endpoint()).await;
}

/// A node's 503 means that nothing was done: HAProxy asks another node, nginx passes the 503 on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_publish_goes_on_or_back() {
    let (cluster, refused) = (TestCluster::start(1).await, Arc::default());
    let refuses = node_that_answers(Some("503 Service Unavailable"), &refused).await;
    let nodes = [refuses, *cluster.nodes[0]];
    let (haproxy, nginx) = (Balancer::start(&nodes).await, Nginx::start(&nodes).await);
    let timeout = Timeout::default();
    while refused.load(Ordering::Relaxed) == 0 {
        assert_eq!(publish(haproxy.endpoint()).await, 200);
        timeout.wait(|| "HAProxy asks the node that refuses".to_owned()).await;
    }
    let before = refused.load(Ordering::Relaxed);
    while refused.load(Ordering::Relaxed) == before {
        let status = publish(nginx.endpoint()).await;
        let is_refused = refused.load(Ordering::Relaxed) > before;
        assert_eq!(status, if is_refused { 503 } else { 200 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_costs_no_publish() {
    let cluster = TestCluster::start(1).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nodes = [Endpoint::new(gone), *cluster.nodes[0]];
    let (haproxy, nginx) = (Balancer::start(&nodes).await, Nginx::start(&nodes).await);
    for front in [haproxy.endpoint(), nginx.endpoint()] {
        for _ in 0..10 {
            front.publish("chat", "here").await;
        }
    }
}
