//! The end of a node by SIGTERM: the real binary, clients that stay to the last, and a restart without lost connections.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fanfare_testkit::{
    Balancer, Client, Endpoint, Frame, KEY, Message, Process, RawClient, Setup, TestNode, assert_eventually,
    redis_server, within,
};
use fanfare_websocket::{FrameHead, Opcode};
use futures_util::FutureExt;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

const LONG: [(&str, &str); 2] = [("FANFARE_DRAIN__GRACE", "50m"), ("FANFARE_DRAIN__TIMEOUT", "60m")];
const SLOW: [(&str, &str); 2] = [("FANFARE_DRAIN__RATE", "1"), ("FANFARE_DRAIN__TIMEOUT", "60m")];

/// Publishes 0, 1, 2 and so on, until it is told to stop.
fn numbers(node: &TestNode, stop: &CancellationToken) -> JoinHandle<()> {
    let (url, stop) = (node.ws("/numbers"), stop.clone());
    tokio::spawn(async move {
        let mut publisher = Client::connect(&url).await;
        for number in 0.. {
            publisher.text(&number.to_string()).await;
            publisher.expect(&number.to_string()).await;
            if stop.is_cancelled() {
                return;
            }
        }
    })
}

/// Reads until the server's close. Returns the numbers and the code.
async fn read_to_the_end(mut raw: RawClient) -> (Vec<u32>, u16) {
    let mut numbers = Vec::new();
    loop {
        let frame = raw.next_frame_past_pings().await;
        match frame.bytes[0] {
            0x81 => numbers.push(std::str::from_utf8(&frame.payload).unwrap().parse().unwrap()),
            0x88 => return (numbers, u16::from_be_bytes(*frame.payload.first_chunk().unwrap())),
            other => panic!("an unexpected frame: {other:#x}"),
        }
    }
}

async fn clients(node: &Endpoint, path: &str, count: usize) -> Vec<RawClient> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = node.raw().await;
        assert_eq!(client.upgrade(path, &[]).await.status, 101);
        clients.push(client);
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_closes_clients_one_by_one() {
    closes_clients_one_by_one("4").await;
}

/// With one worker the node is on a scheduler of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_closes_clients_one_by_one() {
    closes_clients_one_by_one("1").await;
}

async fn closes_clients_one_by_one(workers: &str) {
    let redis = redis_server().await;
    let stays = Setup::redis(&redis.url()).named("stays").start().await;
    let environment = [("FANFARE_DRAIN__RATE", "40"), ("FANFARE_RUNTIME__WORKERS", workers)];
    let mut leaving = Process::start_with("leaving", &redis.url(), &environment).await;
    let clients = clients(&leaving, "/numbers", 80).await;
    let stop = CancellationToken::new();
    let publisher = numbers(&stays, &stop);
    let mut beside = stays.connect("/numbers").await;
    while beside.next().await != Message::text("50") {}
    let reading: Vec<_> = clients.into_iter().map(|raw| tokio::spawn(read_to_the_end(raw))).collect();
    leaving.terminate();
    let mut lasts = BTreeSet::new();
    for client in reading {
        let (numbers, code) = within("a client is closed", client).await.unwrap();
        assert_eq!(code, 1012);
        assert!(numbers.iter().copied().eq(0..numbers.len() as u32), "not a prefix: {numbers:?}");
        lasts.insert(numbers.len());
    }
    assert!(lasts.len() >= 10, "they went together: {lasts:?}");
    let status = leaving.wait().await;
    assert_eq!(status.code(), Some(0), "{status}");
    leaving.logs("telling sessions at a pace").await;
    stop.cancel();
    within("the publisher stops", publisher).await.unwrap();
}

/// The entrance of the clients.
#[derive(Clone, Copy)]
enum To {
    Node,
    /// HAProxy in front of the node.
    Balancer,
}

