//! A flood of empty messages from 40 clients: 200 other clients notice nothing.

use std::time::Duration;

use fanfare_testkit::{ClientGroup, Endpoint, Fleet, assert_eventually, redis_server};
use fanfare_websocket::{FrameHead, Opcode, encode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const FLOODERS: usize = 40;
/// About the frames of one read of the node.
const FRAMES: usize = 10_900;
const HELD_UP: &str = "fanfare_limits_hit_total{limit=\"unanswered_publishes\"}";

/// Sends messages to its own channel without end, and reads them. Ends when the node closes the connection.
async fn flood(node: Endpoint, number: usize) {
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    let request = format!(
        "GET /ws/flood-{number} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        node.address()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    let mut frames = Vec::new();
    for _ in 0..FRAMES {
        encode::frame(&mut frames, FrameHead::whole(Opcode::Binary), b"", Some([0; 4]));
    }
    let (mut from, mut to) = stream.split();
    let send = async { while to.write_all(&frames).await.is_ok() {} };
    let read = async {
        let mut buffer = vec![0; 64 << 10];
        while matches!(from.read(&mut buffer).await, Ok(1..)) {}
    };
    tokio::select! { () = send => {}, () = read => {} }
}

async fn a_flood_disturbs_nobody(name: &'static str, fleet: Fleet) {
    let nodes = fleet.endpoints();
    let flooded = *nodes.first().unwrap();
    let mut group = ClientGroup::start(name, &nodes).await;
    group.fault_begins();
    let mut flooders = JoinSet::new();
    for number in 0..FLOODERS {
        flooders.spawn(flood(flooded, number));
    }
    assert_eventually!(flooded.metric(HELD_UP).await >= 1.0, "the flooders are paused");
    group.publishes_for(Duration::from_secs(5)).await;
    assert_eq!(
        flooders.try_join_next().map(|_| ()),
        None,
        "a flooder reads its messages, and stays connected"
    );
    flooders.shutdown().await;
    group.fault_ended().await;
    let verdict = group.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, _| false);
    assert_eq!(verdict.missed(), 0, "{verdict}");
    assert!(verdict.rejected.is_empty(), "{:?}", verdict.rejected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_empty_messages() {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url()]).await;
    a_flood_disturbs_nobody("flood of empty messages", fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_without_redis() {
    let fleet = Fleet::start(["memory"]).await;
    a_flood_disturbs_nobody("flood of empty messages, memory", fleet).await;
}
