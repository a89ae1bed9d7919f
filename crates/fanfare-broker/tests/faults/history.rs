//! Publishes with history while connections are cut, scripts are lost, and Redis is restarted.

use std::{sync::Arc, time::Duration};

use fanfare_broker::{RedisConfig, Watch};
use fanfare_broker_suite::{Answered, PATIENCE, RedisServer, TestNode, eventually};
use fanfare_core::{
    Channel, Limits, Payload, Position, Publish, PublishError, Retention, SessionId, Taken,
    broker::PublishOrder,
    history::{Page, Range},
};
use tokio::task::JoinSet;

use crate::support::{Cutter, Proxy, To, channel, config};

const RETENTION: Retention = Retention { size: 100_000, ttl: Duration::from_secs(600) };
const ALL: Range = Range::After { offset: 0, limit: 100_000 };

fn keep(node: &TestNode, channel: &Channel, text: &str, order: Option<&Arc<PublishOrder>>) -> Answered {
    let publish = Publish::new(channel.clone(), Payload::text(text)).kept(Some(RETENTION));
    node.hand_over(publish.by(SessionId(1), order.cloned()))
}

/// Reads all of it, once Redis can be reached.
async fn read(node: &TestNode, channel: &Channel) -> Page {
    let read = async {
        loop {
            if let Ok(page) = node.started.backend.history.read(channel, ALL).await {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it can be read")
}

fn texts(page: &Page) -> Vec<String> {
    page.publications.iter().map(|kept| String::from_utf8_lossy(kept.payload.bytes()).into_owned()).collect()
}

/// The position of a publish that is taken for the first time.
async fn position(answered: Answered) -> Position {
    let taken = answered.await.unwrap().unwrap();
    assert!(!taken.duplicate, "{taken:?}");
    taken.position.expect("it has a position")
}

/// A node whose connections lead through a proxy, and that soon forgets that they failed.
async fn quick(port: u16) -> TestNode {
    watching(port, Watch { every: Duration::from_millis(20), ..Watch::default() }).await
}

async fn watching(port: u16, watch: Watch) -> TestNode {
    let limits = Limits { publish_wait: Duration::from_secs(60), ..Limits::default() };
    let node = TestNode::with_limits(config(port).map(|redis| RedisConfig { watch, ..redis }), limits);
    node.is_up().await;
    node
}

/// Cuts at the bytes `first`, `first + step` and so on of three publishes, or of their answers, until these have no
/// further byte. The number of cuts.
async fn cut_at_every_byte(server: u16, to: To, first: usize, step: usize) -> i32 {
    let cutter = Cutter::start(server).await;
    let node = quick(cutter.port).await;
    let channel = channel(&format!("cut-{to:?}-{first}"));
    node.subscribe(&channel).await.unwrap();
    let order = Arc::new(PublishOrder::default());
    let (mut published, mut cuts) = (Vec::new(), 0);
    for bytes in (first..).step_by(step) {
        // The script is loaded, so the bytes that are counted are of publishes.
        published.push(format!("before {bytes}"));
        position(keep(&node, &channel, &published[published.len() - 1], None)).await;
        cutter.cut_after(to, bytes);
        let mut answers = Vec::new();
        for number in 0..3 {
            published.push(format!("{bytes} {number}"));
            answers.push(keep(&node, &channel, &published[published.len() - 1], Some(&order)));
        }
        for answered in answers {
            let at = position(answered).await;
            assert!(at.offset <= published.len() as u64);
        }
        if cutter.disarm() {
            break;
        }
        cuts += 1;
    }
    let page = read(&node, &channel).await;
    assert_eq!(texts(&page), published);
    assert_eq!(page.top.offset, published.len() as u64);
    eventually("everything is delivered", || node.recorder.count(&channel) == published.len()).await;
    assert_eq!(node.recorder.texts(&channel), published);
    assert_eq!(node.counter("fanfare_broker_publish_duration_seconds", Some("unknown")), 0.0);
    assert!(node.counter("fanfare_redis_replays_total", None) > 0.0);
    assert_eq!(node.counter("fanfare_redis_unfenced_reconnects_total", None), 0.0);
    assert_eq!(node.counter("fanfare_redis_reconnects_total", Some("publisher")), f64::from(cuts));
    assert_eq!(node.recorder.outages().causes, []);
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_every_byte_loses_nothing() {
    const NODES: usize = 16;
    let server = RedisServer::start().await.unwrap();
    let mut cuts = JoinSet::new();
    for to in [To::Redis, To::Node] {
        (0..NODES).for_each(|first| drop(cuts.spawn(cut_at_every_byte(server.port(), to, first, NODES))));
    }
    let cuts: i32 = cuts.join_all().await.into_iter().sum();
    assert!(cuts > 900, "{cuts}");
}

/// Redis answers a publish whose key it knows, and one behind it. The node gets neither answer, and writes both again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_key_is_known_again() {
    let server = RedisServer::start().await.unwrap();
    let cutter = Cutter::start(server.port()).await;
    let node = quick(cutter.port).await;
    let channel = channel("known");
    let keyed = || {
        let publish = Publish::new(channel.clone(), Payload::text("keyed")).kept(Some(RETENTION));
        node.hand_over(publish.once("key"))
    };
    let first = keyed().await.unwrap().unwrap();
    let replays = || node.counter("fanfare_redis_replays_total", None);
    let mut expected = vec!["keyed"];
    let mut replayed = 0.0;
    // The answer that is cut may be the canary's, before both were written.
    while replayed < 2.0 {
        let before = replays();
        cutter.cut_after(To::Node, 1);
        let (again, behind) = (keyed(), keep(&node, &channel, "behind", None));
        assert_eq!(again.await.unwrap(), Ok(Taken { duplicate: true, ..first }));
        expected.push("behind");
        assert_eq!(position(behind).await.offset, expected.len() as u64);
        assert_eq!(texts(&read(&node, &channel).await), expected);
        replayed = replays() - before;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_publishers_make_one_history() {
    const COUNT: usize = 4000;
    let server = RedisServer::start().await.unwrap();
    let channel = channel("killed");
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = quick(server.port()).await;
        node.subscribe(&channel).await.unwrap();
        nodes.push(Arc::new(node));
    }
    let mut publishers = JoinSet::new();
    for (index, node) in nodes.iter().cloned().enumerate() {
        let channel = channel.clone();
        publishers.spawn(async move {
            let mut answers = Vec::new();
            for number in 0..COUNT {
                answers.push(keep(&node, &channel, &format!("{index} {number}"), None));
                if number % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            }
            for answered in answers {
                position(answered).await;
            }
        });
    }
    while !publishers.is_empty() {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
        let _killed: usize = server.run(&kill).await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        while publishers.try_join_next().is_some_and(|ended| ended.is_ok()) {}
    }
    let page = read(&nodes[0], &channel).await;
    assert_eq!((page.top.offset, page.publications.len()), (2 * COUNT as u64, 2 * COUNT));
    for (index, node) in nodes.iter().enumerate() {
        let published: Vec<_> = (0..COUNT).map(|number| format!("{index} {number}")).collect();
        let kept: Vec<_> =
            texts(&page).into_iter().filter(|text| text.starts_with(&format!("{index} "))).collect();
        assert_eq!(kept, published);
        eventually("everything is delivered", || node.recorder.count(&channel) == 2 * COUNT).await;
        assert_eq!(node.recorder.texts(&channel), texts(&page));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_runs_each_publish_once() {
    let server = RedisServer::start().await.unwrap();
    let [every, patience, give_up] = [20, 60, 200].map(Duration::from_millis);
    let node = watching(server.port(), Watch { every, patience, give_up }).await;
    let channel = channel("frozen");
    let mut published = Vec::new();
    for round in 0..5 {
        let mut answers = Vec::new();
        for number in 0..200 {
            if number == 100 {
                server.stop_process().unwrap();
            }
            published.push(format!("{round} {number}"));
            answers.push(keep(&node, &channel, &published[published.len() - 1], None));
            if number == 150 {
                // Written commands wait in the sockets of Redis.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(300 + 100 * round)).await;
        server.continue_process().unwrap();
        for answered in answers {
            position(answered).await;
        }
    }
    assert_eq!(texts(&read(&node, &channel).await), published);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_scripts_change_no_order() {
    const COUNT: usize = 5000;
    let server = RedisServer::start().await.unwrap();
    let channel = channel("flushed");
    let nodes = [quick(server.port()).await, quick(server.port()).await];
    nodes[0].subscribe(&channel).await.unwrap();
    let flush = async {
        for _ in 0..40 {
            let () = server.run(redis::cmd("SCRIPT").arg("FLUSH")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let publish = async |index: usize| {
        let mut answers = Vec::new();
        for number in 0..COUNT {
            answers.push(keep(&nodes[index], &channel, &format!("{index} {number}"), None));
            if number % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        let mut offsets = Vec::new();
        for answered in answers {
            offsets.push(position(answered).await.offset);
        }
        assert!(offsets.is_sorted_by(|a, b| a < b));
    };
    tokio::join!(flush, publish(0), publish(1));
    let page = read(&nodes[0], &channel).await;
    assert_eq!((page.top.offset, page.publications.len()), (2 * COUNT as u64, 2 * COUNT));
    eventually("everything is delivered", || nodes[0].recorder.count(&channel) == 2 * COUNT).await;
    assert_eq!(nodes[0].recorder.texts(&channel), texts(&page));
    assert!(nodes[0].counter("fanfare_redis_errors_total", Some("other")) > 0.0, "no script was missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgot_has_another_epoch() {
    let mut server = RedisServer::start().await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let channel = channel("forgot");
    let first = position(keep(&node, &channel, "1", None)).await;
    server.kill().await.unwrap();
    let error = loop {
        if let Err(error) = node.started.backend.history.read(&channel, ALL).await {
            break error.to_string();
        }
    };
    assert!(error.contains("Redis") || error.contains("connection"), "{error}");
    server.restart().await.unwrap();
    node.is_up().await;
    let top = read(&node, &channel).await.top;
    assert_eq!(node.started.backend.history.tops(std::slice::from_ref(&channel)).await, Ok(vec![top]));
    assert!(top.offset == 0 && top.epoch != first.epoch);
    assert_eq!(position(keep(&node, &channel, "2", None)).await, Position { offset: 1, ..top });
    assert_eq!(texts(&read(&node, &channel).await), ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_meta_begins_another_epoch() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let channel = channel("meta");
    let first = position(keep(&node, &channel, "1", None)).await;
    position(keep(&node, &channel, "2", None)).await;
    let _deleted: usize = server.run(redis::cmd("DEL").arg("fanfare!meta:meta")).await.unwrap();
    // The stream is of the old epoch: a reader gets nothing of it.
    let page = read(&node, &channel).await;
    assert_eq!((page.top.offset, page.publications.len()), (0, 0));
    let next = position(keep(&node, &channel, "3", None)).await;
    assert!(next.offset == 1 && next.epoch != first.epoch);
    assert_eq!(texts(&read(&node, &channel).await), ["3"]);
    let mut set = redis::cmd("HSET");
    let _set: usize = server.run(set.arg("fanfare!meta:meta").arg("t").arg(0)).await.unwrap();
    let again = position(keep(&node, &channel, "4", None)).await;
    assert!(again.offset == 1 && again.epoch != next.epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_epochs_before_are_known() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let channel = channel("runs");
    let (mut last, mut set) = (Vec::new(), redis::cmd("HSET"));
    set.arg("fanfare!meta:runs").arg("r").arg("0123456789abcdef");
    for number in 0..6 {
        let _first = position(keep(&node, &channel, &format!("{number}"), None)).await;
        last.push(position(keep(&node, &channel, &format!("{number} again"), None)).await);
        // Another server went on with it.
        let _set: usize = server.run(&set).await.unwrap();
    }
    let known = async || {
        let page = read(&node, &channel).await;
        assert_eq!(page.top.offset, 12);
        last.iter().map(|last| page.knows(*last)).collect::<Vec<_>>()
    };
    assert_eq!(known().await, [false, true, true, true, true, false]);
    let beyond = Position { offset: last[3].offset + 1, ..last[3] };
    assert!(!read(&node, &channel).await.knows(beyond));
    // A node of an earlier release writes 'p' and 'b' alone.
    let mut set = redis::cmd("HSET");
    set.arg("fanfare!meta:runs").arg("p").arg(&last[0].epoch.0.to_be_bytes()).arg("b").arg(2);
    let _set: usize = server.run(&set).await.unwrap();
    assert_eq!(known().await, [true, false, false, false, false, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_redis_leaves_publishes_unknown() {
    let mut server = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await;
    let node = quick(proxy.port).await;
    let channel = channel("unknown");
    position(keep(&node, &channel, "1", None)).await;
    proxy.mute(Some("publisher"));
    let answered = keep(&node, &channel, "2", None);
    eventually("Redis took it", || proxy.has_lost("fanfare") || proxy.has_lost(":2")).await;
    server.restart().await.unwrap();
    proxy.mute(None);
    proxy.cut();
    assert_eq!(answered.await.unwrap(), Err(PublishError::Unknown));
    node.is_up().await;
    assert_eq!(position(keep(&node, &channel, "3", None)).await.offset, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_expires_in_redis() {
    let server = RedisServer::start().await.unwrap();
    let node = TestNode::start(config(server.port()));
    node.is_up().await;
    let channel = channel("ttl");
    let publish = Publish::new(channel.clone(), Payload::text("x")).kept(Some(RETENTION)).once("key");
    position(node.hand_over(publish)).await;
    for (key, least) in [("stream:ttl", 590), ("meta:ttl", 2_591_000), ("once:3:ttl:key", 290)] {
        let ttl: i64 = server.run(redis::cmd("TTL").arg(format!("fanfare!{key}"))).await.unwrap();
        assert!(ttl >= least, "{key}: {ttl}");
    }
    // A history that was removed keeps its time, so that one that is kept next ends too.
    node.started.backend.history.remove(&channel).await.unwrap();
    position(keep(&node, &channel, "y", None)).await;
    let ttl: i64 = server.run(redis::cmd("TTL").arg("fanfare!stream:ttl")).await.unwrap();
    assert!(ttl >= 590, "{ttl}");
    // A node that did not publish for an hour is forgotten by the next new one.
    let mut set = redis::cmd("HSET");
    set.arg("fanfare!meta:ttl").arg("00000000000000aa").arg("1000000000:0000000000000005:1");
    let _set: usize = server.run(&set).await.unwrap();
    let other = TestNode::start(config(server.port()));
    other.is_up().await;
    assert_eq!(position(keep(&other, &channel, "z", None)).await.offset, 3);
    let fields: Vec<String> = server.run(redis::cmd("HKEYS").arg("fanfare!meta:ttl")).await.unwrap();
    assert_eq!(fields.len(), 5, "epoch, top, the run of the server and two nodes: {fields:?}");
}