/// All messages that a client sent before it read the close must come, not only those that it knows to be relayed.
async fn a_drain_relays_all_messages_before_the_close(to: To, pace: Pace) {
    let redis = redis_server().await;
    let stays =
        Setup::redis(&redis.url()).named("stays").toml("limits.outbound_bytes = \"1GiB\"").start().await;
    // The kernel decides how much its sockets hold: the node waits for all of it.
    let environment =
        [("FANFARE_DRAIN__RATE", "10"), ("FANFARE_DRAIN__TIMEOUT", "10m"), ("FANFARE_LIMITS__GOODBYE", "1m")];
    let mut leaving = Process::start_with("leaving", &redis.url(), &environment).await;
    let mut beside = stays.connect("/numbers").await;
    let seen = tokio::spawn(async move {
        let mut seen = [const { Vec::new() }; TALKERS];
        loop {
            match beside.next().await.to_text().unwrap().split_once(' ') {
                Some((of, number)) => seen[of.parse::<usize>().unwrap()].push(number.parse::<u32>().unwrap()),
                None => return seen,
            }
        }
    });
    let balancer = match to {
        To::Node => None,
        To::Balancer => Some(Balancer::start(&[leaving.endpoint()]).await),
    };
    let endpoint = balancer.as_ref().map_or(leaving.endpoint(), Balancer::endpoint);
    let clients = clients(&endpoint, "/numbers", TALKERS).await;
    let talking: Vec<_> =
        clients.into_iter().enumerate().map(|(at, raw)| tokio::spawn(talk(at, raw, pace))).collect();
    leaving.terminate();
    let mut sent = Vec::new();
    for client in talking {
        sent.push(within("a client is closed", client).await.unwrap());
    }
    assert_eq!(leaving.wait().await.code(), Some(0));
    stays.publish("numbers", "end").await;
    let seen = within("the end is seen", seen).await.unwrap();
    for (at, (seen, sent)) in seen.iter().zip(sent).enumerate() {
        assert!(seen.iter().copied().eq(0..seen.len() as u32), "{at}: not a prefix: {seen:?}");
        assert_eq!(seen.len(), sent as usize, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_relayed_to_its_close() {
    a_drain_relays_all_messages_before_the_close(To::Node, Pace::Ahead(4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_through_a_balancer_is_relayed() {
    a_drain_relays_all_messages_before_the_close(To::Balancer, Pace::Deaf(Duration::from_secs(3))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_relayed_to_its_close() {
    a_drain_relays_all_messages_before_the_close(To::Node, Pace::WithoutPause).await;
}

const TALKERS: usize = 20;

#[derive(Clone, Copy)]
enum Pace {
    /// At most this number of own messages that it did not get back yet.
    Ahead(u32),
    WithoutPause,
    /// It reads nothing for this time: longer than the drain takes.
    Deaf(Duration),
}

/// Publishes numbers until its connection is closed. Returns the number of messages sent before that.
async fn talk(at: usize, mut raw: RawClient, pace: Pace) -> u32 {
    let prefix = format!("{at} ");
    let (mut sent, mut echoed, begun) = (0, 0, Instant::now());
    loop {
        raw.frame(FrameHead::whole(Opcode::Text), format!("{prefix}{sent}").as_bytes()).await;
        sent += 1;
        loop {
            let frame = match pace {
                Pace::Ahead(most) if echoed + most <= sent => Some(raw.next_frame().await),
                Pace::Ahead(_) => None,
                Pace::WithoutPause => raw.next_frame().now_or_never(),
                Pace::Deaf(time) if begun.elapsed() < time => {
                    sleep(Duration::from_millis(5)).await;
                    None
                }
                Pace::Deaf(_) => Some(raw.next_frame().await),
            };
            let Some(frame) = frame else { break };
            match frame.bytes[0] {
                0x88 => {
                    assert_eq!(frame.payload[..2], 1012_u16.to_be_bytes());
                    raw.frame(FrameHead::whole(Opcode::Close), &frame.payload[..2]).await;
                    assert!(raw.end().await.is_empty(), "{at}: bytes came after the close");
                    return sent;
                }
                _ if frame.payload.starts_with(prefix.as_bytes()) => echoed += 1,
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_the_grace_all_goes_on() {
    let redis = redis_server().await;
    let mut leaving = Process::start_with("leaving", &redis.url(), &LONG).await;
    let mut early = leaving.connect("/chat").await;
    leaving.terminate();
    leaving.is_unready().await;
    assert_eq!(leaving.get("/healthz").await.status, 200);
    assert_eq!(leaving.metric("fanfare_draining").await, 1.0);
    let mut late = leaving.connect("/chat").await;
    late.text("hello").await;
    early.expect("hello").await;
    late.expect("hello").await;
    leaving.publish("chat", "by the API").await;
    early.expect("by the API").await;
    let answer = leaving.get("/").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));

    leaving.terminate();
    let status = leaving.wait().await;
    assert_eq!(status.code(), Some(1), "clients were cut off: {status}");
    leaving.logs("2 clients were cut off").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_grace_clients_still_get_messages() {
    let redis = redis_server().await;
    let stays = Setup::redis(&redis.url()).named("stays").start().await;
    let mut leaving = Process::start_with("leaving", &redis.url(), &SLOW).await;
    let clients = clients(&leaving, "/numbers", 200).await;
    leaving.terminate();
    assert_eventually!(leaving.upgrade("/numbers", &[]).await.status == 503, "new clients are refused");
    for answer in [
        leaving.upgrade("/ws/numbers", &[]).await,
        leaving.get("/").await,
        leaving.post(&serde_json::json!({"channel": "numbers", "data": "0"})).await,
    ] {
        answer.is(503, "going away");
        assert_eq!((answer.header("connection"), answer.header("retry-after")), (Some("close"), Some("1")));
    }
    leaving.is_unready().await;
    assert_eq!(leaving.get("/healthz").await.status, 200);
    assert!(leaving.metric("fanfare_connections_to_close").await > 0.0);
    stays.publish("numbers", "0").await;
    stays.publish("numbers", "1").await;
    let reading: Vec<_> = clients.into_iter().map(|raw| tokio::spawn(first_frame(raw))).collect();
    let mut there = Vec::new();
    for client in reading {
        let (frame, raw) = within("a message, or the close", client).await.unwrap();
        if frame.bytes[0] == 0x81 {
            there.push(raw);
        }
    }
    assert!(!there.is_empty(), "none of 200 was left");
    leaving.terminate();
    assert_eq!(leaving.wait().await.code(), Some(1));
}

async fn first_frame(mut raw: RawClient) -> (Frame, RawClient) {
    (raw.next_frame_past_pings().await, raw)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_clients_a_node_ends_early() {
    let mut drained = Process::start_with("drained", "memory", &SLOW).await;
    drained.terminate();
    assert_eq!(drained.wait().await.code(), Some(0));
    let mut at_once = Process::start_with("at-once", "memory", &LONG).await;
    at_once.terminate();
    at_once.is_unready().await;
    at_once.terminate();
    assert_eq!(at_once.wait().await.code(), Some(0), "nobody was cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_messages_go_out_before_the_close() {
    const MESSAGES: usize = 320;
    let environment = [("FANFARE_LIMITS__OUTBOUND_BYTES", "64MiB"), ("FANFARE_LIMITS__GOODBYE", "1m")];
    let mut leaving = Process::start_with("leaving", "memory", &environment).await;
    let mut raw = leaving.raw().await;
    assert_eq!(raw.upgrade("/chat", &[]).await.status, 101);
    let text = "x".repeat(64 << 10);
    // 20 MiB: more than the sockets take.
    for number in 0..MESSAGES {
        leaving.publish("chat", format!("{number} {}", &text[16..])).await;
    }
    leaving.terminate();
    leaving.is_unready().await;
    for number in 0..MESSAGES {
        let frame = raw.next_frame_past_pings().await;
        assert!(frame.payload.starts_with(format!("{number} x").as_bytes()), "{number}");
    }
    assert_eq!(raw.next_frame_past_pings().await.payload[..2], 1012_u16.to_be_bytes());
    drop(raw);
    assert_eq!(leaving.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_timeout_cuts_clients_off() {
    let environment = [("FANFARE_LIMITS__GOODBYE", "1m"), ("FANFARE_DRAIN__TIMEOUT", "2s")];
    let mut leaving = Process::start_with("leaving", "memory", &environment).await;
    // The client reads nothing, so it never answers the close.
    let mut deaf = clients(&leaving, "/chat", 1).await.remove(0);
    leaving.terminate();
    assert_eq!(leaving.wait().await.code(), Some(0));
    leaving.logs("drain.timeout is over").await;
    assert_eq!(deaf.next_frame_past_pings().await.payload[..2], 1012_u16.to_be_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inherited_socket_survives_a_restart() {
    let redis = redis_server().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let environment = [("FANFARE_DRAIN__GRACE", "4s"), ("FANFARE_DRAIN__RATE", "50")];
    let mut old = Process::start_on(&socket, "old", &redis.url(), &environment).await;
    old.logs(&format!("\"inherited\":\"[{}]\"", socket.local_addr().unwrap())).await;
    let stays = old.connect("/chat").await;
    let (stop, count) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
    let connectors: Vec<_> =
        (0..4).map(|_| tokio::spawn(connect_on_and_on(*old, stop.clone(), count.clone()))).collect();
    progress(&count).await;
    let new = Process::start_on(&socket, "new", &redis.url(), &environment).await;
    progress(&count).await;
    old.terminate();
    progress(&count).await;
    let (code, _) = stays.closed().await;
    assert_eq!(code, 1012);
    assert_eq!(old.wait().await.code(), Some(0));
    progress(&count).await;
    stop.cancel();
    for connector in connectors {
        within("the connectors stop", connector).await.unwrap();
    }
    assert_eq!(new.get("/readyz").await.status, 200);
    new.sees(&[("new", 0)]).await;
}

/// Opens one connection after another: each is accepted by one of the processes.
async fn connect_on_and_on(node: Endpoint, stop: CancellationToken, count: Arc<AtomicU32>) {
    while !stop.is_cancelled() {
        let mut raw = node.raw().await;
        let answer = raw.upgrade("/connecting", &[]).await;
        assert_eq!(answer.status, 101, "{}", answer.text());
        let published = node.request(
            "POST",
            "/api/publish",
            &[("X-API-Key", KEY)],
            r#"{"channel": "elsewhere", "data": 1}"#,
        );
        assert_eq!(published.await.status, 200);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until all connectors have connected since.
async fn progress(count: &AtomicU32) {
    let before = count.load(Ordering::Relaxed);
    assert_eventually!(count.load(Ordering::Relaxed) >= before + 50, "the connectors go on");
}
