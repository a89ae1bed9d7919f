//! Items that a node of a Cluster did not run.

use std::{sync::Arc, time::Duration};

use fanfare_core::broker::PublishOrder;
use tokio::time::{Instant, advance};

use super::{
    replays::{loaded, ran},
    world::{PATIENCE, World, error},
};
use crate::redis::{connection::resp::Value, publisher::under_way::Answered};

const AGAIN: Duration = Duration::from_millis(50);

fn moved() -> Value {
    error("MOVED 0 127.0.0.1:7002")
}

fn ask() -> Value {
    error("ASK 0 127.0.0.1:7002")
}

#[tokio::test(start_paused = true)]
async fn moved_items_keep_their_order() {
    let mut world = World::new();
    world.publish(None);
    world.keep(None);
    world.publish(None);
    assert_eq!(world.write(0), [0, 1, 2]);
    world.publish(None);
    // The next one is encoded, and not written.
    world.pipeline.fill(1);
    world.answer(&Value::Int(1)).unwrap();
    world.answer(&loaded()).unwrap();
    world.answer(&moved()).unwrap();
    world.keep(None);
    world.pipeline.begin_round(1);
    assert!(world.write(0).is_empty() && !world.pipeline.has_left(Instant::now()), "one answer is missing");
    world.answer(&moved()).unwrap();
    assert!(world.pipeline.has_left(Instant::now()));
    world.pipeline.disconnected();
    world.pipeline.connected(None, None, false);
    assert_eq!(world.write(0), [1, 2, 3, 4]);
    world.answer(&loaded()).unwrap();
    for answer in [ran(0), Value::Int(1), Value::Int(1), ran(0)] {
        world.answer(&answer).unwrap();
    }
    assert_eq!(world.answers(), [0, 1, 2, 3, 4].map(|number| (number, Ok(()))));
}

#[tokio::test(start_paused = true)]
async fn an_old_node_is_left_without_its_answers() {
    let mut world = World::new();
    (0..2).for_each(|_| world.publish(None));
    world.write(0);
    world.pipeline.leave(Instant::now());
    let deadline = world.pipeline.next_deadline().unwrap();
    assert!(!world.pipeline.has_left(Instant::now()) && world.pipeline.has_left(deadline));
    world.answer(&Value::Int(1)).unwrap();
    world.pipeline.disconnected();
    assert_eq!(world.answers(), [(0, Ok(())), (1, Err("unknown"))]);
    assert!(!world.pipeline.has_left(deadline), "the next connection is not left");
}

#[tokio::test(start_paused = true)]
async fn a_slot_under_way_is_asked_again() {
    let mut world = World::new();
    (0..4).for_each(|_| world.keep(None));
    world.write(0);
    world.answer(&loaded()).unwrap();
    world.answer(&ran(0)).unwrap();
    world.answer(&ask()).unwrap();
    world.answer(&error("TRYAGAIN Multiple keys request during rehashing of slot")).unwrap();
    world.answer(&ran(0)).unwrap();
    world.publish(None);
    assert!(world.write(0).is_empty(), "all wait, so that none overtakes another");
    assert_eq!(world.pipeline.next_deadline(), Some(Instant::now() + AGAIN));
    advance(AGAIN).await;
    assert_eq!(world.write(0), [1]);
    world.answer(&ask()).unwrap();
    advance(AGAIN).await;
    assert_eq!(world.write(0), [1]);
    world.answer(&ran(0)).unwrap();
    assert_eq!(world.write(0), [2, 4], "Redis ran one");
    world.answer(&ran(0)).unwrap();
    world.answer(&Value::Int(1)).unwrap();
    assert_eq!(world.answers(), [0, 3, 1, 2, 4].map(|number| (number, Ok(()))));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_slot_is_bounded() {
    let mut world = World::new();
    world.publish(None);
    world.write(0);
    world.answer(&error("CLUSTERDOWN Hash slot not served")).unwrap();
    world.pipeline.begin_round(7);
    world.write(0);
    // The heartbeat and the time.
    (0..2).for_each(|_| drop(world.answer(&ask()).unwrap()));
    let canary = world.answer(&error("CLUSTERDOWN Hash slot not served")).unwrap();
    assert_eq!(canary, Answered::Canary(7, Err("CLUSTERDOWN".into())));
    let why = world.pipeline.trouble().into_owned();
    assert!(why.contains("CLUSTERDOWN: the Cluster has no master"), "{why}");
    world.pipeline.expire(Instant::now() + PATIENCE, &why);
    assert_eq!(world.answers(), [(0, Err("refused"))]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_order_ends_its_waits() {
    let mut world = World::new();
    let order = Arc::new(PublishOrder::default());
    world.publish(Some(&order));
    world.write(0);
    world.answer(&ask()).unwrap();
    advance(PATIENCE / 2).await;
    world.publish(Some(&order));
    world.publish(None);
    assert_eq!(world.write(0), [0]);
    world.publish(Some(&order));
    world.answer(&ask()).unwrap();
    advance(PATIENCE / 2).await;
    world.pipeline.expire(Instant::now(), "x");
    assert_eq!(world.answers(), [(0, Err("refused"))]);
    assert_eq!(world.write(0), [2], "it has another turn");
    world.answer(&Value::Int(1)).unwrap();
    assert!(world.write(0).is_empty());
    assert_eq!(world.answers(), [(2, Ok(())), (1, Err("refused")), (3, Err("refused"))]);
}
