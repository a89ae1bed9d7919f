//! What 40 clients that send empty messages as fast as they can do to 200 others: nothing that these notice.

#![expect(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::time::Duration;

use fanfare_testkit::{Chorus, Endpoint, Fleet, redis_server};
use fanfare_websocket::{FrameHead, Opcode, encode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const FLOODERS: usize = 40;
/// As many as one read of the node brings.
const FRAMES: usize = 10_900;
const HELD_UP: &str = "fanfare_limits_hit_total{limit=\"unanswered_publishes\"}";

/// Sends without end, each message to itself, and reads what comes; ends where the node ends it.
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

async fn nobody_notices_a_flood(name: &'static str, fleet: Fleet) {
    let nodes = fleet.endpoints();
    let flooded = *nodes.first().unwrap();
    let mut chorus = Chorus::start(name, &nodes).await;
    chorus.fault_begins();
    let mut flooders = JoinSet::new();
    for number in 0..FLOODERS {
        flooders.spawn(flood(flooded, number));
    }
    chorus.sings_for(Duration::from_secs(5)).await;
    let held_up = flooded.metric(HELD_UP).await;
    assert_eq!(flooders.try_join_next().map(|_| ()), None, "it reads what it is sent, and is not closed");
    flooders.shutdown().await;
    chorus.fault_ended().await;
    let verdict = chorus.finish().await;
    verdict.is_right();
    verdict.ended_only(|_, _| false);
    assert_eq!(verdict.missed(), 0, "{verdict}");
    assert!(verdict.turned_away.is_empty(), "{:?}", verdict.turned_away);
    assert!(held_up >= 1.0, "the flooders were held up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_empty_messages_costs_the_flooders_only() {
    let redis = redis_server().await;
    let fleet = Fleet::start([redis.url(), redis.url()]).await;
    nobody_notices_a_flood("flood of empty messages", fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_empty_messages_without_redis_costs_the_flooders_only() {
    let fleet = Fleet::start(["memory"]).await;
    nobody_notices_a_flood("flood of empty messages, memory", fleet).await;
}
